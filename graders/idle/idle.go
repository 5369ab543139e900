// Package idle measures what the harness itself adds to a heartbeat: a Node server that does nothing, in a pod like every other,
// asked as every submission is.
package idle

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

//go:embed idle.mjs
var program []byte

// Name is what the driver knows this workload by.
const Name = "idle"

// FileName is what Program is to be called in its folder.
const FileName = "idle.mjs"

// Program is the server, to be staged as a submission whose start command is node FileName.
func Program() []byte { return program }

const (
	// beatsFor is how long the server is asked: 150 beats, of which the 99th percentile leaves one out.
	beatsFor = 1500 * time.Millisecond
	hz       = 100
	// readyWithin bounds the start of the server. A machine that needs longer measures nothing.
	readyWithin = 20 * time.Second
	endWithin   = 10 * time.Second
)

// errNotReady means that the server did not start. It is a fault of ours or of the machine.
var errNotReady = errors.New("idle server did not answer")

// Workload implements workload.Workload. It takes no parameters.
type Workload struct{}

// New returns the workload.
func New() Workload { return Workload{} }

// Name implements workload.Workload.
func (Workload) Name() string { return Name }

// Drive implements workload.Workload: one execution, whose heartbeat is the result.
func (Workload) Drive(ctx context.Context, pod workload.Pod, _ json.RawMessage) (_ []evidence.Execution, err error) {
	port, err := loopback.FreePort()
	if err != nil {
		return nil, err
	}
	proc, err := pod.Start(ctx, workload.Command{Name: Name, Env: map[string]string{"PORT": port}})
	if err != nil {
		return nil, fmt.Errorf("start idle server: %w", err)
	}
	hb, curve, err := beat(ctx, proc, net.JoinHostPort("127.0.0.1", port))
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	kerr := proc.Kill()
	e, werr := proc.Wait(within)
	if err := errors.Join(err, kerr, werr); err != nil {
		return nil, fmt.Errorf("ask idle server: %w", err)
	}
	e.Heartbeat = &hb
	e.Series = append(e.Series, curve)
	return []evidence.Execution{e}, nil
}

// beat waits until the server answers, lets it settle, and asks it.
func beat(ctx context.Context, proc workload.Process, addr string) (hb evidence.Heartbeat, curve evidence.Series, err error) {
	m, err := heartbeat.Start(ctx, heartbeat.Options{Addr: addr, Path: "/", Hz: hz, Start: proc.Started(), Stolen: proc.Stolen})
	if err != nil {
		return hb, curve, fmt.Errorf("start heartbeat: %w", err)
	}
	defer m.Stop()
	from, ok := m.Answered(ctx, readyWithin)
	if !ok {
		return hb, curve, errNotReady
	}
	from = from.Add(settle)
	select {
	case <-time.After(time.Until(from.Add(beatsFor))):
	case <-proc.Done():
		return hb, curve, errNotReady
	case <-ctx.Done():
		return hb, curve, context.Cause(ctx)
	}
	_, curve = m.Stop()
	return m.Window(from, from.Add(beatsFor)), curve, nil
}

// settle is left to the server after its first answer: compiling its request handling is not idling.
const settle = 300 * time.Millisecond
