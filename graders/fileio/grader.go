package fileio

import (
	_ "embed"
	"encoding/json"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
)

// What scenarios call these workloads.
const (
	NameStdio = "stdin-stdout"
	NameFiles = "file-in-file-out"
)

//go:embed settings.schema.json
var schema []byte

// Grader implements graders.Grader. It has no state.
type Grader struct{ name string }

var (
	_ graders.Grader   = (*Grader)(nil)
	_ graders.Settings = (*Grader)(nil)
	_ graders.Linter   = (*Grader)(nil)
)

// NewStdio returns the grader of programs that read standard input and write standard output.
func NewStdio() *Grader { return &Grader{NameStdio} }

// NewFiles returns the grader of programs that read a file and write a file.
func NewFiles() *Grader { return &Grader{NameFiles} }

// Name implements workload.Workload.
func (g *Grader) Name() string { return g.name }

// files says whether input and output are files.
func (g *Grader) files() bool { return g.name == NameFiles }

// Compare implements graders.Grader. Nothing here needs two scenarios to be seen.
func (*Grader) Compare(map[string]evidence.Run, map[string]json.RawMessage) (map[string]evidence.Measures, error) {
	return nil, nil
}

// The reason codes this grader gives, beside those of signs.Diagnose.
const (
	codeWrongOutput = "WRONG_OUTPUT"
	codeSlow        = "SLOW"
	codeTamper      = evidence.CodeTamper
)

// The groups of cases: a first folder with one of these names makes a case one of the group.
const (
	groupSamples = "samples"
	groupEdge    = "edge"
	groupLarge   = "large"
	groupOther   = "other"
)

// The names of the metrics.
const (
	metricRight   = "cases.right"
	metricWrong   = "cases.wrong"
	metricTimeout = "cases.timeout"
	metricCrashed = "cases.crashed"
	metricTimeMax = "time.max"
	metricTimeAll = "time.total"
	metricCPU     = "cpu.total"
	metricMemPeak = "mem.peak"
	rightOf       = ".right" // after the name of a group
)

// Metrics implements graders.Grader.
func (*Grader) Metrics() []evidence.MetricDoc {
	lower, higher := evidence.LowerIsBetter, evidence.HigherIsBetter
	group := func(name, what string) evidence.MetricDoc {
		return evidence.MetricDoc{Name: name + rightOf, Unit: "share", Better: higher, Doc: "weighted share of the cases " + what + " that came out right; absent when there are none"}
	}
	return []evidence.MetricDoc{
		{Name: metricRight, Unit: "share", Better: higher, Doc: "weighted share of all cases that came out right"},
		{Name: metricWrong, Unit: "count", Better: lower, Doc: "cases that did not come out right, for whatever reason"},
		{Name: metricTimeout, Unit: "count", Better: lower, Doc: "cases that were not done within their time limit, or the CPU time that goes with it"},
		{Name: metricCrashed, Unit: "count", Better: lower, Doc: "cases in which the program did not end by itself with exit code 0, time limits aside"},
		group(groupSamples, "in the folder samples"),
		group(groupEdge, "in the folder edge"),
		group(groupLarge, "in the folder large"),
		group(groupOther, "in none of these folders"),
		{Name: metricTimeMax, Unit: "ns", Better: lower, Noise: 0.1, Doc: "longest time of a case, from the start of its process to the end; a case over its limit counts with what it took until it was ended"},
		{Name: metricTimeAll, Unit: "ns", Better: lower, Noise: 0.08, Doc: "time of all cases together; absent unless the program ended by itself with exit code 0 in every case"},
		{Name: metricCPU, Unit: "ns", Better: lower, Noise: 0.06, Doc: "CPU time of all cases together, all threads and processes; absent like time.total"},
		{Name: metricMemPeak, Unit: "bytes", Better: lower, Noise: 0.04, Doc: "largest anonymous and shared memory of the whole container, over all cases; page cache does not count"},
	}
}

// contractMemory is taken for the memory limit where the truth names none.
const contractMemory = 256 << 20
