package logaggregate

import (
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// Name is what a scenario calls this workload.
const Name = "log-aggregate"

// Grader implements graders.Grader. It has no state: data sets are in the cache directory of a Preparation.
type Grader struct{}

var _ graders.Grader = (*Grader)(nil)

// New returns the grader.
func New() *Grader { return &Grader{} }

// Name implements workload.Workload.
func (*Grader) Name() string { return Name }

// The reason codes this grader gives.
const (
	codeOOMHeap      = signs.OOMHeap
	codeOOMCgroup    = signs.OOMCgroup
	codeCrash        = evidence.CodeCrash
	codeHang         = signs.Hang
	codeWrongOutput  = "WRONG_OUTPUT"
	codeBoundaryLoss = "BOUNDARY_LOSS"
	codeUTF8Split    = "UTF8_SPLIT"
	codeMemUnbounded = "MEM_UNBOUNDED"
	codeTamper       = evidence.CodeTamper
)

// contractMemory is the memory limit of the challenge.
const contractMemory = 256 << 20

// The names of the metrics.
const (
	metricExact       = "exact"
	metricCasesRight  = "cases.right"
	metricCasesWrong  = "cases.wrong"
	metricOOM         = "oom"
	metricCrashes     = "crashes"
	metricMemPeak     = "mem.peak"
	metricMemGrowth   = "mem.growth"
	metricMemPerLine  = "mem.perLine"
	metricThroughput  = "throughput"
	metricCPU         = "cpu.perGiB"
	metricHBFirst     = "hb.first"
	metricMonotonic   = "progress.monotonic"
	metricRightFields = "fields.right"
)

// Metrics implements graders.Grader.
func (*Grader) Metrics() []evidence.MetricDoc {
	lower, higher := evidence.LowerIsBetter, evidence.HigherIsBetter
	own := []evidence.MetricDoc{
		{Name: metricExact, Unit: "ratio", Better: higher, Doc: "1 when every file of the scenario was summarised exactly, else 0"},
		{Name: metricCasesRight, Unit: "share", Better: higher, Doc: "weighted share of the files that were summarised exactly"},
		{Name: metricCasesWrong, Unit: "count", Better: lower, Doc: "files that were not"},
		{Name: metricRightFields, Unit: "share", Better: higher, Doc: "share of the six parts of the result that are right, mean over files"},
		{Name: metricOOM, Unit: "count", Better: lower, Doc: "executions that ran out of memory, by V8's limit or by the container's"},
		{Name: metricCrashes, Unit: "count", Better: lower, Doc: "executions that ended by a signal or with an exit code that the contract does not ask for, without running out of memory"},
		{Name: metricMemPeak, Unit: "bytes", Better: lower, Noise: 0.04, Doc: "largest anonymous and shared memory of the whole container, over all executions; page cache does not count"},
		{Name: metricMemGrowth, Unit: "bytes", Better: lower, Noise: 0.3, Doc: "mem.peak of this scenario less that of the scenario with the smallest file; absent when one of the programs did not finish"},
		{Name: metricMemPerLine, Unit: "bytes/line", Better: lower, Noise: 0.3, Doc: "mem.growth for each line that this file has more"},
		{Name: metricThroughput, Unit: "bytes/s", Better: higher, Noise: 0.08, Doc: "uncompressed bytes of input per second, from start to end of the process; absent unless it ended with code 0"},
		{Name: metricCPU, Unit: "ns", Better: lower, Noise: 0.06, Doc: "CPU time of all threads and processes for each GiB of uncompressed input; absent unless it ended with code 0"},
		{Name: metricHBFirst, Unit: "ns", Better: lower, Noise: 0.12, Doc: "from the start of the process to the first good answer; absent when there was none"},
		{Name: metricMonotonic, Unit: "ratio", Better: higher, Doc: "1 when progress was shown and never went back, else 0"},
	}
	return append(own, heartbeat.Metrics("GET /progress")...)
}
