//go:build integration

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/schemas"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "assay-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "assay")
		build := exec.Command("go", "build", "-o", binary, "../cmd/assay")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build assay: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// place is where a test's processes keep their things: nothing is shared with other tests but the engine and its images.
type place struct {
	t      *testing.T
	state  string
	cache  string
	env    []string
	tmp    string // for temporary files, where the test has a folder of its own for them
	binary string // assay itself, where it is another than for other tests
	host   string // of an engine of the test's own; empty for that of the machine
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, state: t.TempDir(), cache: t.TempDir()}
	p.env = append(os.Environ(), "ASSAY_STATE="+p.state, "ASSAY_CACHE="+p.cache, "NO_COLOR=1")
	return p
}

// command is assay with these arguments; it is killed when the test ends or 10 minutes have passed.
func (p *place) command(args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Minute)
	p.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, cmp.Or(p.binary, binary), args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &out, &errs
	return cmd, &out, &errs
}

// graded runs a grading, and again when it was invalid: then the machine was busy, which says nothing about assay. Three
// invalid ones in a row are a result.
func (p *place) graded(args ...string) (code int, stdout, stderr *bytes.Buffer) {
	p.t.Helper()
	for range 3 {
		var cmd *exec.Cmd
		cmd, stdout, stderr = p.command(args...)
		if code = exitCode(p.t, cmd.Run()); code != 4 {
			break
		}
		p.t.Logf("invalid, once more: %s", stderr)
	}
	return code, stdout, stderr
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	return exit.ExitCode()
}

// left lists what carries the id of this place's state directory on the engine.
func (p *place) left() []string {
	p.t.Helper()
	id, err := os.ReadFile(filepath.Join(p.state, "id"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(p.t, err)
	return labelled(p.t, strings.TrimSpace(string(id)), p.options()...)
}

// options choose the engine of this place.
func (p *place) options() []client.Opt {
	opts := []client.Opt{client.FromEnv}
	if p.host != "" {
		opts = append(opts, client.WithHost(p.host))
	}
	return opts
}

// labelled lists what carries the id of a state directory on the engine.
func labelled(t *testing.T, state string, opts ...client.Opt) []string {
	t.Helper()
	cli, err := client.New(append([]client.Opt{client.FromEnv}, opts...)...)
	require.NoError(t, err)
	defer cli.Close()
	mine := make(client.Filters).Add("label", "assay.state="+state)
	var names []string
	containers, err := cli.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: mine})
	require.NoError(t, err)
	for _, c := range containers.Items {
		names = append(names, "container "+c.ID)
	}
	volumes, err := cli.VolumeList(t.Context(), client.VolumeListOptions{Filters: mine})
	require.NoError(t, err)
	for _, v := range volumes.Items {
		names = append(names, "volume "+v.Name)
	}
	networks, err := cli.NetworkList(t.Context(), client.NetworkListOptions{Filters: mine})
	require.NoError(t, err)
	for _, n := range networks.Items {
		names = append(names, "network "+n.ID)
	}
	return names
}

const reference = "../challenges/log-aggregate/solutions/reference"

// waitForPod returns when a submission of this place runs.
func (p *place) waitForPod() {
	p.t.Helper()
	cli, err := client.New(client.FromEnv)
	require.NoError(p.t, err)
	defer cli.Close()
	require.Eventually(p.t, func() bool {
		id, err := os.ReadFile(filepath.Join(p.state, "id"))
		if err != nil {
			return false
		}
		running, err := cli.ContainerList(p.t.Context(), client.ContainerListOptions{
			Filters: make(client.Filters).Add("label", "assay.state="+strings.TrimSpace(string(id)), "assay.role=candidate"),
		})
		return err == nil && len(running.Items) > 0
	}, 5*time.Minute, 20*time.Millisecond, "no submission was started")
}

