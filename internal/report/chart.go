package report

import (
	"fmt"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
)

// chartKind describes one chart: what it shows, in which unit, and which curves.
type chartKind struct {
	key, title, about string
	unit              string // as in quantity
	log               bool   // logarithmic height; the unit is then ns
	upper             bool   // the line follows the largest values, not the middle: for peaks and waits
	wide              bool   // takes the whole width
	band              bool   // shades the range from the smallest to the largest value
	lines             []lineKind
}

// lineKind is one curve of a chart.
type lineKind struct {
	Role   evidence.Role
	Series string
	Label  string
	Class  string // "own", "own2" or "ref": the colour
}

const (
	ownLabel = "this submission"
	refLabel = "reference"
)

// against is the common pair: the submission's curve and the reference's.
func against(series string) []lineKind {
	return []lineKind{{evidence.Candidate, series, ownLabel, "own"}, {evidence.Reference, series, refLabel, "ref"}}
}

// chartKinds lists the charts of an execution in reading order.
func chartKinds() []chartKind {
	return []chartKind{
		{key: "heartbeat", title: "How long a request waited", unit: "ns", log: true, upper: true, wide: true, band: true,
			about: "A small request on a fixed schedule, from outside; time from the moment it was due to its answer. " +
				"Logarithmic scale.",
			lines: against(evidence.SeriesHeartbeat)},
		{key: "memory", title: "Memory", unit: "bytes", upper: true, wide: true, band: true,
			about: "Anonymous and shared memory of everything the submission started. File cache does not count.",
			lines: against(evidence.SeriesMemory)},
		{key: "read", title: "Reading", unit: "bytes/s", band: true,
			about: "Bytes read a second, as the kernel counts them.",
			lines: against(evidence.SeriesReadRate)},
		{key: "cpu", title: "Processor", unit: "share", band: true,
			about: "Share of one core: all threads, and the main thread alone.",
			lines: []lineKind{{evidence.Candidate, evidence.SeriesCPU, ownLabel, "own"},
				{evidence.Candidate, evidence.SeriesMainCPU, "its main thread", "own2"},
				{evidence.Reference, evidence.SeriesCPU, refLabel, "ref"}}},
		{key: "probe", title: "What the process saw itself", unit: "ns", log: true, upper: true,
			about: "Event-loop delay as a probe inside reported it, and how long the probe was silent by our clock. " +
				"It explains; it earns no points. Logarithmic scale.",
			lines: []lineKind{{evidence.Candidate, evidence.SeriesProbeDelay, "delay", "own"},
				{evidence.Candidate, evidence.SeriesProbeGap, "silence", "own2"}}},
		{key: "rundelay", title: "Waiting for the processor", unit: "share", band: true,
			about: "Share of time in which the main thread could have run and was not let: a sign of a busy machine.",
			lines: against(evidence.SeriesRunDelay)},
	}
}

// drawn is the curves of one chart in one run, in the order of chartKind.lines; a missing one is nil.
type drawn []*curve

func (k chartKind) draw(own, ref *evidence.Execution, limit int) drawn {
	out := make(drawn, len(k.lines))
	for i, l := range k.lines {
		e := own
		if l.Role == evidence.Reference {
			e = ref
		}
		if e != nil {
			out[i] = toCurve(e.Find(l.Series), limit)
		}
	}
	return out
}

// empty says that the submission has no curve here; a chart of the reference alone would tell nothing.
func (d drawn) empty(k chartKind) bool {
	for i, c := range d {
		if c != nil && k.lines[i].Role == evidence.Candidate {
			return false
		}
	}
	return true
}

// axis covers all runs of the chart and the memory limit.
func (k chartKind) axis(runs []drawn, limit float64) axis {
	var low, high float64
	for _, d := range runs {
		for _, c := range d {
			if _, v, ok := c.peak(); ok {
				high = max(high, v)
				for _, lo := range c.Lo {
					if lo > 0 && (low == 0 || lo < low) {
						low = lo
					}
				}
			}
		}
	}
	if k.log {
		return logAxis(low, high)
	}
	return linearAxis(max(high, limit), k.unit)
}

// caption is the chart in words: what a reader who cannot see it needs to know.
func (k chartKind) caption(d drawn, own, ref *evidence.Execution, limit float64) string {
	t, v, ok := d[0].peak()
	if !ok {
		return "Nothing was recorded for this submission in this run."
	}
	switch k.key {
	case "memory":
		return k.memoryCaption(d, t, v, limit)
	case "heartbeat", diagnosisKey:
		return k.heartbeatCaption(own, ref, t, v)
	case "probe":
		s := fmt.Sprintf("Largest delay it saw: %s at %s.", quantity(v, "ns"), seconds(t))
		if t, v, ok := d[1].peak(); ok {
			s += fmt.Sprintf(" Longest silence: %s at %s.", quantity(v, "ns"), seconds(t))
		}
		return s
	}
	return k.plainCaption(d, t, v)
}

func (k chartKind) memoryCaption(d drawn, t, v, limit float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Peak %s at %s", quantity(v, "bytes"), seconds(t))
	if limit > 0 {
		fmt.Fprintf(&b, ", %s of the limit of %s", quantity(v/limit, "share"), quantity(limit, "bytes"))
	}
	b.WriteString(".")
	if _, r, ok := d[1].peak(); ok {
		fmt.Fprintf(&b, " The reference needed %s.", quantity(r, "bytes"))
	}
	return b.String()
}

func (k chartKind) heartbeatCaption(own, ref *evidence.Execution, t, v float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Longest wait %s, at %s.", quantity(v, "ns"), seconds(t))
	if own != nil && own.Heartbeat != nil {
		h := own.Heartbeat
		fmt.Fprintf(&b, " 99 of 100 answers came within %s; %s of %s requests were answered.", quantity(float64(h.P99Ns), "ns"),
			quantity(float64(h.Answered), "count"), quantity(float64(h.Sent), "count"))
	}
	if ref != nil && ref.Heartbeat != nil {
		fmt.Fprintf(&b, " The reference: 99 of 100 within %s.", quantity(float64(ref.Heartbeat.P99Ns), "ns"))
	}
	return b.String()
}

func (k chartKind) plainCaption(d drawn, t, v float64) string {
	var b strings.Builder
	for i, c := range d {
		m, ok := c.typical()
		if !ok {
			continue
		}
		label := k.lines[i].Label
		fmt.Fprintf(&b, "%s%s: typically %s. ", strings.ToUpper(label[:1]), label[1:], quantity(m, k.unit))
	}
	fmt.Fprintf(&b, "Highest %s at %s.", quantity(v, k.unit), seconds(t))
	return b.String()
}
