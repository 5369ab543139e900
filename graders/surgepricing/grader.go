package surgepricing

import (
	"encoding/json"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// Name is what a scenario calls this workload.
const Name = "surge-pricing"

// Grader implements graders.Grader. It has no state.
type Grader struct{}

var _ graders.Grader = (*Grader)(nil)

// New returns the grader.
func New() *Grader { return &Grader{} }

// Name implements workload.Workload.
func (*Grader) Name() string { return Name }

// Compare implements graders.Grader. Nothing here needs two scenarios to be seen.
func (*Grader) Compare(map[string]evidence.Run, map[string]json.RawMessage) (map[string]evidence.Measures, error) {
	return nil, nil
}

// The reason codes this grader gives.
const (
	codeWrongOutput  = "WRONG_OUTPUT"
	codeMemUnbounded = "MEM_UNBOUNDED"
	codeHang         = signs.Hang
	codeCrash        = evidence.CodeCrash
	codeTamper       = evidence.CodeTamper
)

// contractMemory is the memory limit of the challenge.
const contractMemory = 512 << 20

// The names of the metrics.
const (
	metricStart       = "start"
	metricCasesRight  = "cases.right"
	metricChecksums   = "checksums.wrong"
	metricRefused     = "rebuilds.refused"
	metricQuotesWrong = "quotes.wrong"
	metricPolicy      = "policy.right"
	metricSurvived    = "survived"
	metricStarved     = "loop.starved"
	metricQuoteP50    = "quote.p50"
	metricQuoteP99    = "quote.p99"
	metricRebuildTime = "rebuild.time"
	metricCPU         = "cpu.perRebuild"
	metricThreads     = "threads.max"
	metricProcesses   = "processes.max"
	metricMemPeak     = "mem.peak"
)

// Metrics implements graders.Grader.
func (*Grader) Metrics() []evidence.MetricDoc {
	lower, higher := evidence.LowerIsBetter, evidence.HigherIsBetter
	own := []evidence.MetricDoc{
		{Name: metricStart, Unit: "ns", Better: lower, Noise: 0.12, Doc: "from the start of the process to the first good answer of GET /healthz; absent when there was none within 10 s"},
		{Name: metricCasesRight, Unit: "share", Better: higher, Doc: "weighted share of the cases of the scenario that came out right"},
		{Name: metricChecksums, Unit: "count", Better: lower, Doc: "rebuilds whose answer does not have the right checksum, or has no epoch of its own; refused ones (503) do not count"},
		{Name: metricRefused, Unit: "count", Better: lower, Doc: "rebuilds that were refused or not answered although there was room for them"},
		{Name: metricQuotesWrong, Unit: "count", Better: lower, Doc: "quotes whose three numbers do not belong to one table, or that went back to an older one"},
		{Name: metricPolicy, Unit: "share", Better: higher, Doc: "share of the rebuilds beyond the ten that there is room for which were answered by 503 and Retry-After at once; only as many as were taken of the ten"},
		{Name: metricSurvived, Unit: "ratio", Better: higher, Doc: "1 when a rebuild after the poisoned ones is answered rightly, else 0"},
		{Name: metricStarved, Unit: "ns", Better: lower, Noise: 0.3, Doc: "longest delay of timers during which callbacks of process.nextTick or queueMicrotask ran all the time, as the probe saw it; it tells STARVATION from LOOP_BLOCKED and earns nothing"},
		{Name: metricQuoteP50, Unit: "ns", Better: lower, Noise: 0.12, Doc: "median time until a quote of the open load of 100 a second was answered while there were rebuilds to do, from when it was due"},
		{Name: metricQuoteP99, Unit: "ns", Better: lower, Noise: 0.12, Doc: "99th percentile of the same"},
		{Name: metricRebuildTime, Unit: "ns", Better: lower, Noise: 0.08, Doc: "wall time of all rebuilds of the scenario together, from the first request to the last answer"},
		{Name: metricCPU, Unit: "ns", Better: lower, Noise: 0.06, Doc: "CPU time of all threads and processes over the whole run, for each rebuild; absent unless every rebuild was answered rightly"},
		{Name: metricThreads, Unit: "count", Better: lower, Doc: "most threads of all processes at one time"},
		{Name: metricProcesses, Unit: "count", Better: lower, Doc: "most processes at one time"},
		{Name: metricMemPeak, Unit: "bytes", Better: lower, Noise: 0.04, Doc: "largest anonymous and shared memory of the whole container"},
	}
	return append(own, heartbeat.Metrics("GET /healthz and POST /quote in turn, while there were rebuilds to do")...)
}
