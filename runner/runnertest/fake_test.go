package runnertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/runnertest/lines"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serveLines(_ context.Context, stream io.ReadWriter, _ StartFunc) error {
	return lines.Serve(stream, DriverLog(stream))
}

// twin plays the programs of the suite that need no process.
func twin(spec runner.CandidateSpec) Program {
	args := spec.Argv[2:]
	switch spec.Argv[1] {
	case "exit.mjs":
		code, _ := strconv.Atoi(args[0])
		return Exits(code)
	case "print.mjs":
		n, _ := strconv.Atoi(args[0])
		return func(_ context.Context, p *Process) evidence.Exit {
			fmt.Fprintln(p.Stderr, "to stderr")
			fmt.Fprintf(p.Stdout, "first line\n%s\nlast line\n", strings.Repeat("x", n))
			return exited(0)
		}
	case "data.mjs":
		return func(_ context.Context, p *Process) evidence.Exit {
			data, err := os.ReadFile(p.Paths.Data + "/input.txt")
			text, _ := json.Marshal(map[string]any{"read": string(data), "write": fmt.Sprint(err)})
			_, _ = p.Stdout.Write(text)
			return exited(0)
		}
	case "out.mjs":
		return writes(args[0], args[1], Exits(0))
	case "hang.mjs":
		if len(args) > 0 {
			return writes(args[0], "ready", Hangs())
		}
		return Hangs()
	}
	return Exits(127)
}

func writes(file, text string, next Program) Program {
	return func(ctx context.Context, p *Process) evidence.Exit {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			fmt.Fprintln(p.Stderr, err)
			return exited(1)
		}
		return next(ctx, p)
	}
}

func TestFakeConformance(t *testing.T) {
	t.Parallel()
	machine := &Machine{}
	Conformance(t, func(t *testing.T) (runner.Engine, Fixture) {
		t.Helper()
		dir := t.TempDir()
		open := func(_ *testing.T, session string, alive func(string) bool) runner.Engine {
			return &Fake{Session: session, Alive: alive, Machine: machine, Dir: dir, Driver: serveLines, Program: twin}
		}
		main := &Fake{Session: "main", Machine: machine, Dir: dir, Driver: serveLines, Program: twin}
		return main, Fixture{
			Session: "main", Open: open, Service: &workload.Service{Name: "postgres"},
			Left: func(_ *testing.T, session string) []string { return main.Left(session) },
		}
	})
}

func TestFakeScripts(t *testing.T) {
	t.Parallel()
	down := &Fake{}
	down.SetDown(true)
	own := errors.New("scripted")
	for _, tt := range []struct {
		name string
		fake *Fake
		call func(context.Context, *Fake) error
		want error
	}{
		{"engine down: info", down, func(ctx context.Context, f *Fake) error { _, err := f.Info(ctx); return err }, runner.ErrEngineDown},
		{"engine down: sweep", down, func(ctx context.Context, f *Fake) error { _, err := f.Sweep(ctx); return err }, runner.ErrEngineDown},
		{"engine down: pod", down, openPod, runner.ErrEngineDown},
		{"pod fails", &Fake{PodError: own}, openPod, own},
		{"image missing", &Fake{PodError: runner.ErrImageMissing}, openPod, runner.ErrImageMissing},
		{"staging fails", &Fake{StageError: own}, func(ctx context.Context, f *Fake) error {
			_, err := f.Stage(ctx, runner.StageSpec{})
			return err
		}, own},
		{"build fails", &Fake{BuildError: own}, func(ctx context.Context, f *Fake) error {
			_, err := f.Build(ctx, nil, runner.BuildSpec{Steps: [][]string{{"x"}}})
			return err
		}, own},
		{"start fails", &Fake{StartError: own}, startOne, own},
		{"all works", &Fake{}, startOne, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.call(t.Context(), tt.fake)
			require.ErrorIs(t, err, tt.want)
			assert.Empty(t, tt.fake.Left(""))
		})
	}
}

func openPod(ctx context.Context, f *Fake) error {
	p, err := f.OpenPod(ctx, runner.PodSpec{})
	if err != nil {
		return err
	}
	return p.Close(ctx)
}

func startOne(ctx context.Context, f *Fake) error {
	p, err := f.OpenPod(ctx, runner.PodSpec{})
	if err != nil {
		return err
	}
	c, err := p.StartCandidate(ctx, runner.CandidateSpec{})
	if err == nil {
		_, err = c.Wait(ctx)
	}
	return errors.Join(err, p.Close(ctx))
}

