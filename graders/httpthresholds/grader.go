package httpthresholds

import (
	"encoding/json"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// Name is what a scenario calls this workload.
const Name = "http-load"

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

// The reason codes this grader gives. SLOW, LOOP_BLOCKED and others that compare with a threshold are for criteria to give.
const (
	codeWrongOutput = "WRONG_OUTPUT"
	codeHang        = signs.Hang
	codeCrash       = evidence.CodeCrash
	codeTamper      = evidence.CodeTamper
)

// The names of the metrics.
const (
	metricStart     = "start"
	metricP50       = "latency.p50"
	metricP99       = "latency.p99"
	metricP999      = "latency.p999"
	metricMax       = "latency.max"
	metricErrors    = "errors.share"
	metricRate      = "rate.sent"
	metricGood      = "rate.good"
	metricGoodShare = "rate.share"
	metricRight     = "answers.right"
	metricBefore    = "before.failed"
	metricSurvived  = "survived"
	metricCalls     = "upstream.calls"
	metricOpen      = "upstream.open"
	metricCPU       = "cpu.perRequest"
	metricThreads   = "threads.max"
	metricMemPeak   = "mem.peak"
)

// Metrics implements graders.Grader.
func (*Grader) Metrics() []evidence.MetricDoc {
	lower, higher := evidence.LowerIsBetter, evidence.HigherIsBetter
	own := []evidence.MetricDoc{
		{Name: metricStart, Unit: "ns", Better: lower, Noise: 0.12, Doc: "from the start of the process to the first good answer of GET /healthz; absent when there was none within 10 s"},
		{Name: metricP50, Unit: "ns", Better: lower, Noise: 0.12, Doc: "median time until a request of the load was answered, or had failed, from when it was due; the warm-up does not count"},
		{Name: metricP99, Unit: "ns", Better: lower, Noise: 0.15, Doc: "99th percentile of the same"},
		{Name: metricP999, Unit: "ns", Better: lower, Noise: 0.25, Doc: "99.9th percentile of the same"},
		{Name: metricMax, Unit: "ns", Better: lower, Noise: 0.3, Doc: "longest of the same"},
		{Name: metricErrors, Unit: "share", Better: lower, Doc: "share of the requests after the warm-up that had no answer with the status asked for"},
		{Name: metricRate, Unit: "count", Better: higher, Noise: 0.02, Doc: "requests that were sent in a second, after the warm-up"},
		{Name: metricGood, Unit: "count", Better: higher, Noise: 0.02, Doc: "requests in a second that were answered with the status asked for"},
		{Name: metricGoodShare, Unit: "share", Better: higher, Noise: 0.02, Doc: "share of the requests due after the warm-up that were answered with the status asked for"},
		{Name: metricRight, Unit: "share", Better: higher, Doc: "share of up to 200 complete answers, spread over the load, that were as expected; absent when there is no answer"},
		{Name: metricBefore, Unit: "count", Better: lower, Doc: "requests before the load without an answer below 400"},
		{Name: metricSurvived, Unit: "ratio", Better: higher, Doc: "1 when the service was ready in time and ran until it was ended, else 0"},
		{Name: metricCalls, Unit: "count", Better: evidence.Neutral, Doc: "calls that reached the upstreams, all together"},
		{Name: metricOpen, Unit: "count", Better: lower, Doc: "most connections to one upstream at one time"},
		{Name: metricCPU, Unit: "ns", Better: lower, Noise: 0.08, Doc: "CPU time of all threads and processes over the whole run for each good answer; absent when there is none"},
		{Name: metricThreads, Unit: "count", Better: lower, Doc: "most threads of all processes at one time"},
		{Name: metricMemPeak, Unit: "bytes", Better: lower, Noise: 0.04, Doc: "largest anonymous and shared memory of the whole container"},
	}
	own = append(own, backends.Metrics()...)
	return append(own, heartbeat.Metrics("GET of the path in heartbeat, during the load after its warm-up")...)
}
