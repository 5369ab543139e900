package resilienthome

import (
	"encoding/json"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// Name is what a scenario calls this workload.
const Name = "resilient-home"

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
	codeHang            = signs.Hang
	codeCrash           = evidence.CodeCrash
	codeTamper          = evidence.CodeTamper
	codeNoFallback      = "NO_FALLBACK"
	codeErrorSwallowed  = "ERROR_SWALLOWED"
	codeBadErrors       = "BAD_ERRORS"
	codeRetryStorm      = "RETRY_STORM"
	codeRetryUnsafe     = "RETRY_UNSAFE"
	codeDuplicateEffect = "DUPLICATE_EFFECT"
	codeNoJitter        = "NO_JITTER"
	codeNoBackoff       = "NO_BACKOFF"
	codeNoBreaker       = "NO_BREAKER"
	codeLeak            = "LEAK"
	codeStaleRead       = "STALE_READ"
	codeWrongOutput     = "WRONG_OUTPUT"
	codeLostEffect      = "LOST_EFFECT"
)

// contractMemory is the memory limit of the challenge.
const contractMemory = 256 << 20

// The names of the metrics.
const (
	metricStart         = "start"
	metricCasesRight    = "cases.right"
	metricPagesRight    = "pages.right"
	metricAvailability  = "availability"
	metricP50           = "latency.p50"
	metricP99           = "latency.p99"
	metricAmplification = "amplification"
	metricCallsRequest  = "calls.perRequest"
	metricTries         = "tries.max"
	metricOutageCalls   = "outage.calls"
	metricRetried       = "retried"
	metricGapFirst      = "gap.first"
	metricGapSecond     = "gap.second"
	metricGrowth        = "backoff.growth"
	metricSpread        = "jitter.spread"
	metricPeak          = "jitter.peak"
	metricPlaysTwice    = "plays.repeated"
	metricPlaysRight    = "plays.right"
	metricEarly         = "retryafter.calls"
	metricRecovery      = "recovery"
	metricSockets       = "hung.sockets"
	metricHeld          = "hung.held"
	metricMemPeak       = "mem.peak"
	metricCPU           = "cpu.perRequest"
)

// Metrics implements graders.Grader.
func (*Grader) Metrics() []evidence.MetricDoc {
	lower, higher := evidence.LowerIsBetter, evidence.HigherIsBetter
	return []evidence.MetricDoc{
		{Name: metricStart, Unit: "ns", Better: lower, Noise: 0.12, Doc: "from the start of the process to the first good answer of GET /healthz; absent when there was none within 10 s"},
		{Name: metricCasesRight, Unit: "share", Better: higher, Doc: "weighted share of the cases of the scenario that came out right"},
		{Name: metricPagesRight, Unit: "share", Better: higher, Doc: "share of the answers to GET /home that say what the services said: each part, what is missing, and errors in the agreed form; those given while profile is in trouble weigh a quarter"},
		{Name: metricAvailability, Unit: "share", Better: higher, Noise: 0.002, Doc: "share of the pages asked for while at most optional services failed that came, with the right profile, within 3 s"},
		{Name: metricP50, Unit: "ns", Better: lower, Noise: 0.12, Doc: "median time until a request was answered, from when it was due, over all phases but the first second"},
		{Name: metricP99, Unit: "ns", Better: lower, Noise: 0.12, Doc: "99th percentile of the same; a request without an answer counts with the time that its client waited"},
		{Name: metricAmplification, Unit: "ratio", Better: lower, Noise: 0.02, Doc: "calls to recs for each page while 30 % of its calls failed, as if exactly 30 % had"},
		{Name: metricCallsRequest, Unit: "ratio", Better: lower, Noise: 0.02, Doc: "calls to all services for each request of the whole run; three when all is well"},
		{Name: metricTries, Unit: "count", Better: lower, Doc: "most calls to recs that one page has cost"},
		{Name: metricOutageCalls, Unit: "share", Better: lower, Noise: 0.1, Doc: "calls to recs from three seconds after it died on, as a share of the pages asked for meanwhile"},
		{Name: metricRetried, Unit: "share", Better: higher, Noise: 0.05, Doc: "share of the pages whose first call to recs failed, while 30 % did, that led to another call"},
		{Name: metricGapFirst, Unit: "ns", Better: higher, Noise: 0.1, Doc: "time between the failure of a first call to recs and the second call for the same page: mean of the middle 80 %"},
		{Name: metricGapSecond, Unit: "ns", Better: higher, Noise: 0.15, Doc: "the same between the second and the third"},
		{Name: metricGrowth, Unit: "ratio", Better: higher, Noise: 0.15, Doc: "second of these times over the first; 0 when fewer than a fifth of the failures were retried; absent when there are fewer than 20 second retries"},
		{Name: metricSpread, Unit: "ratio", Better: higher, Noise: 0.1, Doc: "spread of the first of these times: (Q3 - Q1) / (1.349 median); 0 when retries come at once or hardly at all; absent when there are fewer than 40"},
		{Name: metricPeak, Unit: "share", Better: lower, Noise: 0.15, Doc: "largest share, within 10 ms, of the first retries after common failures; 1 when failures are hardly retried; absent when there are fewer than 25"},
		{Name: metricPlaysTwice, Unit: "count", Better: lower, Doc: "plays that reached the service more than once"},
		{Name: metricPlaysRight, Unit: "share", Better: higher, Doc: "share of the plays that were answered as the service had answered, or by an error where it had not"},
		{Name: metricEarly, Unit: "share", Better: lower, Noise: 0.1, Doc: "calls to profile during the times for which it had asked to be left alone, as a share of the pages asked for meanwhile"},
		{Name: metricRecovery, Unit: "ns", Better: lower, Noise: 0.3, Doc: "from the moment that recs was well again to its first good answer; the length of the phase and a second when there was none"},
		{Name: metricSockets, Unit: "count", Better: lower, Noise: 0.1, Doc: "most connections to recs at a time while it did not answer"},
		{Name: metricHeld, Unit: "share", Better: lower, Noise: 0.05, Doc: "share of the unanswered calls to recs that were still open 1.2 s after they came; the budget is 800 ms"},
		{Name: metricMemPeak, Unit: "bytes", Better: lower, Noise: 0.04, Doc: "largest anonymous and shared memory of the whole container"},
		{Name: metricCPU, Unit: "ns", Better: lower, Noise: 0.06, Doc: "CPU time of all threads and processes over the whole run, for each request of the load"},
	}
}
