package logaggregate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// hostPod runs submissions as plain processes of this machine: enough of a pod to drive real programs in tests.
type hostPod struct {
	t     *testing.T
	argv  []string // start command
	env   []string
	paths workload.Paths

	mu       sync.Mutex
	reported []workload.Progress
	started  []workload.Command
	startErr error
}

func newHostPod(t *testing.T, dataDir string, argv ...string) *hostPod {
	t.Helper()
	return &hostPod{t: t, argv: argv, paths: workload.Paths{Data: dataDir, Out: t.TempDir()}}
}

func (p *hostPod) Paths() workload.Paths { return p.paths }

func (p *hostPod) Report(w workload.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reported = append(p.reported, w)
}

func (p *hostPod) ClearOutput() error {
	list, err := os.ReadDir(p.paths.Out)
	for _, f := range list {
		err = errors.Join(err, os.RemoveAll(filepath.Join(p.paths.Out, f.Name())))
	}
	return err
}

func (p *hostPod) ReadOutput(name string, limit int64) evidence.File {
	path := filepath.Join(p.paths.Out, name)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return evidence.File{Name: name, State: evidence.FileMissing}
	case err != nil:
		return evidence.File{Name: name, State: evidence.FileUnreadable, Detail: err.Error()}
	case info.Size() > limit:
		return evidence.File{Name: name, State: evidence.FileTooLarge, Bytes: info.Size()}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return evidence.File{Name: name, State: evidence.FileUnreadable, Detail: err.Error()}
	}
	return evidence.File{Name: name, State: evidence.FileOK, Bytes: info.Size(), Content: string(text)}
}

func (p *hostPod) Start(_ context.Context, c workload.Command) (workload.Process, error) {
	p.mu.Lock()
	p.started = append(p.started, c)
	p.mu.Unlock()
	if p.startErr != nil {
		return nil, p.startErr
	}
	argv := append(append([]string{}, p.argv...), c.Args...)
	h := &hostProcess{c: c, cmd: exec.Command(argv[0], argv[1:]...), begin: time.Now(), done: make(chan struct{})}
	h.cmd.Env = append(os.Environ(), p.env...)
	for k, v := range c.Env {
		h.cmd.Env = append(h.cmd.Env, k+"="+v)
	}
	h.cmd.Stderr = &h.stderr
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	h.wg.Go(h.watch)
	return h, nil
}

// hostProcess is one started program.
type hostProcess struct {
	c      workload.Command
	cmd    *exec.Cmd
	begin  time.Time
	stderr bytes.Buffer
	done   chan struct{}
	wg     sync.WaitGroup
	e      evidence.Execution
}

func (h *hostProcess) Started() time.Time     { return h.begin }
func (h *hostProcess) Done() <-chan struct{}  { return h.done }
func (h *hostProcess) ReadBytes() int64       { return 0 }
func (*hostProcess) Stolen() []workload.Pause { return nil }

func (*hostProcess) Began(_, _, _ time.Time) (time.Time, bool) { return time.Time{}, false }

func (h *hostProcess) Kill() error {
	if err := h.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (h *hostProcess) Wait(ctx context.Context) (evidence.Execution, error) {
	select {
	case <-h.done:
		h.wg.Wait()
		return h.e, nil
	case <-ctx.Done():
		return evidence.Execution{}, context.Cause(ctx)
	}
}

// watch samples memory until the process has ended, and enforces the time limit.
func (h *hostProcess) watch() {
	ended := make(chan error, 1)
	go func() { ended <- h.cmd.Wait() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timedOut := false
	for {
		select {
		case <-tick.C:
			h.e.Usage.MemoryPeakBytes = max(h.e.Usage.MemoryPeakBytes, anonymous(h.cmd.Process.Pid))
			if h.c.Timeout > 0 && time.Since(h.begin) > h.c.Timeout && !timedOut {
				timedOut = true
				_ = h.Kill()
			}
		case <-ended:
			h.finish(timedOut)
			close(h.done)
			return
		}
	}
}

func (h *hostProcess) finish(timedOut bool) {
	h.e.Name, h.e.InputBytes, h.e.DurationNs = h.c.Name, h.c.InputBytes, int64(time.Since(h.begin))
	h.e.Stderr = evidence.Log{Text: h.stderr.String()}
	state := h.cmd.ProcessState
	h.e.Usage.CPUNs = int64(state.UserTime() + state.SystemTime())
	status, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case timedOut:
		h.e.Exit = evidence.Exit{Status: evidence.TimedOut, Code: 137}
	case status.Signaled():
		h.e.Exit = evidence.Exit{Status: evidence.Signaled, Code: 128 + int(status.Signal()), Signal: signalName(status.Signal())}
	default:
		h.e.Exit = evidence.Exit{Status: evidence.Exited, Code: state.ExitCode()}
	}
}

func signalName(s syscall.Signal) string {
	if s == syscall.SIGKILL {
		return "SIGKILL"
	}
	return fmt.Sprintf("signal %d", s)
}

// anonymous is RssAnon + RssShmem of a process, 0 when it cannot be read.
func anonymous(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	total := int64(0)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 1 && (f[0] == "RssAnon:" || f[0] == "RssShmem:") {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			total += n << 10
		}
	}
	return total
}
