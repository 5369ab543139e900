package accuracy

import (
	"fmt"

	"github.com/assay-run/assay/graders/knowntruth"
)

// Generators are load generators side by side on one server that stalls at known times.
type Generators struct {
	StallMs float64     `json:"stallMs"` // length of each stall
	EveryMs float64     `json:"everyMs"` // time between the beginnings of stalls, about
	List    []Generator `json:"list"`
	Missing []string    `json:"missing,omitempty"` // what was not there, and how to get it
}

// Generator is what one generator reported, and what is true of its time.
type Generator struct {
	Name     string  `json:"name"`
	AskedHz  float64 `json:"askedHz"` // 0: as much as the server can
	ActualHz float64 `json:"actualHz"`
	P50Ms    float64 `json:"p50Ms"`
	P99Ms    float64 `json:"p99Ms"`
	MaxMs    float64 `json:"maxMs"`
	// TrueP50Ms and TrueP99Ms are what a user who comes at any moment waits because of the stalls alone, by the program's own
	// account of them in the time of the load.
	TrueP50Ms float64 `json:"trueP50Ms"`
	TrueP99Ms float64 `json:"trueP99Ms"`
}

// Expect fills in what is true between two moments of CLOCK_MONOTONIC: who comes within a stall waits to its end.
func (g *Generator) Expect(t knowntruth.Truth, from, to int64) {
	const step = 1_000_000 // a user each millisecond
	var waits []float64
	events := t.Events
	for at := from; at < to; at += step {
		for len(events) > 0 && events[0].To <= at {
			events = events[1:]
		}
		wait := 0.0
		if len(events) > 0 && events[0].From <= at {
			wait = ms(events[0].To - at)
		}
		waits = append(waits, wait)
	}
	g.TrueP50Ms, g.TrueP99Ms = Quantile(waits, 0.5), Quantile(waits, 0.99)
}

func (g *Generators) section() Section {
	s := Section{
		Title: fmt.Sprintf("Load generators on a server that stalls for %.0f ms each %.0f ms or so: latency in ms", g.StallMs, g.EveryMs),
		Table: Table{Head: []string{"generator", "asked, /s", "achieved, /s", "p50", "p99", "most", "true p50", "true p99"}},
		Remarks: append([]string{
			"True: what somebody who comes at any moment waits for the end of a stall; the server's own work comes on top, well below a millisecond.",
		}, g.Missing...),
	}
	for _, x := range g.List {
		asked := "–"
		if x.AskedHz > 0 {
			asked = digits(x.AskedHz, 0)
		}
		s.Table.Add(x.Name, asked, digits(x.ActualHz, 1), digits(x.P50Ms, 2), digits(x.P99Ms, 1), digits(x.MaxMs, 1),
			digits(x.TrueP50Ms, 1), digits(x.TrueP99Ms, 1))
	}
	return s
}
