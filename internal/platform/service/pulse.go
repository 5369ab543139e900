package service

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Pulse is what a candidate's page is made of as far as it changes by itself. Many pages ask for it often, so it is much less
// than Own.
type Pulse struct {
	// EndsAt, Paused and Now are as in Own.
	EndsAt time.Time
	Paused bool
	Now    time.Time
	// Sum differs when anything else has changed: the state of the attempt, what was handed in, how a grading stands.
	Sum uint64
}

// OwnPulse says whether there is news for the candidate: when two of them differ, there is.
func (s *Service) OwnPulse(ctx context.Context, a Actor) (Pulse, error) {
	return run(ctx, s, a, CandidateLook, func(w *work) (Pulse, error) {
		sum := fnv.New64a()
		fmt.Fprintf(sum, "%q %d", w.invitation.State, w.invitation.AttemptsUsed)
		out := Pulse{Now: w.Now()}
		if id := w.invitation.AttemptID; id != "" {
			t, err := w.Attempt(ctx, w.org, id)
			if err != nil {
				return out, err
			}
			out.EndsAt, out.Paused = t.Clock.Ends(w.Now()), t.Clock.Paused(w.Now())
			fmt.Fprintf(sum, " %q", t.State)
			handed, err := w.Submissions(ctx, w.org, id, platform.Page{})
			if err != nil {
				return out, err
			}
			for _, sub := range handed.Items {
				fmt.Fprintf(sum, " %q", sub.ID)
			}
			jobs, err := w.Jobs(ctx, w.org, store.JobFilter{AttemptID: id}, platform.Page{})
			if err != nil {
				return out, err
			}
			for _, j := range jobs.Items {
				p, err := s.place(ctx, w, j)
				if err != nil {
					return out, err
				}
				fmt.Fprintf(sum, " %q %q %q %d", j.ID, j.State, j.Progress, p.Ahead)
			}
		}
		out.Sum = sum.Sum64()
		return out, nil
	})
}

// place says where a job stands in the queue. When Options.PlaceAge allows it, those who wait share what one of them has read.
func (s *Service) place(ctx context.Context, w *work, j platform.Job) (store.Place, error) {
	if !j.State.Waiting() {
		return store.Place{State: j.State, Why: j.Why}, nil
	}
	if s.standing.age > 0 {
		all, err := s.standing.read(ctx, w)
		if err != nil {
			return store.Place{}, err
		}
		if p, ok := all.Place(j); ok {
			return p, nil
		}
	}
	return w.Place(ctx, w.org, j.ID)
}

// standing is how the queue stood a moment ago.
type standing struct {
	age time.Duration // for how long it is told; 0: never
	now func() time.Time

	mu   sync.Mutex
	at   time.Time
	last *store.Standing
}

// read is the last one, or a new one that the first reads who finds the last one too old. The others wait for it.
func (s *standing) read(ctx context.Context, w *work) (*store.Standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.now().Sub(s.at) < s.age {
		return s.last, nil
	}
	at := s.now()
	fresh, err := w.SystemStanding(ctx)
	if err != nil {
		return nil, err
	}
	s.at, s.last = at, fresh
	return fresh, nil
}
