package httpscript

import (
	"encoding/json"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// Name is what a scenario calls this workload.
const Name = "http-script"

// Grader implements graders.Grader. It has no state.
type Grader struct{}

var (
	_ graders.Grader   = (*Grader)(nil)
	_ graders.Settings = (*Grader)(nil)
)

// New returns the grader.
func New() *Grader { return &Grader{} }

// Name implements workload.Workload.
func (*Grader) Name() string { return Name }

// Compare implements graders.Grader. Nothing here needs two scenarios to be seen.
func (*Grader) Compare(map[string]evidence.Run, map[string]json.RawMessage) (map[string]evidence.Measures, error) {
	return nil, nil
}

// The reason codes this grader gives beside those that steps name.
const (
	codeWrongOutput = "WRONG_OUTPUT"
	codeHang        = signs.Hang
	codeCrash       = evidence.CodeCrash
	codeTamper      = evidence.CodeTamper
)

// The names of the metrics.
const (
	metricStart     = "start"
	metricRestart   = "restart.max"
	metricRight     = "cases.right"
	metricWrong     = "cases.wrong"
	metricAfterKill = "afterKill.right"
	metricFailed    = "requests.failed"
	metricSurvived  = "survived"
	metricP50       = "answer.p50"
	metricP99       = "answer.p99"
	metricMax       = "answer.max"
	metricCalls     = "upstream.calls"
	metricOpen      = "upstream.open"
	metricCPU       = "cpu.total"
	metricThreads   = "threads.max"
	metricMemPeak   = "mem.peak"
)

// Metrics implements graders.Grader.
func (*Grader) Metrics() []evidence.MetricDoc {
	lower, higher := evidence.LowerIsBetter, evidence.HigherIsBetter
	own := []evidence.MetricDoc{
		{Name: metricStart, Unit: "ns", Better: lower, Noise: 0.12, Doc: "from the start of the process to the first good answer of GET /healthz; absent when there was none within 10 s"},
		{Name: metricRestart, Unit: "ns", Better: lower, Noise: 0.12, Doc: "the longest of the same after a kill; absent when there was none"},
		{Name: metricRight, Unit: "share", Better: higher, Doc: "weighted share of the steps with a request whose answers were as expected"},
		{Name: metricWrong, Unit: "count", Better: lower, Doc: "steps that were not"},
		{Name: metricAfterKill, Unit: "share", Better: higher, Doc: "weighted share of the steps after the first kill that were right; absent when there is none"},
		{Name: metricFailed, Unit: "count", Better: lower, Doc: "requests without a complete answer within their time"},
		{Name: metricSurvived, Unit: "ratio", Better: higher, Doc: "1 when the service was ready in time and ran until it was ended, else 0"},
		{Name: metricP50, Unit: "ns", Better: lower, Noise: 0.12, Doc: "median time from a request to its complete answer, over all requests that were answered"},
		{Name: metricP99, Unit: "ns", Better: lower, Noise: 0.2, Doc: "99th percentile of the same"},
		{Name: metricMax, Unit: "ns", Better: lower, Noise: 0.3, Doc: "longest of the same"},
		{Name: metricCalls, Unit: "count", Better: evidence.Neutral, Doc: "calls that reached the upstreams, all together"},
		{Name: metricOpen, Unit: "count", Better: lower, Doc: "most connections to one upstream at one time"},
		{Name: metricCPU, Unit: "ns", Better: lower, Noise: 0.06, Doc: "CPU time of all threads and processes; absent unless every step was right"},
		{Name: metricThreads, Unit: "count", Better: lower, Doc: "most threads of all processes at one time"},
		{Name: metricMemPeak, Unit: "bytes", Better: lower, Noise: 0.04, Doc: "largest anonymous and shared memory of the whole container"},
	}
	own = append(own, backends.Metrics()...)
	return append(own, heartbeat.Metrics("GET of the path in heartbeat; the worst process when there were kills")...)
}
