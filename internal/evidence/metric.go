package evidence

// Direction says which way a metric gets better.
type Direction string

// The directions of a metric.
const (
	LowerIsBetter  Direction = "lower"
	HigherIsBetter Direction = "higher"
	Neutral        Direction = "neutral"
)

// MetricDoc documents one number a workload yields, so that criteria can be checked when a challenge is loaded.
type MetricDoc struct {
	Name   string    `json:"name"` // within the scenario, dotted: "mem.peak"
	Unit   string    `json:"unit"` // "bytes", "ns", "bytes/s", "ratio", "count", "share"
	Better Direction `json:"better"`
	// Noise is the relative spread (one standard deviation of the logarithm) that two runs of the same program on
	// a quiet machine show; 0 for exact figures.
	Noise float64 `json:"noise"`
	Doc   string  `json:"doc"`
}

// Finding is a reason code with what was seen.
type Finding struct {
	Code      string `json:"code"`
	Scenario  string `json:"scenario"`
	Execution string `json:"execution,omitempty"`
	// Detail is one plain sentence with the figures, e.g. "4,096 lines are missing: one per 64 KiB read."
	Detail string `json:"detail"`
	// AtSeconds is the moment on the curve, since the start of the execution; negative when it has none.
	AtSeconds float64 `json:"atSeconds"`
}

// Case is one check with a yes-or-no answer.
type Case struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Weight float64 `json:"weight"`
	Right  bool    `json:"right"`
	Detail string  `json:"detail,omitempty"` // what was wrong, when Right is false
}

// Measures is what a workload's judge makes of one run: pure data, derived from a Run and its truth alone.
type Measures struct {
	Values   map[string]float64 `json:"values"` // by metric name; a metric that could not be measured is absent
	Findings []Finding          `json:"findings,omitempty"`
	Cases    []Case             `json:"cases,omitempty"`
}
