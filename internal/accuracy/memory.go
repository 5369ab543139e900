package accuracy

import (
	"errors"
	"fmt"
	"math"

	"github.com/assay-run/assay/graders/knowntruth"
	"github.com/assay-run/assay/internal/evidence"
)

// MemoryErrorShare is the bar for memory: from 50 MB to 1 GB the error is at most this share of the truth.
const MemoryErrorShare = 0.02

// Allocation is one known allocation, as it was and as it is reported.
type Allocation struct {
	How            string  `json:"how"`
	TrueBytes      int64   `json:"trueBytes"`
	BaselineBytes  float64 `json:"baselineBytes"`  // median of the curve in the half second before
	PeakBytes      int64   `json:"peakBytes"`      // as a challenge scores it
	PlateauBytes   float64 `json:"plateauBytes"`   // median of the curve while it was held
	HeapGrownBytes int64   `json:"heapGrownBytes"` // by V8's own account of its pages, of the main thread
	HeldMs         float64 `json:"heldMs"`         // how long all of it was held
	ReportedBytes  float64 `json:"reportedBytes"`  // peak less baseline
	ErrorShare     float64 `json:"errorShare"`     // (reported less true) by true
	Within         bool    `json:"within"`
	SampleHz       float64 `json:"sampleHz"`
	MaxGapMs       float64 `json:"maxGapMs"`
}

// Memory are all allocations of a bench.
type Memory struct {
	List    []Allocation `json:"list"`
	Skipped []string     `json:"skipped,omitempty"` // what this machine has no room for
}

// Add compares one execution of the known program that held memory once.
func (m *Memory) Add(e evidence.Execution) error {
	truth, facts, err := known(e)
	if err != nil {
		return err
	}
	curve := e.Find(evidence.SeriesMemory)
	for _, event := range truth.Events {
		if event.Do != knowntruth.DoHold {
			continue
		}
		if curve == nil {
			return errors.New("compare memory: the evidence has no curve of it")
		}
		between := func(from, to int64) []float64 {
			return levels(curve, seconds(from, facts.StartedNs), seconds(to, facts.StartedNs))
		}
		base := between(event.BaseFrom, event.BaseTo)
		if len(base) == 0 {
			return fmt.Errorf("compare memory: there is no sample before %s took %d bytes", event.How, event.Bytes)
		}
		a := Allocation{
			How: event.How, TrueBytes: event.Bytes, BaselineBytes: Quantile(base, 0.5), PeakBytes: e.Usage.MemoryPeakBytes,
			HeapGrownBytes: event.HeapGrown,
			HeldMs:         ms(event.To - event.From), SampleHz: e.Usage.SampleHz, MaxGapMs: ms(e.Usage.MaxGapNs),
		}
		if held := between(event.From, event.To); len(held) > 0 {
			a.PlateauBytes = Quantile(held, 0.5)
		}
		a.judge()
		m.List = append(m.List, a)
	}
	return nil
}

func (a *Allocation) judge() {
	a.ReportedBytes = float64(a.PeakBytes) - a.BaselineBytes
	a.ErrorShare = (a.ReportedBytes - float64(a.TrueBytes)) / float64(a.TrueBytes)
	a.Within = math.Abs(a.ErrorShare) <= MemoryErrorShare
}

// levels are the middles of a curve's buckets that begin between two times.
func levels(s *evidence.Series, from, to float64) []float64 {
	var out []float64
	for i, t := range s.T {
		if t >= from && t <= to {
			out = append(out, (s.Min[i]+s.Max[i])/2)
		}
	}
	return out
}

func (m *Memory) section() Section {
	s := Section{
		Title: "Known allocations: peak less baseline, against true",
		Table: Table{Head: []string{"kind", "true, MB", "n", "reported, MB, median", "error, %: least", "median", "most", "within bar"}},
	}
	type key struct {
		how   string
		bytes int64
	}
	for _, k := range distinct(m.List, func(a Allocation) key { return key{a.How, a.TrueBytes} }) {
		var reported, errs []float64
		within := 0
		for _, a := range m.List {
			if (key{a.How, a.TrueBytes}) != k {
				continue
			}
			reported, errs = append(reported, a.ReportedBytes/1e6), append(errs, 100*a.ErrorShare)
			if a.Within {
				within++
			}
		}
		e := SpreadOf(errs)
		s.Table.Add(k.how, digits(float64(k.bytes)/1e6, 0), digits(float64(e.N), 0), digits(Quantile(reported, 0.5), 1),
			signed(e.Min, 2), signed(e.Median, 2), signed(e.Max, 2), share(within, e.N))
	}
	s.Remarks = append(s.Remarks, fmt.Sprintf("Bar: within %g %%. spike: taken, held for 20 ms and given back in one turn of the loop.", 100*MemoryErrorShare))
	s.Remarks = append(s.Remarks, m.Skipped...)
	return s
}
