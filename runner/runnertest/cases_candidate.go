//nolint:thelper // these are the cases themselves: a failure belongs to its own line
package runnertest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/runnertest/lines"
)

// The cases about what a candidate does and what is reported of it.

func testExitCodes(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, _ := s.open(ctx, t)
	for _, code := range []int{0, 1, 3, 99} {
		c := s.start(ctx, t, pod, "exit.mjs", jsonText(code))
		assert.NotEmpty(t, c.ID())
		assert.Equal(t, exited(code), result(ctx, t, c).Exit)
		assert.Equal(t, exited(code), result(ctx, t, c).Exit, "waiting again gives the same")
		require.NoError(t, c.Close(ctx))
		require.NoError(t, c.Close(ctx), "closing is idempotent")
	}
}

func testSignals(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, _ := s.open(ctx, t)
	for name, code := range map[string]int{"SIGTERM": 143, "SIGKILL": 137, "SIGABRT": 134} {
		exit := s.run(ctx, t, pod, "signal.mjs", name).Exit
		assert.Equal(t, evidence.Exit{Status: evidence.Signaled, Code: code, Signal: name}, exit)
	}
}

func testNotStarted(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, _ := s.open(ctx, t)
	for _, argv := range [][]string{{"no-such-command"}, {"./no-such-file"}, {"./exit.mjs"}, {"./sub"}, {"./sub/not-a-program"}} {
		spec := s.spec()
		spec.Argv = argv
		c, err := pod.StartCandidate(ctx, spec)
		require.NoError(t, err, "a command that cannot be executed is the submission's affair: %v", argv)
		exit := result(ctx, t, c).Exit
		assert.Equal(t, evidence.NotStarted, exit.Status, "%v: %+v", argv, exit)
		assert.NotEmpty(t, exit.Detail)
		require.NoError(t, c.Close(ctx))
	}
	assert.Equal(t, exited(0), s.run(ctx, t, pod, "exit.mjs", "0").Exit, "the pod goes on")
}

func testOutput(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, _ := s.open(ctx, t)

	res := s.run(ctx, t, pod, "print.mjs", "5")
	assert.Equal(t, evidence.Log{Text: "first line\nxxxxx\nlast line\n", Bytes: 27}, res.Stdout)
	assert.Equal(t, evidence.Log{Text: "to stderr\n", Bytes: 10}, res.Stderr)

	const printed, kept = 5 << 20, 1 << 10
	spec := s.spec("print.mjs", jsonText(printed))
	spec.Limits.OutputBytes = kept
	c, err := pod.StartCandidate(ctx, spec)
	require.NoError(t, err)
	res = result(ctx, t, c)
	assert.Equal(t, exited(0), res.Exit, "a program that writes much is not kept waiting for ever")
	assert.Equal(t, int64(printed+22), res.Stdout.Bytes)
	assert.Equal(t, res.Stdout.Bytes-kept, res.Stdout.Dropped)
	assert.Less(t, len(res.Stdout.Text), kept+100)
	assert.True(t, strings.HasPrefix(res.Stdout.Text, "first line\nx"))
	assert.True(t, strings.HasSuffix(res.Stdout.Text, "x\nlast line\n"))
}

func testStdin(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, _ := s.open(ctx, t)
	dir := t.TempDir()
	for _, size := range []int{0, 6, 3 << 20} {
		name := filepath.Join(dir, jsonText(size))
		require.NoError(t, os.WriteFile(name, []byte(strings.Repeat("x", size)), 0o644))
		for how, want := range map[string]string{
			"stream": jsonText(size) + "\n", "fd": jsonText(size) + "\n", "/dev/stdin": jsonText(size) + "\n", "ignore": "",
		} {
			spec := s.spec("stdin.mjs", how)
			spec.Stdin = name
			c, err := pod.StartCandidate(ctx, spec)
			require.NoError(t, err)
			began := time.Now()
			res := result(ctx, t, c)
			assert.Equal(t, exited(0), res.Exit, "%s of %d: %s", how, size, res.Stderr.Text)
			assert.Equal(t, want, res.Stdout.Text, "%s of %d", how, size)
			assert.Less(t, time.Since(began), caseTimeout/4, "it ends when the program does")
			require.NoError(t, c.Close(ctx))
		}
	}
	assert.Equal(t, "0\n", s.run(ctx, t, pod, "stdin.mjs", "fd").Stdout.Text, "without one it has ended already")

	hung := s.spec("hang.mjs")
	hung.Stdin = filepath.Join(dir, jsonText(3<<20))
	c, err := pod.StartCandidate(ctx, hung)
	require.NoError(t, err)
	require.NoError(t, c.Close(ctx), "who does not read it can be ended")
	missing := s.spec("exit.mjs", "0")
	missing.Stdin = filepath.Join(dir, "missing")
	_, err = pod.StartCandidate(ctx, missing)
	require.Error(t, err, "an input that is not there is a fault of ours")
}

