//go:build integration

package debugservice

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// modules installs the packages of the service once, and returns their folder.
var modules = sync.OnceValues(func() (string, error) {
	lock, err := os.ReadFile(filepath.Join(challenge, "solutions/reference/package-lock.json"))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "assay-test", "debugservice-"+hex.EncodeToString(sum[:8]))
	installed := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(dir, "done")); err == nil {
		return installed, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		data, err := os.ReadFile(filepath.Join(challenge, "solutions/reference", name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return "", err
		}
	}
	install := exec.CommandContext(context.Background(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return installed, os.WriteFile(filepath.Join(dir, "done"), nil, 0o600)
})

// write puts a program into a folder of the test, with its packages.
func write(t *testing.T, files map[string][]byte) string {
	t.Helper()
	installed, err := modules()
	require.NoError(t, err)
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o600))
	}
	require.NoError(t, os.Symlink(installed, filepath.Join(dir, "node_modules")))
	return dir
}

// hostPod runs a program with the host's Node.
type hostPod struct {
	t   *testing.T
	app string
	out string
}

func (p *hostPod) Start(ctx context.Context, c workload.Command) (workload.Process, error) {
	argv := []string{"node", "src/main.js"}
	if _, err := exec.LookPath("taskset"); err == nil {
		argv = append([]string{"taskset", "-c", "1"}, argv...) // one core, as in a grading
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = p.app
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	for name, value := range c.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	said := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	f := &hostProcess{cmd: cmd, began: time.Now(), done: make(chan struct{}), name: c.Name}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		if said.Len() > 0 {
			p.t.Logf("the service said: %s", said.Bytes()[:min(said.Len(), 2000)])
		}
		close(f.done)
	}()
	return f, nil
}

func (*hostPod) ReadOutput(string, int64) evidence.File { return evidence.File{} }
func (*hostPod) ClearOutput() error                     { return nil }
func (p *hostPod) Paths() workload.Paths                { return workload.Paths{Out: p.out, App: p.app} }
func (*hostPod) Report(workload.Progress)               {}

type hostProcess struct {
	cmd   *exec.Cmd
	began time.Time
	done  chan struct{}
	name  string
}

func (f *hostProcess) Started() time.Time     { return f.began }
func (f *hostProcess) Done() <-chan struct{}  { return f.done }
func (f *hostProcess) ReadBytes() int64       { return 0 }
func (*hostProcess) Stolen() []workload.Pause { return nil }

func (*hostProcess) Began(_, _, _ time.Time) (time.Time, bool) { return time.Time{}, false }

func (f *hostProcess) Kill() error {
	_ = f.cmd.Process.Kill() // it may have gone
	<-f.done
	return nil
}

func (f *hostProcess) Wait(ctx context.Context) (evidence.Execution, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return evidence.Execution{}, errors.New("still running")
	}
	state := f.cmd.ProcessState
	e := evidence.Execution{Name: f.name, Exit: evidence.Exit{Status: evidence.Exited, Code: state.ExitCode()}, DurationNs: int64(time.Since(f.began))}
	e.Usage = evidence.Usage{CPUNs: int64(state.UserTime() + state.SystemTime()), MaxThreads: 12, MaxProcesses: 1}
	return e, nil
}

// driven runs a program through a scenario and returns what was seen.
func driven(t *testing.T, files map[string][]byte, p params) (evidence.Execution, facts) {
	t.Helper()
	pod := &hostPod{t: t, app: write(t, files), out: t.TempDir()}
	p.TimeoutNs = 3 * time.Minute
	p.Seed = []byte("0123456789abcdef0123456789abcdef")
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	list, err := New().Drive(t.Context(), pod, raw)
	require.NoError(t, err)
	require.Len(t, list, 1)
	var f facts
	require.NoError(t, json.Unmarshal(list[0].Facts, &f))
	require.GreaterOrEqual(t, f.ReadyNs, int64(0), "it did not start")
	require.False(t, f.Ended)
	return list[0], f
}
