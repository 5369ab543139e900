package worker_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
)

// running is a worker that runs, with both of its signals.
type running struct {
	*worker.Worker
	term, kill context.CancelFunc
	over       chan error
}

func (b *bench) run(w *worker.Worker) *running {
	b.T.Helper()
	ctx, term := context.WithCancel(b.T.Context())
	hard, kill := context.WithCancel(b.T.Context())
	r := &running{Worker: w, term: term, kill: kill, over: make(chan error, 1)}
	go func() { r.over <- w.Run(ctx, hard) }()
	return r
}

// end ends a worker that has nothing to do, or lets it end what it does.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.term()
	require.NoError(t, wait(t, r.over, "the worker ends"))
}

// row is what the store knows of a worker.
func (b *bench) row(w *worker.Worker) platform.Worker {
	b.T.Helper()
	var all []platform.Worker
	b.Do(func(tx *store.Tx) (err error) {
		all, err = tx.Workers(b.T.Context(), b.Org)
		return err
	})
	i := slices.IndexFunc(all, func(row platform.Worker) bool { return row.ID == w.ID() })
	require.GreaterOrEqual(b.T, i, 0, "the worker is known")
	return all[i]
}

func slots(n int) func(*worker.Options) { return func(o *worker.Options) { o.Slots = n } }

// The first signal drains: what runs is ended, what waits is left.
func TestDrain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, second := b.submit(b.candidate("ada"), platform.Final), b.submit(b.candidate("bob"), platform.Final)
	g, began, goOn := held(workertest.Step{Score: 80})
	w := b.run(b.worker(g))
	wait(t, began, "a grading begins")
	assert.Equal(t, []any{"test", "1", 1, false, 1}, func(r platform.Worker) []any {
		return []any{r.Name, r.Version, r.Slots, r.Draining, r.Busy}
	}(b.row(w.Worker)))
	w.term()
	require.Eventually(t, func() bool { return b.row(w.Worker).Draining }, patience, time.Millisecond, "people see that it drains")
	select {
	case err := <-w.over:
		require.Fail(t, "it has not waited", "%v", err)
	default:
	}
	close(goOn)
	require.NoError(t, wait(t, w.over, "the worker ends"))
	states := []platform.JobState{b.job(first).State, b.job(second).State}
	assert.ElementsMatch(t, []platform.JobState{platform.JobGraded, platform.JobQueued}, states)
	assert.Empty(t, began, "no other grading was begun")

	next := b.run(b.worker(scripted(workertest.Step{Score: 80})))
	defer next.end(t)
	require.Eventually(t, func() bool {
		return b.job(first).State == platform.JobGraded && b.job(second).State == platform.JobGraded
	},
		patience, time.Millisecond, "the next worker goes on")
}

// The second signal, or too long a drain, gives back what runs.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		drain  time.Duration
		signal bool
	}{{"second signal", patience, true}, {"too long", time.Millisecond, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			j := b.submit(b.candidate("ada"), platform.Final)
			g, began, _ := held(workertest.Step{})
			w := b.run(b.worker(g, func(o *worker.Options) { o.Drain = tt.drain }))
			wait(t, began, "a grading begins")
			w.term()
			if tt.signal {
				w.kill()
			}
			require.NoError(t, wait(t, w.over, "the worker ends"))
			now := b.job(j)
			assert.Equal(t, []any{platform.JobQueued, 0}, []any{now.State, now.Tries})
			assert.Positive(t, b.tokens("available"))
		})
	}
}

// One organisation's thousand do not keep another's one waiting, and what is final comes before what is tried.
func TestFairness(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := b.Second("second")
	eager := b.candidate("eager")
	tries := b.submitMany(eager, platform.DryRun, 1000)
	final := b.submit(eager, platform.Final)
	one := b.submit(other.Working(other.Assessment(storetest.Settings()), "patient"), platform.DryRun)

	const watched = 6
	order := make(chan platform.ID, len(tries)+2)
	g := scripted(workertest.Step{Score: 80})
	g.Began = func(t worker.Task, _ int) { order <- t.Job }
	w := b.run(b.worker(g))
	var got []platform.ID
	for range watched {
		got = append(got, wait(t, order, "gradings begin"))
	}
	w.end(t)
	assert.ElementsMatch(t, []platform.ID{one.ID, final.ID}, got[:2], "both are among the first, whoever begins")
	assert.Equal(t, []platform.ID{tries[0].ID, tries[1].ID, tries[2].ID, tries[3].ID}, got[2:], "then the others, in their order")
}

func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const each, n = 2, 40
	jobs := b.submitMany(b.candidate("eager"), platform.DryRun, n)
	var mu sync.Mutex
	graded, busy, most := map[platform.ID]int{}, map[string]int{}, map[string]int{}
	var workers []*running
	var all sync.WaitGroup
	all.Add(n)
	for i := range 2 {
		name := fmt.Sprint(i)
		w := b.worker(graderFunc(func(ctx context.Context, t worker.Task) (worker.Outcome, error) {
			mu.Lock()
			busy[name]++
			most[name] = max(most[name], busy[name])
			graded[t.Job]++
			mu.Unlock()
			defer func() {
				mu.Lock()
				busy[name]--
				mu.Unlock()
				all.Done()
			}()
			return scripted(workertest.Step{Takes: 2 * time.Millisecond, Score: 80}).Grade(ctx, t)
		}), slots(each))
		workers = append(workers, b.run(w))
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	wait(t, over, "everything is graded")
	for _, w := range workers {
		w.end(t)
	}
	require.Len(t, graded, n)
	for _, j := range jobs {
		assert.Equal(t, 1, graded[j.ID])
		assert.Equal(t, platform.JobGraded, b.job(j).State)
		assert.Len(t, b.results(j), 1)
	}
	for name, k := range most {
		assert.LessOrEqual(t, k, each, "worker %s has so many slots", name)
	}
}

// graderFunc is a worker.Grader.
type graderFunc func(context.Context, worker.Task) (worker.Outcome, error)

func (f graderFunc) Grade(ctx context.Context, t worker.Task) (worker.Outcome, error) {
	return f(ctx, t)
}

func TestWorkerNeeds(t *testing.T) {
	t.Parallel()
	_, err := worker.New(worker.Options{})
	assert.Error(t, err)
}
