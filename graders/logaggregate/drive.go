package logaggregate

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path"
	"time"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

const (
	// resultLimit bounds the result file that is read.
	resultLimit = 8 << 20
	// reportEvery is how often progress is told to the host.
	reportEvery = 200 * time.Millisecond
	// fileTimeout is the most that one of several files may take, and shortTimeout what is left to the others after
	// hangsTolerated of them have hung: a program that never ends must not take the time of the whole grading.
	fileTimeout    = 20 * time.Second
	shortTimeout   = 3 * time.Second
	hangsTolerated = 2
	// startShare is what must be left of the time for one more start to make sense.
	startShare = 500 * time.Millisecond
)

// Drive implements workload.Workload: the files one after the other, a process for each. What a submission does to one
// file does not keep it from the next one. When the time of the run is used up, the remaining files are left out.
func (*Grader) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) ([]evidence.Execution, error) {
	var p params
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("read params of %s: %w", Name, err)
	}
	if len(p.Files) == 0 {
		return nil, fmt.Errorf("read params of %s: no files", Name)
	}
	d := driver{pod: pod, params: p, started: time.Now()}
	var done []evidence.Execution
	for _, f := range p.Files {
		limit, ok := d.timeLimit(time.Since(d.started))
		if !ok {
			break
		}
		e, err := d.execute(ctx, f, limit)
		if err != nil {
			return done, fmt.Errorf("drive %s: %w", f.Case, err)
		}
		if e.Exit.Status == evidence.TimedOut || e.Exit.Status == evidence.Thrashing {
			d.hangs++
		}
		d.files++
		done = append(done, e)
	}
	return done, nil
}

// driver is the state of one Drive.
type driver struct {
	pod     workload.Pod
	params  params
	started time.Time
	files   int // done
	hangs   int
}

// timeLimit is how long the next execution may take after some time of the run, 0 for no limit; false means that the time is
// used up.
func (d *driver) timeLimit(elapsed time.Duration) (time.Duration, bool) {
	if d.params.TimeoutNs <= 0 {
		return 0, true
	}
	limit := d.params.TimeoutNs - elapsed
	if len(d.params.Files) > 1 {
		limit = min(limit, fileTimeout)
		if d.hangs >= hangsTolerated {
			limit = min(limit, shortTimeout)
		}
	}
	return limit, limit > startShare
}

// execute gives one file to the submission.
func (d *driver) execute(ctx context.Context, f input, limit time.Duration) (evidence.Execution, error) {
	if err := d.pod.ClearOutput(); err != nil {
		return evidence.Execution{}, fmt.Errorf("clear output: %w", err)
	}
	port, err := loopback.FreePort()
	if err != nil {
		return evidence.Execution{}, err
	}
	out := outputName()
	proc, err := d.pod.Start(ctx, workload.Command{
		Name:       f.Case,
		Args:       []string{"--input", path.Join(d.pod.Paths().Data, f.File), "--out", path.Join(d.pod.Paths().Out, out)},
		Env:        map[string]string{"STATUS_PORT": port},
		Timeout:    limit,
		InputBytes: f.Bytes,
	})
	if err != nil {
		return evidence.Execution{}, fmt.Errorf("start submission: %w", err)
	}
	beats, progress, err := d.startHeartbeat(ctx, proc, port)
	if err != nil {
		return evidence.Execution{}, errors.Join(err, workload.Abandon(ctx, proc))
	}
	d.follow(ctx, proc, f)
	var hb evidence.Heartbeat
	var curve evidence.Series
	if beats != nil {
		hb, curve = beats.Stop() // as close to the end of the process as can be
	}
	if ctx.Err() != nil {
		return evidence.Execution{}, errors.Join(context.Cause(ctx), workload.Abandon(ctx, proc))
	}
	e, err := proc.Wait(ctx)
	if err != nil {
		return evidence.Execution{}, fmt.Errorf("wait for submission: %w", err)
	}
	if beats != nil {
		e.Heartbeat = &hb
		e.Series = append(e.Series, curve)
		if e.Facts, err = json.Marshal(facts{Progress: progress.seen()}); err != nil {
			return evidence.Execution{}, fmt.Errorf("write facts: %w", err)
		}
	}
	file := d.pod.ReadOutput(out, resultLimit)
	e.Output = &file
	return e, nil
}

// startHeartbeat begins to ask for progress, where the params want it.
func (d *driver) startHeartbeat(ctx context.Context, proc workload.Process, port string) (*heartbeat.Monitor, *progressLog, error) {
	if d.params.Hz == 0 {
		return nil, nil, nil
	}
	log := &progressLog{}
	m, err := heartbeat.Start(ctx, heartbeat.Options{
		Addr: net.JoinHostPort("127.0.0.1", port), Path: "/progress", Hz: d.params.Hz, Start: proc.Started(), Check: log.check, Stolen: proc.Stolen, Began: proc.Began,
	})
	return m, log, err
}

// follow tells the host how far the submission is, until it or ctx has ended.
func (d *driver) follow(ctx context.Context, proc workload.Process, f input) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		// A program may read a file twice or read other things; the bar must not run over.
		done := min(proc.ReadBytes(), f.Disk)
		p := workload.Progress{Phase: f.Case, Done: done, Total: f.Disk, Unit: "bytes"}
		if n := len(d.params.Files); n > 1 { // of very different sizes: their number says more than their bytes
			p.Done, p.Total, p.Unit = int64(d.files), int64(n), "files"
		}
		d.pod.Report(p)
		select {
		case <-tick.C:
		case <-proc.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// outputName is a name for the result that cannot be guessed.
func outputName() string {
	var b [6]byte
	_, _ = crand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:]) + ".json"
}
