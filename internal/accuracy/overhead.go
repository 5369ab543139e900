package accuracy

import (
	"fmt"
	"slices"

	"github.com/assay-run/assay/graders/knowntruth"
)

// The bars for what measuring costs.
const (
	ThroughputAtLeast = 0.98
	FixedP95Ms        = 1000
)

// Overhead is what being measured costs a submission.
type Overhead struct {
	CPU   *CPUPairs    `json:"cpu,omitempty"`
	HTTP  []ServerPair `json:"http,omitempty"`
	Fixed []FixedCost  `json:"fixed,omitempty"`
}

// CPUPairs are runs of a program that works through a file, in neighbouring pairs.
type CPUPairs struct {
	SizeBytes int64     `json:"sizeBytes"`
	PodMs     []float64 `json:"podMs"`     // life of the process in a pod, probe, heartbeat and sampling on
	UnaskedMs []float64 `json:"unaskedMs"` // the same without a heartbeat
	BareMs    []float64 `json:"bareMs"`    // life of the process in a plain container
}

// Ratios are throughput in the pod by throughput bare, pair by pair: as a grading has it, and without a heartbeat. The first is
// what answering it costs as well, which is the submission's own work.
func (p *CPUPairs) Ratios() (asked, unasked []float64) {
	for i, bare := range p.BareMs {
		asked = append(asked, bare/p.PodMs[i])
		if i < len(p.UnaskedMs) {
			unasked = append(unasked, bare/p.UnaskedMs[i])
		}
	}
	return asked, unasked
}

// ServerPair is an HTTP server under the same load, in a pod and bare.
type ServerPair struct {
	Pod  knowntruth.LoadResult `json:"pod"`
	Bare knowntruth.LoadResult `json:"bare"`
}

// FixedCost is one run of a program that does nothing.
type FixedCost struct {
	WallMs float64 `json:"wallMs"`
	LifeMs float64 `json:"lifeMs"` // of the submission's process, by its own clock
	// PhaseMs splits the wall time; "execute" is without the life of the process. What is left over is "rest".
	PhaseMs map[string]float64 `json:"phaseMs"`
}

// Phases of a run, in order, and what remains.
const phaseRest = "rest"

func phases() []string {
	return []string{"pod", "handshake", "start", "execute", "collect", "close", phaseRest}
}

// NewFixedCost splits one run. phaseNs is evidence.Run.PhaseNs.
func NewFixedCost(wallNs int64, lifeMs float64, phaseNs map[string]int64) FixedCost {
	f := FixedCost{WallMs: ms(wallNs), LifeMs: lifeMs, PhaseMs: map[string]float64{}}
	rest := f.CostMs()
	for name, ns := range phaseNs {
		took := ms(ns)
		if name == "execute" {
			took -= lifeMs
		}
		f.PhaseMs[name] = took
		rest -= took
	}
	f.PhaseMs[phaseRest] = rest
	return f
}

// CostMs is the run's wall time less the submission's own.
func (f FixedCost) CostMs() float64 { return f.WallMs - f.LifeMs }

func (o *Overhead) sections() []Section {
	var out []Section
	if o.CPU != nil || len(o.HTTP) > 0 {
		out = append(out, o.throughput())
	}
	if len(o.Fixed) > 0 {
		out = append(out, o.fixed())
	}
	return out
}

func (o *Overhead) throughput() Section {
	s := Section{
		Title: "What being measured costs: in the pod by bare container, on the same core, alternating",
		Table: Table{Head: []string{"figure", "pairs", "in the pod, median", "bare, median", "ratio: least", "median", "most"}},
		Remarks: []string{fmt.Sprintf("Bar: throughput %.2f or more. In the pod the heartbeat asks a server 100 times a second as well; these answers are not counted as throughput. Answering is a part of what log-aggregate asks for, so it is shown apart.",
			ThroughputAtLeast)},
	}
	add := func(name, unit string, n int, pod, bare, ratios []float64) {
		r := SpreadOf(ratios)
		s.Table.Add(name, digits(float64(r.N), 0), digits(Quantile(pod, 0.5), n)+unit, digits(Quantile(bare, 0.5), n)+unit,
			digits(r.Min, 3), digits(r.Median, 3), digits(r.Max, 3))
	}
	if c := o.CPU; c != nil {
		asked, unasked := c.Ratios()
		name := fmt.Sprintf("log-aggregate, %d MiB: throughput", c.SizeBytes>>20)
		if len(unasked) > 0 {
			add(name+", probe and sampling", " ms", 0, c.UnaskedMs, c.BareMs, unasked)
		}
		add(name+", and answering the heartbeat", " ms", 0, c.PodMs, c.BareMs, asked)
	}
	if len(o.HTTP) == 0 {
		return s
	}
	of := func(value func(knowntruth.LoadResult) float64) (pod, bare, ratios []float64) {
		for _, p := range o.HTTP {
			a, b := value(p.Pod), value(p.Bare)
			pod, bare, ratios = append(pod, a), append(bare, b), append(ratios, a/b)
		}
		return
	}
	pod, bare, r := of(func(l knowntruth.LoadResult) float64 { return l.PerSecond })
	add("HTTP server, as much as it can: throughput", " /s", 0, pod, bare, r)
	pod, bare, r = of(func(l knowntruth.LoadResult) float64 { return ms(l.ClosedP99) })
	add("HTTP server, as much as it can: p99", " ms", 2, pod, bare, r)
	pod, bare, r = of(func(l knowntruth.LoadResult) float64 { return ms(l.Open.P50Ns) })
	add(fmt.Sprintf("HTTP server, %.0f a second: p50", o.HTTP[0].Pod.Open.Hz), " ms", 2, pod, bare, r)
	pod, bare, r = of(func(l knowntruth.LoadResult) float64 { return ms(l.Open.P99Ns) })
	add(fmt.Sprintf("HTTP server, %.0f a second: p99", o.HTTP[0].Pod.Open.Hz), " ms", 2, pod, bare, r)
	return s
}

func (o *Overhead) fixed() Section {
	s := Section{
		Title: "Fixed cost of a run, images warm: wall time less the submission's own life, by phase, in ms",
		Table: Table{Head: []string{"phase", "p50", "p95", "most"}},
		Remarks: []string{
			fmt.Sprintf("%d runs. Bar: p95 at most %d ms. Phases are quantiles of their own, so they do not add up to the whole.", len(o.Fixed), FixedP95Ms),
			"start: the engine starts the container; the process lives before it has said so, so execute (without the life of the process) can be small or negative.",
		},
	}
	add := func(name string, value func(FixedCost) float64) {
		values := make([]float64, len(o.Fixed))
		for i, f := range o.Fixed {
			values[i] = value(f)
		}
		s.Table.Add(name, digits(Quantile(values, 0.5), 0), digits(Quantile(values, 0.95), 0), digits(slices.Max(values), 0))
	}
	for _, name := range phases() {
		add(name, func(f FixedCost) float64 { return f.PhaseMs[name] })
	}
	add("whole", FixedCost.CostMs)
	return s
}
