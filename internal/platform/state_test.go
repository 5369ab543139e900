package platform_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/platform"
)

// arrows is a whole state machine, "from event" to state. What is missing from it must be refused.
type arrows map[string]string

var (
	invitationArrows = arrows{
		"pending open":       "opened",
		"opened open":        "opened",
		"started open":       "started",
		"completed open":     "completed",
		"pending start":      "started",
		"opened start":       "started",
		"started start":      "started",
		"completed start":    "started",
		"completed reopen":   "started",
		"started complete":   "completed",
		"pending withdraw":   "withdrawn",
		"opened withdraw":    "withdrawn",
		"started withdraw":   "withdrawn",
		"completed withdraw": "withdrawn",
		"pending revoke":     "revoked",
		"opened revoke":      "revoked",
		"started revoke":     "revoked",
	}
	attemptArrows = arrows{
		"running extend":   "running",
		"expired extend":   "running",
		"running hand in":  "grading",
		"grading regrade":  "grading",
		"review regrade":   "grading",
		"decided regrade":  "grading",
		"running time out": "expired",
		"grading settle":   "review",
		"decided undecide": "review",
		"review decide":    "decided",
		"decided decide":   "decided",
		"expired decide":   "decided",
		"running withdraw": "withdrawn",
		"grading withdraw": "withdrawn",
		"review withdraw":  "withdrawn",
		"decided withdraw": "withdrawn",
		"expired withdraw": "withdrawn",
	}
	jobArrows = arrows{
		"queued claim":            "running",
		"retrying claim":          "running",
		"running finish":          "graded",
		"running retry":           "retrying",
		"running give up":         "failed",
		"running give up invalid": "invalid",
		"running release":         "queued",
		"queued cancel":           "cancelled",
		"retrying cancel":         "cancelled",
		"running cancel":          "cancelled",
	}
)

// machine asks every state for every event, whatever their types.
func machine[S, E ~string](t *testing.T, want arrows, states []S, events []E, on func(S, E) (S, error)) {
	t.Helper()
	seen := 0
	for _, s := range states {
		for _, e := range events {
			name := fmt.Sprintf("%s %s", s, e)
			got, err := on(s, e)
			to, legal := want[name]
			if !legal {
				assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "%s is refused", name)
				assert.Equal(t, s, got, "%s changes nothing", name)
				continue
			}
			seen++
			assert.NoError(t, err, name)
			assert.Equal(t, S(to), got, name)
		}
	}
	assert.Equal(t, len(want), seen, "every arrow was tried")
}

var (
	invitationStates = []platform.InvitationState{
		platform.InvitationPending, platform.InvitationOpened, platform.InvitationStarted, platform.InvitationCompleted,
		platform.InvitationWithdrawn, platform.InvitationRevoked, platform.InvitationExpired,
	}
	invitationEvents = []platform.InvitationEvent{
		platform.InvitationOpen, platform.InvitationStart, platform.InvitationComplete, platform.InvitationReopen,
		platform.InvitationWithdraw, platform.InvitationRevoke,
	}
)

func TestStateMachines(t *testing.T) {
	t.Parallel()
	t.Run("invitation", func(t *testing.T) {
		t.Parallel()
		machine(t, invitationArrows, invitationStates, invitationEvents, platform.InvitationState.On)
	})
	t.Run("attempt", func(t *testing.T) {
		t.Parallel()
		machine(t, attemptArrows, platform.AttemptStates(), platform.AttemptEvents(), platform.AttemptState.On)
	})
	t.Run("job", func(t *testing.T) {
		t.Parallel()
		machine(t, jobArrows, platform.JobStates(), platform.JobEvents(), platform.JobState.On)
	})
}

// walk puts random events on a machine and checks each step against what never may happen.
func walk[S, E ~string](t *rapid.T, start S, events []E, on func(S, E) (S, error), final []S) {
	state, over := start, false
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		e := rapid.SampledFrom(events).Draw(t, "event")
		next, err := on(state, e)
		if err != nil {
			if next != state {
				t.Fatalf("%s on %s was refused and still moved to %s", state, e, next)
			}
			continue
		}
		if over {
			t.Fatalf("%s is final, yet %s moved it to %s", state, e, next)
		}
		state = next
		for _, f := range final {
			over = over || state == f
		}
	}
}

func TestNoWayOutOfAFinalState(t *testing.T) {
	t.Parallel()
	t.Run("invitation", rapid.MakeCheck(func(t *rapid.T) {
		walk(t, platform.InvitationPending, invitationEvents, platform.InvitationState.On,
			[]platform.InvitationState{platform.InvitationWithdrawn, platform.InvitationRevoked})
	}))
	t.Run("attempt", rapid.MakeCheck(func(t *rapid.T) {
		walk(t, platform.AttemptRunning, platform.AttemptEvents(), platform.AttemptState.On,
			[]platform.AttemptState{platform.AttemptWithdrawn})
	}))
	t.Run("job", rapid.MakeCheck(func(t *rapid.T) {
		walk(t, platform.JobQueued, platform.JobEvents(), platform.JobState.On, []platform.JobState{
			platform.JobGraded, platform.JobInvalid, platform.JobFailed, platform.JobCancelled,
		})
	}))
}

func TestInvitationExpires(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		state platform.InvitationState
		now   time.Time
		want  platform.InvitationState
		gone  bool
	}{
		{"pending in time", platform.InvitationPending, end.Add(-time.Millisecond), platform.InvitationPending, false},
		{"pending at the end", platform.InvitationPending, end, platform.InvitationExpired, true},
		{"opened too late", platform.InvitationOpened, end.Add(time.Hour), platform.InvitationExpired, true},
		{"started goes on", platform.InvitationStarted, end.Add(time.Hour), platform.InvitationStarted, false},
		{"completed may read the report", platform.InvitationCompleted, end.Add(time.Hour), platform.InvitationCompleted, false},
		{"revoked", platform.InvitationRevoked, end.Add(-time.Hour), platform.InvitationRevoked, true},
		{"withdrawn", platform.InvitationWithdrawn, end.Add(-time.Hour), platform.InvitationWithdrawn, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := platform.Invitation{State: tt.state, ExpiresAt: end}
			assert.Equal(t, tt.want, i.StateAt(tt.now))
			err := i.Usable(tt.now)
			if tt.gone {
				assert.Equal(t, platform.Gone, platform.ErrorCode(err))
			} else {
				assert.NoError(t, err)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	assert.Equal(t, platform.JobRetry, platform.FaultInfrastructure.Event(3, 4))
	assert.Equal(t, platform.JobGiveUp, platform.FaultInfrastructure.Event(4, 4))
	assert.Equal(t, platform.JobGiveUp, platform.FaultLost.Event(4, 4))
	assert.Equal(t, platform.JobGiveUpInvalid, platform.FaultInvalid.Event(5, 4))
	var waits []time.Duration
	for n := range 7 {
		waits = append(waits, platform.Backoff(n))
	}
	require.Equal(t, []time.Duration{
		15 * time.Second, 15 * time.Second, time.Minute, 4 * time.Minute, 16 * time.Minute, 30 * time.Minute, 30 * time.Minute,
	}, waits)
}