func TestReferencePassesAndRecomputes(t *testing.T) {
	p := newPlace(t)
	out := filepath.Join(t.TempDir(), "result")
	code, stdout, stderr := p.graded("run", reference, "--mode", "quick", "--out", out, "--json")
	require.Equal(t, 0, code, "%s", stderr)

	stored, err := os.ReadFile(filepath.Join(out, "report.json"))
	require.NoError(t, err)
	assert.JSONEq(t, string(stored), stdout.String())
	require.NoError(t, schemas.Validate(schemas.Report, stored))
	var rep struct {
		Verdict     string
		Score       float64
		Codes       []any
		Environment struct{ CgroupVersion int }
	}
	require.NoError(t, json.Unmarshal(stored, &rep))
	assert.Equal(t, "pass", rep.Verdict)
	assert.GreaterOrEqual(t, rep.Score, 90.0)
	assert.Empty(t, rep.Codes)
	page, err := os.ReadFile(filepath.Join(out, "report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "Content-Security-Policy")
	assert.Empty(t, p.left(), "left behind after a run")

	again, _, stderr := p.command("report", filepath.Join(out, "report.json"))
	require.Equal(t, 0, exitCode(t, again.Run()), "%s", stderr)
	assert.Contains(t, stderr.String(), "the same, byte for byte")

	forged := bytes.Replace(stored, []byte(`"verdict": "pass"`), []byte(`"verdict": "fail"`), 1)
	require.NotEqual(t, stored, forged)
	require.NoError(t, os.WriteFile(filepath.Join(out, "report.json"), forged, 0o644))
	again, _, stderr = p.command("report", out)
	require.Equal(t, 1, exitCode(t, again.Run()))
	assert.Contains(t, stderr.String(), "DIFFERS")
}

func TestKilledRunLeavesNothingForTheNext(t *testing.T) {
	p := newPlace(t)
	cmd, _, _ := p.command("run", reference, "--out", filepath.Join(t.TempDir(), "x"))
	require.NoError(t, cmd.Start())
	p.waitForPod()
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	// Any command that opens the engine sweeps first; an archive that is then refused is the quickest of them.
	next, _, stderr := p.command("clean")
	require.Equal(t, 0, exitCode(t, next.Run()), "%s", stderr)
	assert.Empty(t, p.left(), "left behind by the killed run")
}

func TestInterruptedRunRemovesEverything(t *testing.T) {
	p := newPlace(t)
	cmd, _, stderr := p.command("run", reference, "--out", filepath.Join(t.TempDir(), "x"))
	require.NoError(t, cmd.Start())
	p.waitForPod()
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	assert.Equal(t, 130, exitCode(t, cmd.Wait()), "%s", stderr)
	assert.Empty(t, p.left(), "left behind by the interrupted run")
}

// TestEngineThatGoesAway puts a relay between assay and the engine, and cuts it in mid-run.
func TestEngineThatGoesAway(t *testing.T) {
	p := newPlace(t)
	socket := filepath.Join(t.TempDir(), "engine.sock")
	cut := relay(t, socket, engineSocket(t))
	out := filepath.Join(t.TempDir(), "x")
	cmd, _, stderr := p.command("--docker-host", "unix://"+socket, "run", reference, "--out", out)
	require.NoError(t, cmd.Start())
	p.waitForPod()
	cut()
	assert.Equal(t, 3, exitCode(t, cmd.Wait()), "%s", stderr)
	assert.Contains(t, stderr.String(), "Nothing was charged")
	assert.NoDirExists(t, out)

	next, _, stderr := p.command("clean")
	require.Equal(t, 0, exitCode(t, next.Run()), "%s", stderr)
	assert.Empty(t, p.left(), "left behind when the engine went away")
}

func TestPracticeWithoutDocker(t *testing.T) {
	p := newPlace(t)
	// Submissions run as another user here, who must be able to reach data and files.
	for _, dir := range []string{p.cache, p.state} {
		for d := dir; strings.HasPrefix(d, os.TempDir()) && d != os.TempDir(); d = filepath.Dir(d) {
			require.NoError(t, os.Chmod(d, 0o755))
		}
	}
	p.env = append(p.env, "DOCKER_HOST=unix:///nowhere/docker.sock")
	out := filepath.Join(t.TempDir(), "result")
	code, _, stderr := p.graded("run", reference, "--engine", "process", "--out", out)
	require.Equal(t, 0, code, "%s", stderr)
	stored, err := os.ReadFile(filepath.Join(out, "report.json"))
	require.NoError(t, err)
	assert.Contains(t, string(stored), "Not sandboxed")
	assert.Contains(t, string(stored), `"sandboxed": false`)
}

// engineSocket is the path of the local engine's socket.
func engineSocket(t *testing.T) string {
	t.Helper()
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = client.DefaultDockerHost
	}
	path, ok := strings.CutPrefix(host, "unix://")
	require.True(t, ok, "this test needs a local engine, not %s", host)
	return path
}

// relay forwards connections from one socket to another until the returned function is called, which cuts all of them.
func relay(t *testing.T, from, to string) (cut func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", from)
	require.NoError(t, err)
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(ctx, conn, to)
		}
	}()
	return cancel
}

func forward(ctx context.Context, conn net.Conn, to string) {
	other, err := (&net.Dialer{}).DialContext(ctx, "unix", to)
	if err != nil {
		_ = conn.Close()
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close(); _ = other.Close() })
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		pipe(conn, other)
	}()
	pipe(other, conn)
	<-done
	_ = conn.Close()
	_ = other.Close()
}

// pipe copies until the end of src and passes the end on, since the engine's streams are half-closed one by one.
func pipe(dst, src net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if _, werr := dst.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			if c, ok := dst.(*net.UnixConn); ok {
				_ = c.CloseWrite()
			}
			return
		}
	}
}
