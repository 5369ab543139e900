package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/queue"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; nothing here should take so long.
const patience = 30 * time.Second

func openStore(t *testing.T, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "assay.db"), Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func open(t *testing.T, s *store.Store) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), queue.Options{Store: s, Log: slog.New(slog.DiscardHandler), Poll: 5 * time.Millisecond})
	require.NoError(t, err)
	return q
}

func enqueue(t *testing.T, s *store.Store, q *queue.Queue, after time.Time) {
	t.Helper()
	require.NoError(t, s.Tx(t.Context(), func(tx *store.Tx) error {
		return q.Enqueue(t.Context(), tx.SQL(), platform.Job{RunAfter: after})
	}))
}

func tokens(t *testing.T, s *store.Store, state string) (n int) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(tx *store.Tx) error {
		return tx.SQL().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM river_job WHERE state = $1`, state).Scan(&n)
	}))
	return n
}

// deliver delivers until end is called, which waits.
func deliver(t *testing.T, q *queue.Queue, slots int, turn func() error) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- q.Deliver(ctx, slots, turn) }()
	return func() {
		stop()
		require.NoError(t, wait(t, over, "the deliverer ends"))
	}
}

func wait[V any](t *testing.T, c <-chan V, what string) (v V) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.Fail(t, "waited in vain", what)
	}
	return v
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	s := openStore(t, time.Now)
	enqueue(t, s, open(t, s), time.Time{})
	open(t, s)
	assert.Equal(t, 1, tokens(t, s, "available"), "opening keeps what is there")
	_, err := queue.Open(t.Context(), queue.Options{})
	assert.Error(t, err)
}

// A token is there when its transaction is, and not otherwise.
func TestTokenGoesWithItsTransaction(t *testing.T) {
	t.Parallel()
	s := openStore(t, time.Now)
	q := open(t, s)
	undone := errors.New("the submission was not stored")
	err := s.Tx(t.Context(), func(tx *store.Tx) error {
		require.NoError(t, q.Enqueue(t.Context(), tx.SQL(), platform.Job{}))
		return undone
	})
	require.ErrorIs(t, err, undone)
	assert.Equal(t, 0, tokens(t, s, "available"))
	enqueue(t, s, q, time.Time{})
	assert.Equal(t, 1, tokens(t, s, "available"))
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	s := openStore(t, time.Now)
	q := open(t, s)
	const n, slots = 12, 3
	for range n {
		enqueue(t, s, q, time.Time{})
	}
	var busy, most atomic.Int64
	turns := make(chan struct{}, n+1)
	end := deliver(t, q, slots, func() error {
		now := busy.Add(1)
		defer busy.Add(-1)
		for {
			seen := most.Load()
			if now <= seen || most.CompareAndSwap(seen, now) {
				break
			}
		}
		time.Sleep(time.Millisecond)
		turns <- struct{}{}
		return nil
	})
	for range n {
		wait(t, turns, "a turn for each token")
	}
	end()
	assert.Empty(t, turns, "and no more")
	assert.LessOrEqual(t, most.Load(), int64(slots))
	assert.Equal(t, n, tokens(t, s, "completed"))
}

// A turn that runs when the drain begins is waited for, and no other is begun.
func TestDeliverDrains(t *testing.T) {
	t.Parallel()
	s := openStore(t, time.Now)
	q := open(t, s)
	for range 5 {
		enqueue(t, s, q, time.Time{})
	}
	began, goOn := make(chan struct{}, 5), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		over <- q.Deliver(ctx, 1, func() error {
			began <- struct{}{}
			<-goOn
			return nil
		})
	}()
	wait(t, began, "a turn begins")
	stop()
	select {
	case err := <-over:
		require.Fail(t, "it has not waited", "%v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(goOn)
	require.NoError(t, wait(t, over, "the deliverer ends"))
	assert.Empty(t, began)
	assert.Equal(t, 4, tokens(t, s, "available"))
}

// A token whose turn could not be taken comes back.
func TestTurnFails(t *testing.T) {
	t.Parallel()
	s := openStore(t, time.Now)
	q := open(t, s)
	enqueue(t, s, q, time.Time{})
	turns := make(chan struct{}, 2)
	var n atomic.Int64
	end := deliver(t, q, 1, func() error {
		defer func() { turns <- struct{}{} }()
		if n.Add(1) == 1 {
			return errors.New("the database is away")
		}
		return nil
	})
	wait(t, turns, "the first turn")
	wait(t, turns, "the second turn")
	end()
	assert.Equal(t, 1, tokens(t, s, "completed"))
}

// A token for later is delivered later.
func TestLater(t *testing.T) {
	t.Parallel()
	s := openStore(t, time.Now)
	q := open(t, s)
	due := time.Now().Add(700 * time.Millisecond)
	enqueue(t, s, q, due)
	require.Equal(t, 1, tokens(t, s, "scheduled"))
	turns := make(chan time.Time, 1)
	end := deliver(t, q, 1, func() error {
		turns <- time.Now()
		return nil
	})
	at := wait(t, turns, "the turn")
	end()
	assert.False(t, at.Before(due.Truncate(time.Millisecond)), "delivered %v too early", due.Sub(at))
}

func TestReplenish(t *testing.T) {
	t.Parallel()
	w := storetest.NewWorld(t, openStore)
	q := open(t, w.Store)
	made, err := q.Replenish(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 0, made, "nothing waits")
	a := w.Working(w.Assessment(storetest.Settings()), "ada")
	for range 3 {
		w.Submit(a, "log-aggregate", platform.DryRun) // without tokens, as if they had been lost
	}
	enqueue(t, w.Store, q, time.Time{})
	enqueue(t, w.Store, q, time.Now().Add(time.Hour)) // not for what is due now
	made, err = q.Replenish(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, made)
	assert.Equal(t, 3, tokens(t, w.Store, "available"))
	made, err = q.Replenish(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 0, made)
}
