package probe

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/diagnosis"
	"github.com/assay-run/assay/internal/evidence"
)

//go:embed diagnose.mjs
var diagnoseSource string

// DiagnoseFileName is what the diagnostic preload is called where it is staged, beside the probe.
const DiagnoseFileName = "diagnose.mjs"

// DiagnosePortVariable is the environment variable that tells the diagnostic preload where to connect to.
const DiagnosePortVariable = "ASSAY_DIAGNOSE_PORT"

// DiagnoseSource is the diagnostic preload.
func DiagnoseSource() []byte { return []byte(diagnoseSource) }

// Recorder receives what the diagnostic preload of one execution sends, over one connection. Close it.
type Recorder struct {
	listener net.Listener
	began    time.Time
	done     chan struct{}

	mu        sync.Mutex
	conn      net.Conn
	closed    bool
	recording diagnosis.Recording
}

// Record opens a loopback port and begins to receive.
func Record() (*Recorder, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for diagnosis: %w", err)
	}
	r := &Recorder{listener: l, began: time.Now(), done: make(chan struct{})}
	go r.receive()
	return r, nil
}

// Port is where to connect to.
func (r *Recorder) Port() int {
	return r.listener.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of a TCP socket
}

// receive serves the first connection alone: the preload connects before the submission's first line.
func (r *Recorder) receive() {
	defer close(r.done)
	conn, err := r.listener.Accept()
	_ = r.listener.Close()
	if err != nil || !r.hold(conn) {
		return
	}
	defer conn.Close()
	for total := 0; total < diagnosis.MaxTotalBytes; {
		b, err := readMessage(conn)
		if err != nil {
			return // the end, or nothing that can be read on
		}
		total += max(len(b), leastBytes)
		arrived := time.Since(r.began)
		r.mu.Lock()
		_ = r.recording.Add(b, arrived) // counts what it refuses
		r.mu.Unlock()
	}
}

// hold keeps a connection for Close; false when it came too late.
func (r *Recorder) hold(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = conn.Close()
		return false
	}
	r.conn = conn
	return true
}

// leastBytes is what a message counts at least: an empty one takes the driver's time too.
const leastBytes = 64

var errMessageSize = errors.New("message of the diagnosis is too large")

// readMessage reads four bytes of length and as many bytes. Memory is taken as it fills.
func readMessage(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	if size > diagnosis.MaxFrameBytes {
		return nil, errMessageSize
	}
	b, err := io.ReadAll(io.LimitReader(r, size))
	if err == nil && int64(len(b)) < size {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// Close stops receiving. What has arrived but was not read yet is lost, so it comes after the process has ended and its
// connection with it; see Diagnose. It is idempotent.
func (r *Recorder) Close() {
	r.mu.Lock()
	r.closed = true
	conn := r.conn
	r.mu.Unlock()
	_ = r.listener.Close()
	if conn != nil {
		_ = conn.Close()
	}
	<-r.done
}

// settleWithin is how long the rest of what an ended process has sent may take to be read.
const settleWithin = 2 * time.Second

// endQueue puts a connection that says nothing behind those that wait to be accepted. A process may have connected, sent all
// and ended before the recorder had its turn: receive takes the first in the queue, and ours only when there is no other.
func (r *Recorder) endQueue() {
	ctx, cancel := context.WithTimeout(context.Background(), settleWithin)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp4", r.listener.Addr().String())
	if err != nil {
		return // the first has been accepted: nothing listens any more
	}
	_ = conn.Close()
}

// Diagnose explains the execution, which began at started and has ended.
func (r *Recorder) Diagnose(x *evidence.Execution, started time.Time) *evidence.Diagnosis {
	r.endQueue()
	select {
	case <-r.done:
	case <-time.After(settleWithin): // a child of it may hold the connection open
	}
	r.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	return diagnosis.Diagnose(&r.recording, x, started.Sub(r.began))
}
