//go:build integration

package worker_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/queue"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
)

// childEnv names the folder of a worker process; its presence makes the test binary one.
const childEnv = "ASSAY_TEST_WORKER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// Of the worker processes. Everything is faster than in earnest.
const (
	childSlots = 2
	childLease = 2 * time.Second
	beganFile  = "began" // a line for each grading that begins: the job
)

// child is a worker process: it grades by a script until it gets SIGTERM.
func child(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := store.Open(ctx, store.Options{Address: os.Getenv("ASSAY_TEST_ADDRESS"), MaxConns: 6})
	if err != nil {
		return err
	}
	defer s.Close()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	q, err := queue.Open(ctx, queue.Options{Store: s, Log: log, Poll: 50 * time.Millisecond})
	if err != nil {
		return err
	}
	blobs, err := blob.OpenFiles(filepath.Join(dir, "blobs"), time.Now())
	if err != nil {
		return err
	}
	defer blobs.Close()
	began, err := os.OpenFile(filepath.Join(dir, beganFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer began.Close()
	w, err := worker.New(worker.Options{
		Store: s, Queue: q, Blobs: blobs, Log: log, Name: "child", Slots: childSlots,
		Lease: childLease, Beat: childLease / 9, SweepEvery: 300 * time.Millisecond, Drain: patience,
		Grader: &workertest.Grader{
			Script: func(worker.Task, int) workertest.Step {
				return workertest.Step{Takes: 350 * time.Millisecond, Score: 70}
			},
			Began: func(t worker.Task, _ int) { fmt.Fprintln(began, t.Job) }, // one write: lines do not mix
		},
	})
	if err != nil {
		return err
	}
	return w.Run(ctx, context.Background())
}

// process is a worker process.
type process struct {
	cmd  *exec.Cmd
	over chan error
	err  *strings.Builder
}

func start(t *testing.T, address, dir string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0]), over: make(chan error, 1), err: &strings.Builder{}}
	p.cmd.Env = append(os.Environ(), childEnv+"="+dir, "ASSAY_TEST_ADDRESS="+address, "TMPDIR="+dir)
	p.cmd.Stderr = p.err
	require.NoError(t, p.cmd.Start())
	go func() { p.over <- p.cmd.Wait() }()
	return p
}

// kill ends a process as a power cut does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill(), "%s", p.err)
	wait(t, p.over, "the killed process is gone")
}

// Workers in processes of their own are killed while they grade, and the database is restarted, once in order and once as after
// a crash. Every submission is graded once, in a fair order.
func TestScaleOut(t *testing.T) {
	cluster, dir := storetest.NewCluster(t), t.TempDir()
	address := cluster.Address
	b := scaleBench(t, address, dir)
	// One organisation has many submissions, one some, one few; those of the first are there first.
	const many, some, few, processes, kills = 40, 15, 5, 3, 6
	orgs := map[platform.OrgID]string{}
	var jobs []platform.Job
	owner := map[platform.ID]string{}
	for i, n := range []int{many, some, few} {
		w := b.World
		if i > 0 {
			w = b.Second(fmt.Sprint("organisation", i))
		}
		orgs[w.Org] = []string{"many", "some", "few"}[i]
		as := w.Assessment(storetest.Settings())
		for k := range n {
			j := b.submit(w.Working(as, fmt.Sprint("candidate", k)), platform.Final)
			jobs, owner[j.ID] = append(jobs, j), orgs[w.Org]
		}
	}

	var alive []*process
	var mu sync.Mutex
	t.Cleanup(func() { // what a failed test leaves running
		mu.Lock()
		defer mu.Unlock()
		for _, p := range alive {
			_ = p.cmd.Process.Kill()
		}
	})
	launch := func() {
		mu.Lock()
		defer mu.Unlock()
		alive = append(alive, start(t, address, dir))
	}
	for range processes {
		launch()
	}
	random := rand.New(rand.NewPCG(6, 60))
	for n := range kills {
		switch n {
		case kills / 3:
			cluster.Restart()
		case 2 * kills / 3:
			cluster.Crash()
		}
		time.Sleep(time.Duration(300+random.IntN(400)) * time.Millisecond)
		i := random.IntN(len(alive))
		alive[i].kill(t)
		mu.Lock()
		alive = append(alive[:i], alive[i+1:]...)
		mu.Unlock()
		launch()
	}
	require.Eventually(t, func() bool { return b.over(jobs) }, 90*time.Second, 100*time.Millisecond, "all submissions come to an end")
	for _, p := range alive {
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, wait(t, p.over, "a worker ends"), "%s", p.err)
	}

	tries, tried := 0, map[platform.ID]int{}
	for _, j := range jobs {
		now := b.job(j)
		assert.Equal(t, platform.JobGraded, now.State, "%s: %s", j.ID, now.Why)
		assert.Len(t, b.results(j), 1)
		tries += now.Tries
		tried[j.ID] = now.Tries
	}
	t.Logf("%d submissions, %d kills, %d tries", len(jobs), kills, tries)
	assert.Greater(t, tries, len(jobs), "the kills have hit gradings, or this test says nothing")
	assert.Len(t, b.files(), 2*len(jobs), "each grading has its two files, and there are no others")
	checkOrder(t, filepath.Join(dir, beganFile), owner, tried, 3*few, few+2*some)
}

// checkOrder reads in which order the jobs began for the first time. The few are done among the first fewWithin and the some
// among the first someWithin, but for as many as may begin at once, or were held by workers that had been killed. A job that was
// claimed without ever beginning, since worker or database ended between the two, says nothing about the order.
func checkOrder(t *testing.T, path string, owner map[platform.ID]string, tries map[platform.ID]int, fewWithin, someWithin int) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	last, began := map[string]int{}, map[platform.ID]int{}
	var order []platform.ID
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		id := platform.ID(lines.Text())
		require.Contains(t, owner, id)
		if began[id]++; began[id] == 1 {
			order = append(order, id)
		}
	}
	require.NoError(t, lines.Err())
	require.Len(t, order, len(tries), "each has begun")
	never := 0
	for i, id := range order {
		if tries[id] > began[id] {
			never++
			continue
		}
		last[owner[id]] = i + 1
	}
	const slack = 3 * childSlots * 2 // slots, and as many again that the dead held
	t.Logf("the last of each organisation began as number %v of %d; %d were claimed in vain", last, len(order), never)
	assert.LessOrEqual(t, never, slack)
	assert.LessOrEqual(t, last["few"], fewWithin+slack)
	assert.LessOrEqual(t, last["some"], someWithin+slack)
}

// scaleBench is a bench on PostgreSQL whose clock is the machine's.
func scaleBench(t *testing.T, address, dir string) *bench {
	t.Helper()
	b := &bench{}
	b.World = storetest.NewWorld(t, func(t *testing.T, _ func() time.Time) *store.Store {
		s, err := store.Open(t.Context(), store.Options{Address: address})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
		return s
	})
	var err error
	b.queue, err = queue.Open(t.Context(), queue.Options{Store: b.Store, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	b.blobs, err = blob.OpenFiles(filepath.Join(dir, "blobs"), time.Now())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.blobs.Close()) })
	return b
}

// over says whether nothing waits or runs any more.
func (b *bench) over(jobs []platform.Job) bool {
	for _, j := range jobs {
		if !b.job(j).State.Over() {
			return false
		}
	}
	return true
}
