package platform

import "time"

// JobKind says why a grading is made.
type JobKind string

// The kinds. Their order is that of their priority within an organisation.
const (
	JobFinal   JobKind = "final"
	JobRegrade JobKind = "regrade" // of a final submission, on a fresh seed
	JobDryRun  JobKind = "dry_run"
)

// Priority orders the kinds within an organisation: lower first.
func (k JobKind) Priority() int {
	switch k {
	case JobFinal:
		return 0
	case JobRegrade:
		return 1
	default:
		return 2
	}
}

// Job is one grading of one submission, as the platform sees it.
type Job struct {
	ID           ID
	Org          OrgID
	SubmissionID ID
	AttemptID    ID
	CandidateID  ID
	ChallengeID  string
	Kind         JobKind
	Mode         string // of the graders
	State        JobState
	Why          string // why it waits or has ended, for people; may be empty
	// Tries counts the claims; MaxTries is how many there may be: DefaultMaxTries, and one more for each worker that was lost with it.
	Tries, MaxTries int
	// Fence is the generation of the lease: each claim makes it one larger, and only the holder of the newest one may
	// write. It is what keeps a worker that was thought dead from writing a verdict beside its successor's.
	Fence           int64
	WorkerID        ID
	LeaseUntil      time.Time // a worker that is silent until then is taken for dead
	CancelRequested bool      // the worker learns it with its next heartbeat
	Progress        string    // what the worker is at, for people
	RunAfter        time.Time // it waits at least so long
	CreatedAt       time.Time
	StartedAt       time.Time // of the newest claim
	FinishedAt      time.Time
	// Lap is the job's place among those of its candidate; see NextLap.
	Lap int64
}

// JobState is where a job stands.
type JobState string

// The states of a job.
const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobRetrying  JobState = "retrying"  // waits to be made again after a fault of ours or an invalid grading
	JobGraded    JobState = "graded"    // there is a result
	JobInvalid   JobState = "invalid"   // no grading could be trusted, also after the repeats; nothing is charged
	JobFailed    JobState = "failed"    // our own faults, also after the repeats; nothing is charged
	JobCancelled JobState = "cancelled" // by the candidate or the team
)

// JobStates are all of them.
func JobStates() []JobState {
	return []JobState{JobQueued, JobRunning, JobRetrying, JobGraded, JobInvalid, JobFailed, JobCancelled}
}

// Waiting says whether a worker may still claim it.
func (s JobState) Waiting() bool { return s == JobQueued || s == JobRetrying }

// Over says whether nothing more happens to it.
func (s JobState) Over() bool { return !s.Waiting() && s != JobRunning }

// JobEvent is what happens to a job.
type JobEvent string

// The events.
const (
	JobClaim         JobEvent = "claim"
	JobFinish        JobEvent = "finish"
	JobRetry         JobEvent = "retry"           // after a fault or an invalid grading, or when the worker was lost
	JobGiveUp        JobEvent = "give up"         // the last try had a fault
	JobGiveUpInvalid JobEvent = "give up invalid" // the last try was invalid
	JobRelease       JobEvent = "release"         // the worker drains: put back, nothing counted
	JobCancel        JobEvent = "cancel"
)

// JobEvents are all of them.
func JobEvents() []JobEvent {
	return []JobEvent{JobClaim, JobFinish, JobRetry, JobGiveUp, JobGiveUpInvalid, JobRelease, JobCancel}
}

// On is the state after an event, or a Conflict error when the event cannot happen in this state.
func (s JobState) On(e JobEvent) (JobState, error) {
	type step struct {
		from JobState
		on   JobEvent
	}
	switch (step{s, e}) {
	case step{JobQueued, JobClaim}, step{JobRetrying, JobClaim}:
		return JobRunning, nil
	case step{JobRunning, JobFinish}:
		return JobGraded, nil
	case step{JobRunning, JobRetry}:
		return JobRetrying, nil
	case step{JobRunning, JobGiveUp}:
		return JobFailed, nil
	case step{JobRunning, JobGiveUpInvalid}:
		return JobInvalid, nil
	case step{JobRunning, JobRelease}:
		return JobQueued, nil
	case step{JobQueued, JobCancel}, step{JobRetrying, JobCancel}, step{JobRunning, JobCancel}:
		return JobCancelled, nil
	}
	return s, Errorf(Conflict, "A grading that is %s cannot %s.", s, e)
}

// Fault is why a try gave no verdict.
type Fault string

// The faults.
const (
	FaultInfrastructure Fault = "infrastructure" // engine down, disk full, …
	FaultInvalid        Fault = "invalid"        // the grading said itself that it cannot be trusted
	FaultLost           Fault = "lost"           // the worker fell silent
)

// Event is what a fault does to a job that has had so many tries.
func (f Fault) Event(tries, maxTries int) JobEvent {
	switch {
	case tries < maxTries:
		return JobRetry
	case f == FaultInvalid:
		return JobGiveUpInvalid
	default:
		return JobGiveUp
	}
}

// Backoff is how long a job waits after its n-th try had a fault, from 15 s, four times as long each time, to 30 min.
func Backoff(n int) time.Duration {
	const first, most = 15 * time.Second, 30 * time.Minute
	wait := first
	for range n - 1 {
		if wait *= 4; wait >= most {
			return most
		}
	}
	return wait
}

// DefaultMaxTries is how often a grading is tried.
const DefaultMaxTries = 4

// MaxLosses is how many workers may be lost with a grading before that counts as a try of its own: servers are restarted, and that
// says nothing of what they graded. It is bounded, for a grading could be what ends them.
const MaxLosses = 16

// Fault counts a fault of a try that ran, and says how long the job waits then. A loss costs no time at first: the machine was at
// fault.
func (j *Job) Fault(f Fault) (wait time.Duration) {
	losses := j.MaxTries - DefaultMaxTries
	if f != FaultLost {
		return Backoff(j.Tries - losses)
	}
	if losses < MaxLosses {
		j.MaxTries++
	}
	const atOnce, most = 4, time.Minute
	if losses < atOnce {
		return 0
	}
	return min(Backoff(losses-atOnce+1), most)
}