func TestFakePrograms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		program Program
		want    runner.CandidateResult
	}{
		{"exit", Exits(3), runner.CandidateResult{Exit: exited(3)}},
		{"oom", OOM(), runner.CandidateResult{Exit: evidence.Exit{
			Status: evidence.OOMKilled, Code: 137, Signal: "SIGKILL", Detail: "The kernel ended it at its memory limit.",
		}}},
		{"not started", NotStarted("no such file"), runner.CandidateResult{Exit: evidence.Exit{
			Status: evidence.NotStarted, Code: 127, Detail: "no such file",
		}}},
		{"truncated log", Prints("ab", 9, Exits(0)), runner.CandidateResult{
			Exit: exited(0), Stdout: evidence.Log{Text: "ab\n[… 5 bytes left out …]\nba", Bytes: 9, Dropped: 5},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &Fake{Program: func(runner.CandidateSpec) Program { return tt.program }}
			p, err := f.OpenPod(t.Context(), runner.PodSpec{})
			require.NoError(t, err)
			c, err := p.StartCandidate(t.Context(), runner.CandidateSpec{Name: "n", Limits: runner.Limits{OutputBytes: 4}})
			require.NoError(t, err)
			assert.Equal(t, tt.want, result(t.Context(), t, c))
			require.NoError(t, p.Close(t.Context()))
			assert.Equal(t, "n", f.Started()[0].Name)
			assert.Len(t, f.Pods(), 1)
			assert.Empty(t, f.Left(""))
		})
	}
}

func TestFakeDriverStream(t *testing.T) {
	t.Parallel()
	talk := func(_ context.Context, stream io.ReadWriter, _ StartFunc) error {
		_, err := io.WriteString(stream, "0123456789")
		return err
	}
	for _, tt := range []struct {
		name string
		fake *Fake
		read string
		err  error
	}{
		{"ends with the driver", &Fake{Driver: talk}, "0123456789", nil},
		{"is cut", &Fake{Driver: talk, DriverCut: 4}, "0123", io.ErrUnexpectedEOF},
		{"is cut at the very end", &Fake{Driver: talk, DriverCut: 10}, "0123456789", io.ErrUnexpectedEOF},
		{"begins with garbage", &Fake{Driver: talk, DriverGarbage: []byte("GET / ")}, "GET / 0123456789", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := tt.fake.OpenPod(t.Context(), runner.PodSpec{})
			require.NoError(t, err)
			got, err := io.ReadAll(p.Driver())
			require.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.read, string(got))
			require.NoError(t, p.Close(t.Context()))
		})
	}
}

func TestFakeDriverSeesStarts(t *testing.T) {
	t.Parallel()
	f := &Fake{
		Program: func(runner.CandidateSpec) Program { return Hangs() },
		Driver: func(ctx context.Context, stream io.ReadWriter, started StartFunc) error {
			c, err := started(ctx)
			if err != nil {
				return err
			}
			c.Kill()
			<-c.Done()
			_, err = io.WriteString(stream, c.Spec.Name)
			return err
		},
	}
	p, err := f.OpenPod(t.Context(), runner.PodSpec{})
	require.NoError(t, err)
	c, err := p.StartCandidate(t.Context(), runner.CandidateSpec{Name: "victim"})
	require.NoError(t, err)
	got, err := io.ReadAll(p.Driver())
	require.NoError(t, err)
	assert.Equal(t, "victim", string(got))
	assert.Equal(t, killed(), result(t.Context(), t, c).Exit)
	require.NoError(t, p.Close(t.Context()))
}

func TestFakeGoesDown(t *testing.T) {
	t.Parallel()
	f := &Fake{Driver: serveLines}
	p, err := f.OpenPod(t.Context(), runner.PodSpec{})
	require.NoError(t, err)
	client := lines.NewClient(p.Driver())
	_, err = client.Ask(lines.Request{Op: lines.OpEcho, Text: "x"})
	require.NoError(t, err)
	f.SetDown(true)
	_, err = client.Ask(lines.Request{Op: lines.OpEcho, Text: "x"})
	require.ErrorIs(t, err, runner.ErrEngineDown)
	require.NoError(t, p.Close(t.Context()))
}
