package docker

import (
	"context"
	"fmt"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
)

// driverLogBytes is how much is kept of what the driver writes to its standard error.
const driverLogBytes = 64 << 10

// driverLink is the connection to the standard streams of a driver.
type driverLink struct {
	conn   client.HijackedResponse
	stdout *io.PipeReader
	log    *runner.BoundedLog
	done   chan struct{} // closed when nothing more is read from conn
}

// linkDriver attaches to a container that has not been started yet, so that nothing is missed.
func (e *Engine) linkDriver(ctx context.Context, id string) (*driverLink, error) {
	res, err := e.cli.ContainerAttach(ctx, id, client.ContainerAttachOptions{
		Stream: true, Stdin: true, Stdout: true, Stderr: true,
	})
	if err != nil {
		return nil, fault(ctx, "attach to driver", err)
	}
	r, w := io.Pipe()
	l := &driverLink{
		conn:   res.HijackedResponse,
		stdout: r,
		log:    runner.NewBoundedLog(driverLogBytes),
		done:   make(chan struct{}),
	}
	go func() {
		defer close(l.done)
		_, err := stdcopy.StdCopy(w, l.log, l.conn.Reader)
		w.CloseWithError(err) // io.EOF when err is nil
	}()
	return l, nil
}

// Read reads from the driver's standard output.
func (l *driverLink) Read(p []byte) (int, error) { return l.stdout.Read(p) }

// Write writes to the driver's standard input.
func (l *driverLink) Write(p []byte) (int, error) {
	n, err := l.conn.Conn.Write(p)
	if err != nil {
		return n, fmt.Errorf("write to driver: %w", err)
	}
	return n, nil
}

// close ends the connection and waits for its reader.
func (l *driverLink) close() {
	if l == nil {
		return
	}
	l.conn.Close()
	_ = l.stdout.Close() // unblocks the copier when nobody reads any more
	<-l.done
}
