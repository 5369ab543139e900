//nolint:thelper // these are the cases themselves: a failure belongs to its own line
package runnertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/runnertest/lines"
)

// The cases about pods, workspaces and what is left of them.

func testInfo(t *testing.T, s *suite) {
	info, err := s.engine.Info(deadline(t))
	require.NoError(t, err)
	assert.NotEmpty(t, info.Name)
	assert.NotEmpty(t, info.Version)
	assert.Positive(t, info.CPUs)
	assert.Equal(t, s.fixture.Sandboxed && info.Name != "fake", info.Sandboxed)
}

func testStage(t *testing.T, s *suite) {
	ctx, before := deadline(t), s.left(t)
	ws, err := s.engine.Stage(ctx, runner.StageSpec{Name: "other", Dir: writePrograms(t)})
	require.NoError(t, err)
	assert.NotEmpty(t, ws.ID())
	assert.NotEqual(t, s.ws.ID(), ws.ID())
	assert.Len(t, s.left(t), len(before)+1)
	require.NoError(t, ws.Close(ctx))
	require.NoError(t, ws.Close(ctx), "closing is idempotent")
	assert.Equal(t, before, s.left(t))
}

func testStageMissing(t *testing.T, s *suite) {
	before := s.left(t)
	_, err := s.engine.Stage(deadline(t), runner.StageSpec{Name: "missing", Dir: filepath.Join(t.TempDir(), "no")})
	require.Error(t, err)
	assert.Equal(t, before, s.left(t))
}

func testPod(t *testing.T, s *suite) {
	ctx, before := deadline(t), s.left(t)
	pod, driver := s.open(ctx, t)
	assert.Greater(t, len(s.left(t)), len(before))
	for i := range 3 {
		a, err := driver.Ask(lines.Request{Op: lines.OpEcho, Text: fmt.Sprint("hello ", i)})
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint("hello ", i), a.Text)
	}
	require.NoError(t, pod.Close(ctx))
	require.NoError(t, pod.Close(ctx), "closing is idempotent")
	assert.Equal(t, before, s.left(t))

	_, err := driver.Ask(lines.Request{Op: lines.OpEcho})
	require.Error(t, err, "the stream of a closed pod ends")
	_, err = pod.StartCandidate(ctx, s.spec("exit.mjs", "0"))
	require.Error(t, err, "a closed pod starts nothing")
}

func testDriverLog(t *testing.T, s *suite) {
	pod, driver := s.open(deadline(t), t)
	_, err := driver.Ask(lines.Request{Op: lines.OpLog, Text: "an oddity"})
	require.NoError(t, err)
	// Standard error is another stream than that of the answer, so it may come later.
	assert.Eventually(t, func() bool { return pod.DriverLog() == "an oddity\n" }, 5*time.Second, 10*time.Millisecond)
}

func testDriverEnd(t *testing.T, s *suite) {
	ctx, before := deadline(t), s.left(t)
	pod, driver := s.open(ctx, t)
	_, err := driver.Ask(lines.Request{Op: lines.OpExit, N: 7})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, pod.Close(ctx))
	assert.Equal(t, before, s.left(t))
}

func testCancelOpen(t *testing.T, s *suite) {
	before := s.left(t)
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond, 160 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		pod, err := s.engine.OpenPod(ctx, runner.PodSpec{DataDir: s.data})
		cancel()
		if err == nil { // quicker than the cancellation
			require.NoError(t, pod.Close(t.Context()))
		} else {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		assert.Equal(t, before, s.left(t), "cancelled after %s", after)
	}
}

func testCancelStart(t *testing.T, s *suite) {
	before := s.left(t)
	pod, _ := s.open(deadline(t), t)
	for _, after := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		c, err := pod.StartCandidate(ctx, s.spec("hang.mjs"))
		cancel()
		if err == nil {
			require.NoError(t, c.Close(t.Context()))
		} else {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	}
	require.NoError(t, pod.Close(t.Context()))
	assert.Equal(t, before, s.left(t))
}

func testConcurrentPods(t *testing.T, s *suite) {
	ctx := deadline(t)
	const pods = 3
	results := make(chan error, pods)
	for i := range pods {
		go func() { results <- s.aloneIn(ctx, fmt.Sprintf("pod-%d", i)) }()
	}
	for range pods {
		require.NoError(t, <-results)
	}
}

