package debugservice

import (
	"encoding/json"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// Name is what a scenario calls this workload.
const Name = "debug-service"

// Grader implements graders.Grader. It has no state.
type Grader struct{}

var (
	_ graders.Settings     = (*Grader)(nil)
	_ graders.HandInReader = (*Grader)(nil)
)

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
	codeWrongOutput   = "WRONG_OUTPUT"
	codeStaleRead     = "STALE_READ"
	codeMaskedFix     = "MASKED_FIX"
	codeLoopBlocked   = "LOOP_BLOCKED"
	codeNPlusOne      = "N_PLUS_ONE"
	codeSlow          = "SLOW"
	codeSlowSerial    = "SLOW_SERIAL"
	codePoolExhausted = "POOL_EXHAUSTED"
	codeConnStorm     = "CONN_STORM"
	codeRetryStorm    = "RETRY_STORM"
	codeHang          = signs.Hang
	codeCrash         = evidence.CodeCrash
	codeTamper        = evidence.CodeTamper
)

// contractMemory is the memory limit of the challenge.
const contractMemory = 512 << 20

// The names of the metrics.
const (
	metricStart     = "start"
	metricWrong     = "cases.wrong"
	metricRight     = "cases.right"
	metricStale     = "stale"
	metricAudited   = "audit.kept"
	metricRemaining = "causes.left"
	metricF1        = "diagnosis.f1"
	metricPrecision = "diagnosis.precision"
	metricRecall    = "diagnosis.recall"
	metricP50       = "wait.p50"
	metricP95       = "wait.p95"
	metricRate      = "rate"
	metricCPU       = "cpu.perRequest"
	metricThreads   = "threads.max"
	metricProcesses = "processes.max"
	metricMemPeak   = "mem.peak"
)

// Metrics implements graders.Grader.
func (*Grader) Metrics() []evidence.MetricDoc {
	lower, higher := evidence.LowerIsBetter, evidence.HigherIsBetter
	return []evidence.MetricDoc{
		{Name: metricStart, Unit: "ns", Better: lower, Noise: 0.12, Doc: "from the start of the process to the first good answer of GET /healthz; absent when there was none within 10 s"},
		{Name: metricWrong, Unit: "count", Better: lower, Doc: "requests with a known answer that were answered otherwise, in the script or under load; those cut off at the end of the load do not count"},
		{Name: metricRight, Unit: "share", Better: higher, Doc: "share of the requests of the script that were answered rightly"},
		{Name: metricStale, Unit: "count", Better: lower, Doc: "answers with a price or a stock that was no longer right"},
		{Name: metricAudited, Unit: "share", Better: higher, Doc: "share of the requests of the script that were in the audit log, rightly, within 2 s"},
		{Name: metricRemaining, Unit: "count", Better: lower, Doc: "of the 16 causes, those whose check found them, or could not be made"},
		{Name: metricF1, Unit: "share", Better: higher, Doc: "F1 of the diagnosis against the causes of the form: 2 · right / (entries + causes); absent for solutions of ours"},
		{Name: metricPrecision, Unit: "share", Better: higher, Doc: "right entries of the diagnosis / entries"},
		{Name: metricRecall, Unit: "share", Better: higher, Doc: "right entries of the diagnosis / causes of the form"},
		{Name: metricP50, Unit: "ns", Better: lower, Noise: 0.2, Doc: "median of what requests of the open load waited beyond what the services behind them take; logins and exports, which are work by themselves, are left out"},
		{Name: metricP95, Unit: "ns", Better: lower, Noise: 0.2, Doc: "95th percentile of the same"},
		{Name: metricRate, Unit: "count", Better: higher, Noise: 0.1, Doc: "answers a second to 10 clients that ask again at once"},
		{Name: metricCPU, Unit: "ns", Better: lower, Noise: 0.08, Doc: "CPU time of all threads and processes over the whole run, for each request that was answered under load"},
		{Name: metricThreads, Unit: "count", Better: lower, Doc: "most threads of all processes at one time"},
		{Name: metricProcesses, Unit: "count", Better: lower, Doc: "most processes at one time"},
		{Name: metricMemPeak, Unit: "bytes", Better: lower, Noise: 0.04, Doc: "largest anonymous and shared memory of the whole container"},
	}
}
