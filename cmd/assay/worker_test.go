package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// watched is a stream that tells when it has had some words.
type watched struct {
	mu    sync.Mutex
	text  bytes.Buffer
	words string
	seen  chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.text.Write(p)
	if strings.Contains(w.text.String(), w.words) {
		select {
		case <-w.seen:
		default:
			close(w.seen)
		}
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// A worker says what it is in the database; when it is asked to end it does, with code 0.
func TestWorkerDrains(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "assay.db")
	env := map[string]string{
		"ASSAY_DATABASE": database, "ASSAY_BLOBS": filepath.Join(dir, "blobs"), "ASSAY_SLOTS": "1", "ASSAY_WORKER_NAME": "bench-7", "ASSAY_STATE": filepath.Join(dir, "state"),
	}
	errs := &watched{words: `"msg":"a worker begins"`, seen: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--engine", "process", "worker", "--unsandboxed"}, func(name string) (string, bool) { v, ok := env[name]; return v, ok },
			stdio{in: strings.NewReader(""), out: &bytes.Buffer{}, err: errs})
	}()
	select {
	case <-errs.seen:
	case <-time.After(time.Minute):
		t.Fatal("the worker has not begun:", errs.String())
	}
	s, err := store.Open(t.Context(), store.Options{Address: database})
	require.NoError(t, err)
	defer s.Close()
	var workers []platform.Worker
	look := func() error {
		return s.View(t.Context(), func(tx *store.Tx) (err error) {
			workers, err = tx.Workers(t.Context(), "org_none")
			return err
		})
	}
	for began := time.Now(); len(workers) == 0 && time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
		require.NoError(t, look())
	}
	require.Len(t, workers, 1)
	w := workers[0]
	assert.Equal(t, []any{"bench-7", 1, assayVersion()}, []any{w.Name, w.Slots, w.Version})
	cancel()
	assert.Equal(t, 0, <-code, errs.String())
	assert.Contains(t, errs.String(), "the worker has ended")
}

func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s := &secondSignal{told: make(chan struct{})}
	assert.Contains(t, s.first(), "once more to stop at once")
	assert.False(t, s.take(), "nobody waits for it: it ends the process")
	s.announce("the grading goes on")
	assert.Equal(t, "the grading goes on", s.first())
	assert.False(t, s.take())
	told := s.await("draining")
	assert.Equal(t, "draining", s.first())
	assert.True(t, s.take())
	select {
	case <-told:
	default:
		t.Error("the second signal is not told")
	}
	assert.False(t, s.take(), "the third one ends the process")
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "address")
	require.NoError(t, os.WriteFile(file, []byte("postgres://assay@db/assay\nmore\n"), 0o600))
	large := filepath.Join(dir, "large")
	require.NoError(t, os.WriteFile(large, make([]byte, maxSecret+1), 0o600))
	for _, tt := range []struct {
		env  map[string]string
		want string
		says string
	}{
		{nil, "", ""},
		{map[string]string{"X": "from the variable"}, "from the variable", ""},
		{map[string]string{"X": "from the variable", "X_FILE": file}, "", "both set"},
		{map[string]string{"X_FILE": file}, "postgres://assay@db/assay", ""},
		{map[string]string{"X_FILE": filepath.Join(dir, "no")}, "", "X_FILE"},
		{map[string]string{"X_FILE": large}, "", "larger"},
	} {
		a := &app{env: func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }}
		got, err := a.secret("X")
		assert.Equal(t, tt.want, got)
		if tt.says == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, tt.says)
		}
	}
}
