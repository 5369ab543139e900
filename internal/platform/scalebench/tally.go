package scalebench

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/accuracy"
)

const (
	maxSamples  = 1_000_000 // of each kind
	maxProblems = 10
)

// tally counts requests. It may be used by several goroutines.
type tally struct {
	mu       sync.Mutex
	order    []string
	byName   map[string]*samples
	problems []string
	events   int
	begun    time.Time
}

type samples struct {
	ms []float64
	// longest took most, and was due so long after the load began.
	longest, at time.Duration
	n           int
	errors      int
}

func newTally() *tally { return &tally{byName: map[string]*samples{}} }

// add counts a request that took so long from when it was due. problem says why it failed; empty: it did not.
func (t *tally) add(kind string, took time.Duration, problem string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byName[kind]
	if s == nil {
		s = &samples{}
		t.byName[kind] = s
		t.order = append(t.order, kind)
	}
	s.n++
	if took > s.longest {
		s.longest, s.at = took, time.Since(t.begun)-took
	}
	if len(s.ms) < maxSamples {
		s.ms = append(s.ms, ms(took))
	}
	if problem == "" {
		return
	}
	s.errors++
	if len(t.problems) < maxProblems {
		t.problems = append(t.problems, fmt.Sprintf("%s: %s", kind, problem))
	}
}

// event counts an event on a stream.
func (t *tally) event() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events++
}

func (t *tally) kinds() []Kind {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.order)
	var out []Kind
	for _, name := range t.order {
		s := t.byName[name]
		out = append(out, Kind{
			Name: name, Requests: s.n, Errors: s.errors, P50Ms: accuracy.Quantile(s.ms, .5), P99Ms: accuracy.Quantile(s.ms, .99), MaxMs: slices.Max(s.ms),
			MaxAtS: s.at.Seconds(),
		})
	}
	return out
}
