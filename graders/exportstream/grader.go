package exportstream

import (
	"encoding/json"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// Name is what a scenario calls this workload.
const Name = "export-stream"

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

// The reason codes this grader gives. BACKPRESSURE_MISSING and SLOW need the reference to be judged: they are in challenge.yaml.
const (
	codeWrongOutput = "WRONG_OUTPUT"
	codeTruncation  = "SILENT_TRUNCATION"
	codeSourceLeak  = "SOURCE_LEAK"
	codeHang        = signs.Hang
	codeCrash       = evidence.CodeCrash
	codeTamper      = evidence.CodeTamper
)

// contractMemory is the memory limit of the challenge.
const contractMemory = 192 << 20

// The names of the metrics.
const (
	metricStart     = "start"
	metricBytes     = "bytes.right"
	metricHeld      = "held"
	metricBegan     = "slow.began"
	metricServed    = "slow.served"
	metricClosed    = "aborts.closed"
	metricVisible   = "failures.visible"
	metricRate      = "fast.rate"
	metricCPU       = "cpu.perGiB"
	metricProcesses = "processes.max"
	metricMemPeak   = "mem.peak"
)

// Metrics implements graders.Grader.
func (*Grader) Metrics() []evidence.MetricDoc {
	lower, higher := evidence.LowerIsBetter, evidence.HigherIsBetter
	own := []evidence.MetricDoc{
		{Name: metricStart, Unit: "ns", Better: lower, Noise: 0.12, Doc: "from the start of the process to the first good answer of GET /healthz; absent when there was none within 10 s"},
		{Name: metricBytes, Unit: "share", Better: higher, Doc: "weighted share of the exports, and in the contract of other requests, that were answered rightly; an export whose client left is right when everything was until then"},
		{Name: metricHeld, Unit: "bytes", Better: lower, Noise: 0.06, Doc: "the most that was held of one export of a slow or a stalled client, the mean of all such: bytes that the source has been relieved of, less those that the client has been given and those that wait in the kernel's queues on both sides, all as bytes of the source; absent when no source was asked for any"},
		{Name: metricBegan, Unit: "share", Better: higher, Doc: "share of the slow clients that were given something; it tells data that pile up behind a slow client from data that are collected before anything is sent"},
		{Name: metricServed, Unit: "share", Better: higher, Noise: 0.02, Doc: "what the slow clients were given of what they would have taken at 32 KiB a second, their first second left out; nothing for one that was cut off, or whose source was given up before it left"},
		{Name: metricClosed, Unit: "share", Better: higher, Doc: "share of the exports whose client left where the connection to the source was closed within a second; absent when no client left"},
		{Name: metricVisible, Unit: "share", Better: higher, Doc: "share of the failures of a source that a client could see: the answer was cut or reset, or had a status from 500 on"},
		{Name: metricRate, Unit: "bytes/s", Better: higher, Noise: 0.05, Doc: "bytes of the source a second that a fast client was given beside all others, from one second after their begin; absent when the process ended before the time was up"},
		{Name: metricCPU, Unit: "ns", Better: lower, Noise: 0.05, Doc: "CPU time of all threads and processes over the whole run, for each GiB of the source that clients were given; absent below 16 MiB"},
		{Name: metricProcesses, Unit: "count", Better: lower, Doc: "most processes at one time"},
		{Name: metricMemPeak, Unit: "bytes", Better: lower, Noise: 0.06, Doc: "largest anonymous and shared memory of the whole container"},
	}
	return append(own, heartbeat.Metrics("GET /healthz, and each tenth time a small export, while clients of every kind read")...)
}