func testEnvironment(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, _ := s.open(ctx, t)
	spec := s.spec("env.mjs", "an argument", "")
	spec.Env = map[string]string{"ASSAY_CASE": "a=b\nc", "TZ": "Europe/Berlin"}
	c, err := pod.StartCandidate(ctx, spec)
	require.NoError(t, err)
	res := result(ctx, t, c)
	var got struct {
		Cwd  string
		Env  map[string]string
		Args []string
	}
	require.NoError(t, json.Unmarshal([]byte(res.Stdout.Text), &got), "%+v", res)
	assert.Equal(t, []string{"an argument", ""}, got.Args)
	assert.Equal(t, "a=b\nc", got.Env["ASSAY_CASE"])
	assert.Equal(t, "Europe/Berlin", got.Env["TZ"], "the spec wins over the defaults")
	assert.Equal(t, "C.UTF-8", got.Env["LANG"])
	assert.NotEmpty(t, got.Env["HOME"])
	assert.LessOrEqual(t, len(got.Env), 8, "nothing of the host's environment comes through: %v", got.Env)

	app := pod.Paths().App
	if real, err := filepath.EvalSymlinks(app); err == nil { // a directory of this machine: the process engine's
		app = real
	}
	assert.Equal(t, app, got.Cwd)
}

func testData(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, driver := s.open(ctx, t)
	res := s.run(ctx, t, pod, "data.mjs", pod.Paths().Data)
	var got struct{ Read, Write string }
	require.NoError(t, json.Unmarshal([]byte(res.Stdout.Text), &got), "%+v", res)
	if s.fixture.Sandboxed {
		assert.Equal(t, "the data", got.Read)
		assert.Contains(t, []string{"EROFS", "EACCES"}, got.Write)
	}
	if s.fixture.Processes {
		a, err := driver.Ask(lines.Request{Op: lines.OpRead, Path: filepath.Join(pod.Paths().Data, "input.txt")})
		require.NoError(t, err)
		assert.Equal(t, got.Read, a.Text, "the driver sees the same data")
	}
	if got.Write == "written" {
		require.NoError(t, os.WriteFile(filepath.Join(s.data, "input.txt"), []byte("the data"), 0o644))
	}
}

func testOut(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, driver := s.open(ctx, t)
	out := pod.Paths().Out
	a, err := driver.Ask(lines.Request{Op: lines.OpList, Path: out})
	require.NoError(t, err)
	assert.Empty(t, a.Names, "it is empty at first")

	res := s.run(ctx, t, pod, "out.mjs", filepath.Join(out, "result.json"), `{"ok":true}`)
	require.Equal(t, exited(0), res.Exit, res.Stderr.Text)
	a, err = driver.Ask(lines.Request{Op: lines.OpRead, Path: filepath.Join(out, "result.json")})
	require.NoError(t, err)
	assert.Equal(t, `{"ok":true}`, a.Text)

	_, err = driver.Ask(lines.Request{Op: lines.OpClear, Path: out})
	require.NoError(t, err)
	a, err = driver.Ask(lines.Request{Op: lines.OpList, Path: out})
	require.NoError(t, err)
	assert.Empty(t, a.Names)
}

func testKill(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, driver := s.open(ctx, t)
	c := s.start(ctx, t, pod, "hang.mjs", filepath.Join(pod.Paths().Out, "ready"))
	awaitFile(t, driver, pod, "ready")

	waited := make(chan runner.CandidateResult, 1)
	go func() {
		res, err := c.Wait(ctx)
		assert.NoError(t, err)
		waited <- res
	}()
	require.NoError(t, c.Close(ctx))
	select {
	case res := <-waited:
		assert.Equal(t, evidence.Signaled, res.Exit.Status)
		assert.Equal(t, "SIGKILL", res.Exit.Signal)
	case <-ctx.Done():
		t.Fatal("waiting did not end with the candidate")
	}
}

func testRestart(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, driver := s.open(ctx, t)
	out := pod.Paths().Out
	first := s.start(ctx, t, pod, "hang.mjs", filepath.Join(out, "first"))
	awaitFile(t, driver, pod, "first")
	require.NoError(t, first.Close(ctx))

	second := s.start(ctx, t, pod, "out.mjs", filepath.Join(out, "second"), "x")
	assert.NotEqual(t, first.ID(), second.ID())
	assert.Equal(t, exited(0), result(ctx, t, second).Exit)
	a, err := driver.Ask(lines.Request{Op: lines.OpList, Path: out})
	require.NoError(t, err)
	assert.Equal(t, []string{"first", "second"}, a.Names, "what the first has written is still there")
}

func testOrphan(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, driver := s.open(ctx, t)
	// The name is in the command line of the orphan and of nothing else.
	marker := "orphan-" + rand.Text()
	exit := s.run(ctx, t, pod, "orphan.mjs", marker, filepath.Join(pod.Paths().Out, "ready")).Exit
	require.Equal(t, evidence.Exited, exit.Status)
	require.Zero(t, exit.Code)

	_, err := driver.Ask(lines.Request{Op: lines.OpCount, Text: marker}) // may be ended by then: engines differ
	require.NoError(t, err)
	require.NoError(t, pod.Close(ctx))
	pids, err := lines.Find(marker)
	require.NoError(t, err)
	assert.Empty(t, pids, "closing the pod ends everything in it")
}

func testCancelWait(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, _ := s.open(ctx, t)
	c := s.start(ctx, t, pod, "hang.mjs")
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err := c.Wait(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, c.Close(ctx))
	assert.Equal(t, evidence.Signaled, result(ctx, t, c).Exit.Status)
}

func testOOM(t *testing.T, s *suite) {
	ctx := deadline(t)
	pod, _ := s.open(ctx, t)
	spec := s.spec("allocate.mjs")
	spec.Limits.MemoryBytes = 96 << 20
	c, err := pod.StartCandidate(ctx, spec)
	require.NoError(t, err)
	exit := result(ctx, t, c).Exit
	assert.Equal(t, evidence.OOMKilled, exit.Status)
	assert.Equal(t, 137, exit.Code)
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers always can be written
	}
	return string(text)
}
