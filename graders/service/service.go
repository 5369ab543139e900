// Package service runs a submission that serves HTTP: it starts it on a port of its own, waits until it is ready, and ends it within the
// time that a run has.
package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

const (
	// ReadyWithin is the contract's time from the start of the process to the first 200 of GET /healthz.
	ReadyWithin = 10 * time.Second
	// readyEvery is how often it is tried.
	readyEvery = 10 * time.Millisecond
	// reserve is what is left of the time of a run for its end.
	reserve = 3 * time.Second
	// unlimited is the time of a run that has no limit.
	unlimited = time.Hour
)

// Options say how to start a submission.
type Options struct {
	// Name is that of the execution; "service" unless set. A second start in the same run needs another name.
	Name string
	// Port is where it must listen; a free one unless set. A restarted service gets its old one.
	Port string
	// Env is added to PORT.
	Env map[string]string
	// Timeout is the time limit of the run, from Start on; 0 for none.
	Timeout time.Duration
}

// Service is a submission that was started. End or Abandon it.
type Service struct {
	// Addr is host:port, Port the second part of it.
	Addr, Port string
	Process    workload.Process
	// Epoch is when it answered GET /healthz for the first time; zero until Ready has returned true.
	Epoch time.Time
	// ReadyNs is from the start of the process to Epoch; -1 when it was not ready in time.
	ReadyNs int64

	within context.Context //nolint:containedctx // the service's: it ends when the process or its time does
	cancel context.CancelFunc
}

// Start starts the submission. An error is a fault of ours.
func Start(ctx context.Context, pod workload.Pod, o Options) (*Service, error) {
	if o.Name == "" {
		o.Name = "service"
	}
	if o.Port == "" {
		port, err := loopback.FreePort()
		if err != nil {
			return nil, err
		}
		o.Port = port
	}
	env := map[string]string{"PORT": o.Port}
	maps.Copy(env, o.Env)
	proc, err := pod.Start(ctx, workload.Command{Name: o.Name, Env: env})
	if err != nil {
		return nil, fmt.Errorf("start submission: %w", err)
	}
	limit := unlimited
	if o.Timeout > 0 {
		limit = o.Timeout - reserve
	}
	s := &Service{Addr: net.JoinHostPort("127.0.0.1", o.Port), Port: o.Port, Process: proc, ReadyNs: -1}
	s.within, s.cancel = context.WithTimeout(ctx, limit)
	go func() {
		defer s.cancel() // nothing waits for answers of a process that has ended
		select {
		case <-proc.Done():
		case <-s.within.Done():
		}
	}()
	return s, nil
}

// Within ends when the process has ended or the time of the run is used up: requests to the service are made with it.
func (s *Service) Within() context.Context { return s.within }

// Ready waits for the first good answer of GET /healthz, for at most ReadyWithin.
func (s *Service) Ready() bool {
	ctx, cancel := context.WithTimeout(s.within, ReadyWithin)
	defer cancel()
	knock := exchange.Request(s.Addr, http.MethodGet, "/healthz", nil, false)
	for ctx.Err() == nil {
		if a := exchange.Send(ctx, s.Addr, s.Process.Started(), knock); a.Status == http.StatusOK {
			s.Epoch = time.Now()
			s.ReadyNs = int64(s.Epoch.Sub(s.Process.Started()))
			return true
		}
		loopback.Pause(ctx, readyEvery)
	}
	return false
}

// Ended says that the process is gone.
func (s *Service) Ended() bool {
	select {
	case <-s.Process.Done():
		return true
	default:
		return false
	}
}

// endTold is how long the end of a process that nobody listens for any more may take to be told.
const endTold = 500 * time.Millisecond

// Gone says that the process has ended, also when that is just being told: the sockets of a process close before its end is known here. It
// knocks, and waits up to half a second for the end of a process that does not listen.
func (s *Service) Gone() bool {
	if s.Ended() {
		return true
	}
	within, cancel := context.WithTimeout(s.within, endTold)
	defer cancel()
	var d net.Dialer
	if nc, err := d.DialContext(within, "tcp", s.Addr); err == nil {
		_ = nc.Close()
		return s.Ended()
	}
	select {
	case <-s.Process.Done():
		return true
	case <-within.Done():
		return s.Ended()
	}
}

// End kills the submission, waits until it is gone, and returns what was sampled, with facts as those of the execution unless they are nil. When
// ctx, the run's, has ended, its cause is the error. After an error there is still Abandon to be called.
func (s *Service) End(ctx context.Context, facts any) (e evidence.Execution, err error) {
	if ctx.Err() != nil {
		return e, context.Cause(ctx)
	}
	if err = s.Process.Kill(); err != nil {
		return e, fmt.Errorf("end submission: %w", err)
	}
	if e, err = s.Process.Wait(ctx); err != nil {
		return e, fmt.Errorf("wait for submission: %w", err)
	}
	s.cancel()
	if facts != nil {
		if e.Facts, err = json.Marshal(facts); err != nil {
			return e, fmt.Errorf("write facts: %w", err)
		}
	}
	return e, nil
}

// Abandon ends the submission when the run has been given up.
func (s *Service) Abandon(ctx context.Context) error {
	s.cancel()
	return workload.Abandon(ctx, s.Process)
}
