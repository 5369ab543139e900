package docker

import (
	"bufio"
	"context"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
)

const (
	helperLogBytes = 64 << 10 // kept of what a helper writes to its standard error
	stopTimeout    = 3        // seconds that a helper has to write the end of its log
	maxHelperLine  = 4 << 10
)

// helperContainer is a container of ours beside a build, which runs our own binary and tells what it sees in lines.
type helperContainer struct {
	e    *Engine
	role string
	id   string
	conn client.HijackedResponse

	done   chan struct{} // closed when nothing more is read from conn
	stderr *runner.BoundedLog
}

// startHelper starts one. line is called with each line that it writes, from one goroutine. What is returned is to be removed, also
// beside an error, unless it is nil.
func (e *Engine) startHelper(
	ctx context.Context, role string, cfg *container.Config, host *container.HostConfig, line func([]byte),
) (*helperContainer, error) {
	cfg.AttachStdout, cfg.AttachStderr = true, true
	id, err := e.create(ctx, role, cfg, host)
	if err != nil {
		return nil, err
	}
	h := &helperContainer{e: e, role: role, id: id, done: make(chan struct{}), stderr: runner.NewBoundedLog(helperLogBytes)}
	res, err := e.cli.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		close(h.done)
		return h, fault(ctx, "attach to "+role, err)
	}
	h.conn = res.HijackedResponse
	go h.read(line)
	if _, err := e.cli.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return h, fault(ctx, "start "+role, err)
	}
	return h, nil
}

// read passes lines on until the stream ends.
func (h *helperContainer) read(line func([]byte)) {
	defer close(h.done)
	r, w := io.Pipe()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, err := stdcopy.StdCopy(w, h.stderr, h.conn.Reader)
		w.CloseWithError(err)
	}()
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxHelperLine), maxHelperLine)
	for lines.Scan() {
		line(lines.Bytes())
	}
	_ = r.Close() // ends the copier when the scan gave up before the end
	<-copied
}

// stop lets the helper end by itself and reads the rest of its log.
func (h *helperContainer) stop(ctx context.Context) error {
	if h == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	seconds := stopTimeout
	if _, err := h.e.cli.ContainerStop(ctx, h.id, client.ContainerStopOptions{Timeout: &seconds}); err != nil {
		return fault(ctx, "stop "+h.role, err)
	}
	select {
	case <-h.done:
		return nil
	case <-ctx.Done():
		return fault(ctx, "read log of "+h.role, ctx.Err())
	}
}

// remove kills and removes the container and waits for the reader of its log.
func (h *helperContainer) remove(ctx context.Context) error {
	if h == nil {
		return nil
	}
	err := h.e.removeContainer(ctx, h.id)
	if h.conn.Conn != nil {
		h.conn.Close()
	}
	<-h.done
	return err
}

// orDefault is args, or the name alone where there are none.
func orDefault(args []string, name string) []string {
	if len(args) == 0 {
		return []string{name}
	}
	return args
}
