// Package killrounds keeps a submission that serves running while it is killed on purpose: SIGKILL, and a new start on the same port.
package killrounds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// maxStarts bounds how often a submission is started in a run; one that keeps ending by itself is left alone then.
const maxStarts = 12

// Moments draws n moments between from and to, at least apart from each other, ascending. There must be room for them.
func Moments(rng *rand.Rand, n int, from, to, apart time.Duration) []time.Duration {
	room := to - from - time.Duration(n-1)*apart
	list := make([]time.Duration, n)
	for i := range list {
		list[i] = time.Duration(rng.Int64N(max(int64(room), 1)))
	}
	slices.Sort(list)
	for i := range list {
		list[i] += from + time.Duration(i)*apart
	}
	return list
}

// Life is one process of the submission.
type Life struct {
	Name    string `json:"name"`    // of the execution
	StartNs int64  `json:"startNs"` // since the epoch of the keeper
	ReadyNs int64  `json:"readyNs"` // from the start of the process to the first 200 of GET /healthz; -1 when it was not ready in time
	Killed  bool   `json:"killed"`  // by us, and not by itself
	EndNs   int64  `json:"endNs"`   // since the epoch
}

// Keeper keeps a submission running. It is used by one goroutine.
type Keeper struct {
	pod   workload.Pod
	o     service.Options
	epoch time.Time
	begun time.Time

	now   *service.Service
	lives []Life
	done  []evidence.Execution
}

// Start starts the submission for the first time. Times of lives count from epoch.
func Start(ctx context.Context, pod workload.Pod, o service.Options, epoch time.Time) (*Keeper, error) {
	if o.Name == "" {
		o.Name = "service"
	}
	k := &Keeper{pod: pod, o: o, epoch: epoch, begun: time.Now()}
	return k, k.start(ctx)
}

func (k *Keeper) start(ctx context.Context) error {
	o := k.o
	if n := len(k.lives); n > 0 {
		o.Name = fmt.Sprintf("%s-%d", k.o.Name, n+1)
	}
	if o.Timeout > 0 {
		o.Timeout = max(o.Timeout-time.Since(k.begun), time.Second)
	}
	began := time.Since(k.epoch)
	s, err := service.Start(ctx, k.pod, o)
	if err != nil {
		return err
	}
	k.o.Port, k.now = s.Port, s
	k.lives = append(k.lives, Life{Name: o.Name, StartNs: int64(began), ReadyNs: -1})
	return nil
}

// Service is the process that runs now, or the last one.
func (k *Keeper) Service() *service.Service { return k.now }

// Lives are the processes so far.
func (k *Keeper) Lives() []Life { return slices.Clone(k.lives) }

// Ready waits until the process that runs now answers, and says whether it does in time.
func (k *Keeper) Ready() bool {
	ok := k.now.Ready()
	k.lives[len(k.lives)-1].ReadyNs = k.now.ReadyNs
	return ok
}

// Kill ends the process by SIGKILL. One that had ended by itself stays so. Restart follows, or End.
func (k *Keeper) Kill(ctx context.Context) error {
	life := &k.lives[len(k.lives)-1]
	life.Killed = !k.now.Ended()
	e, err := k.now.End(ctx, nil)
	if err != nil {
		return err
	}
	life.EndNs = int64(time.Since(k.epoch))
	k.done = append(k.done, e)
	k.now = nil
	return nil
}

// Restart starts the submission again after Kill, and waits until it is ready.
func (k *Keeper) Restart(ctx context.Context) (ready bool, err error) {
	if err := k.start(ctx); err != nil {
		return false, err
	}
	return k.Ready(), nil
}

// Mind starts a submission again that has ended by itself, as whoever runs it would. It says whether it had to.
func (k *Keeper) Mind(ctx context.Context) (restarted bool, err error) {
	if k.now == nil || !k.now.Ended() || len(k.lives) >= maxStarts {
		return false, nil
	}
	if err := k.Kill(ctx); err != nil {
		return false, err
	}
	_, err = k.Restart(ctx)
	return true, err
}

// End ends the process that runs, and returns the executions of all lives. facts is called when it is gone, and belongs to the last of them.
func (k *Keeper) End(ctx context.Context, facts func() (any, error)) ([]evidence.Execution, error) {
	if k.now == nil {
		return nil, errors.New("end submission: it does not run")
	}
	if err := k.Kill(ctx); err != nil {
		return nil, err
	}
	said, err := facts()
	if err != nil {
		return nil, err
	}
	last := &k.done[len(k.done)-1]
	if last.Facts, err = json.Marshal(said); err != nil {
		return nil, fmt.Errorf("write facts: %w", err)
	}
	return k.done, nil
}

// Abandon ends the submission when the run has been given up.
func (k *Keeper) Abandon(ctx context.Context) error {
	if k.now == nil {
		return nil
	}
	return k.now.Abandon(ctx)
}
