package exactlyonce

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// Name is what a scenario calls this workload.
const Name = "queue-exactly-once"

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
	codeWrongOutput = "WRONG_OUTPUT"
	codeLost        = "LOST_EFFECT"
	codeDuplicate   = "DUPLICATE_EFFECT"
	codeOrder       = "ORDER_VIOLATION"
	codePool        = "POOL_EXHAUSTED"
	codeSlow        = "SLOW"
	codeSwallowed   = "ERROR_SWALLOWED"
	codeBoundary    = "BOUNDARY_TRUST"
	codeHang        = signs.Hang
	codeCrash       = evidence.CodeCrash
)

// contractMemory is the memory limit of the challenge, contractConnections how many connections to the database it may have.
const (
	contractMemory      = 256 << 20
	contractConnections = 10
)

// The names of the metrics.
const (
	metricStart       = "start"
	metricEffects     = "effects.right"
	metricLost        = "lost"
	metricDuplicated  = "duplicated"
	metricWrong       = "changes.wrong"
	metricOrder       = "order.violations"
	metricLag         = "lag"
	metricCrash       = "crash.right"
	metricPoison      = "poison.right"
	metricBelieved    = "poison.effects"
	metricConnections = "db.connections"
	metricStatements  = "db.statements"
	metricMemPeak     = "mem.peak"
	metricIdle        = "idle.cpu"
	metricPolls       = "idle.polls"
	metricCPU         = "cpu.perMessage"
)

// Metrics implements graders.Grader.
func (*Grader) Metrics() []evidence.MetricDoc {
	lower, higher := evidence.LowerIsBetter, evidence.HigherIsBetter
	return []evidence.MetricDoc{
		{Name: metricStart, Unit: "ns", Better: lower, Noise: 0.12, Doc: "from the first start of the process to the first good answer of GET /healthz; absent when there was none within 10 s"},
		{Name: metricEffects, Unit: "share", Better: higher, Doc: "share of the good messages that have had exactly one effect when the run is over"},
		{Name: metricLost, Unit: "count", Better: lower, Doc: "good messages that were acknowledged, or put aside as dead letters, and never had an effect"},
		{Name: metricDuplicated, Unit: "count", Better: lower, Doc: "effects beyond the first of a message"},
		{Name: metricWrong, Unit: "count", Better: lower, Doc: "changes of a row that no message and no run of consecutive messages explains"},
		{Name: metricOrder, Unit: "count", Better: lower, Doc: "messages whose effect came after that of a later one of the same key"},
		{Name: metricLag, Unit: "ns", Better: lower, Noise: 0.2, Doc: "from the last message published to the last effect; at least the time that was waited, when messages were left. Those behind an unsettled poison message do not count"},
		{Name: metricCrash, Unit: "share", Better: higher, Doc: "over all rounds of SIGKILL: half for being ready again within 10 s, half for each message that was leased at that moment having had exactly one effect"},
		{Name: metricPoison, Unit: "share", Better: higher, Doc: "share of the poison messages that were put aside as dead letters; 0 when one of them had an effect"},
		{Name: metricBelieved, Unit: "count", Better: lower, Doc: "poison messages that had an effect all the same"},
		{Name: metricConnections, Unit: "count", Better: lower, Doc: "most connections to the database at one time"},
		{Name: metricStatements, Unit: "ratio", Better: lower, Doc: "statements sent to the database for each message"},
		{Name: metricMemPeak, Unit: "bytes", Better: lower, Noise: 0.04, Doc: "largest anonymous and shared memory of the whole container, over all its lives"},
		{Name: metricIdle, Unit: "ratio", Better: lower, Noise: 0.3, Doc: "share of a core that it uses when there is nothing to do; absent when it was never done"},
		{Name: metricPolls, Unit: "count", Better: lower, Doc: "requests for messages a second when there are none; absent when it was never done"},
		{Name: metricCPU, Unit: "ns", Better: lower, Noise: 0.08, Doc: "CPU time of all lives together, for each message published"},
	}
}

// version is raised when the same seed gives other data.
const version = 1

// Prepare implements graders.Grader. There are no input files: driver and judge make the messages from the seed.
func (*Grader) Prepare(_ context.Context, p graders.Preparation) (graders.Prepared, error) {
	s, err := parseSettings(p.With)
	if err != nil {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	sum := sha256.Sum256(fmt.Appendf(append([]byte(nil), p.Seed...), "v%d %s %+v", version, Name, s))
	raw, err := json.Marshal(makePlan(s, sum[:], p.Timeout))
	if err != nil {
		return graders.Prepared{}, fmt.Errorf("write plan: %w", err)
	}
	return graders.Prepared{Params: raw, Truth: raw, Bytes: int64(s.seconds * s.rate)}, nil
}