// aloneIn opens a pod whose candidate writes one file, and says whether the pod's driver sees that file and no other.
func (s *suite) aloneIn(ctx context.Context, name string) (err error) {
	pod, err := s.engine.OpenPod(ctx, runner.PodSpec{DataDir: s.data})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pod.Close(context.WithoutCancel(ctx))) }()
	c, err := pod.StartCandidate(ctx, s.spec("out.mjs", filepath.Join(pod.Paths().Out, name), name))
	if err != nil {
		return err
	}
	res, err := c.Wait(ctx)
	if err != nil || !res.Exit.OK() {
		return errors.Join(fmt.Errorf("candidate ended with %+v: %s", res.Exit, res.Stderr.Text), err)
	}
	a, err := lines.NewClient(pod.Driver()).Ask(lines.Request{Op: lines.OpList, Path: pod.Paths().Out})
	if err != nil || !slices.Equal(a.Names, []string{name}) {
		return errors.Join(fmt.Errorf("pod of %s has the files %q", name, a.Names), err)
	}
	return nil
}

func testService(t *testing.T, s *suite) {
	ctx, before := deadline(t), s.left(t)
	pod, driver := s.open(ctx, t)
	held := s.left(t)
	service, err := pod.StartService(ctx, *s.fixture.Service)
	require.NoError(t, err)
	assert.Len(t, s.left(t), len(held)+1)
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err = service.Wait(short)
	require.ErrorIs(t, err, context.DeadlineExceeded, "it runs")
	assert.True(t, s.run(ctx, t, pod, "exit.mjs", "0").Exit.OK(), "and a candidate beside it")
	a, err := driver.Ask(lines.Request{Op: lines.OpEcho, Text: "alive"})
	require.NoError(t, err)
	assert.Equal(t, "alive", a.Text)
	require.NoError(t, pod.Close(ctx))
	assert.Equal(t, before, s.left(t))
	_, err = service.Wait(ctx)
	require.NoError(t, err, "its end is known")
	_, err = pod.StartService(ctx, *s.fixture.Service)
	require.Error(t, err, "a closed pod starts nothing")
}

func testNoServices(t *testing.T, s *suite) {
	ctx, before := deadline(t), s.left(t)
	pod, _ := s.open(ctx, t)
	_, err := pod.StartService(ctx, workload.Service{Name: "postgres"})
	require.ErrorIs(t, err, runner.ErrNoServices)
	require.NoError(t, pod.Close(ctx))
	assert.Equal(t, before, s.left(t))
}

func testSweep(t *testing.T, s *suite) {
	ctx, before := deadline(t), s.left(t)
	mine, _ := s.open(ctx, t)
	held := s.left(t)
	dead := s.fixture.Open(t, "dead-"+s.fixture.Session, nil)
	live := s.fixture.Open(t, "live-"+s.fixture.Session, nil)
	crashed, err := dead.OpenPod(ctx, runner.PodSpec{})
	require.NoError(t, err)
	working, err := live.OpenPod(ctx, runner.PodSpec{})
	require.NoError(t, err)

	sweeper := s.fixture.Open(t, "sweeper-"+s.fixture.Session, func(session string) bool {
		return session != "dead-"+s.fixture.Session
	})
	swept, err := sweeper.Sweep(ctx)
	require.NoError(t, err)
	assert.Positive(t, swept.Containers+swept.Volumes)
	assert.Empty(t, s.fixture.Left(t, "dead-"+s.fixture.Session))
	assert.NotEmpty(t, s.fixture.Left(t, "live-"+s.fixture.Session))
	assert.Equal(t, held, s.left(t))
	again, err := sweeper.Sweep(ctx)
	require.NoError(t, err)
	assert.Equal(t, runner.Swept{}, again, "a second sweep finds nothing")

	for _, pod := range []runner.Pod{working, mine} {
		a, err := lines.NewClient(pod.Driver()).Ask(lines.Request{Op: lines.OpEcho, Text: "alive"})
		require.NoError(t, err)
		assert.Equal(t, "alive", a.Text)
		require.NoError(t, pod.Close(ctx))
	}
	require.NoError(t, crashed.Close(ctx), "closing what was swept is no error")
	assert.Equal(t, before, s.left(t))
}
