package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

const jobColumns = `j.org_id, j.id, j.submission_id, j.attempt_id, j.candidate_id, j.challenge_id, j.kind, j.mode, j.state, j.why,
	j.tries, j.max_tries, j.fence, j.worker_id, j.lease_until, j.cancel_requested, j.progress, j.run_after, j.created_at,
	j.started_at, j.finished_at, j.lap`

func scanJob(r row) (platform.Job, error) {
	j := platform.Job{}
	return j, r.Scan(&j.Org, &j.ID, &j.SubmissionID, &j.AttemptID, &j.CandidateID, &j.ChallengeID, &j.Kind, &j.Mode, &j.State, &j.Why,
		&j.Tries, &j.MaxTries, &j.Fence, &j.WorkerID, instant{&j.LeaseUntil}, &j.CancelRequested, &j.Progress, instant{&j.RunAfter},
		instant{&j.CreatedAt}, instant{&j.StartedAt}, instant{&j.FinishedAt}, &j.Lap)
}

// waiting is the condition of the index of jobs that a worker may claim.
const waiting = `state IN ('queued', 'retrying')`

// enqueue puts a job into the queue. Its candidate's lap is found here and never changes: see platform.NextLap.
func (tx *Tx) enqueue(ctx context.Context, s platform.Submission, kind platform.JobKind, mode string) (platform.Job, error) {
	var own, served int64
	err := tx.sql.QueryRowContext(ctx, `SELECT
		(SELECT COALESCE(MAX(lap), -1) FROM jobs WHERE org_id = $1 AND priority = $2 AND candidate_id = $3 AND `+waiting+`),
		(SELECT COALESCE(MAX(lap), 0) FROM jobs WHERE org_id = $1 AND priority = $2 AND turn > 0)`,
		s.Org, kind.Priority(), s.CandidateID).Scan(&own, &served)
	if err != nil {
		return platform.Job{}, failed("find place in the queue", err)
	}
	id := platform.NewID(platform.KindJob, tx.now)
	_, err = tx.exec(ctx, `INSERT INTO jobs (org_id, id, submission_id, attempt_id, candidate_id, challenge_id, kind, priority, mode, state,
		max_tries, lap, run_after, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		s.Org, id, s.ID, s.AttemptID, s.CandidateID, s.ChallengeID, kind, kind.Priority(), mode, platform.JobQueued,
		platform.DefaultMaxTries, platform.NextLap(own, served), ms(tx.now), ms(tx.now))
	if err != nil {
		return platform.Job{}, failed("write job", err)
	}
	return tx.Job(ctx, s.Org, id)
}

// Regrade puts a final submission into the queue again, to be graded on a fresh seed. While one of its gradings waits or
// runs there is no other. A decision no longer stands, but stays in the history.
func (tx *Tx) Regrade(ctx context.Context, org platform.OrgID, submission platform.ID) (platform.Job, error) {
	s, err := tx.Submission(ctx, org, submission)
	if err != nil {
		return platform.Job{}, err
	}
	if s.Kind != platform.Final || !s.Intake.Accepted {
		return platform.Job{}, platform.Errorf(platform.Conflict, "Only a final submission can be graded again.")
	}
	a, err := tx.lockWay(ctx, org, s.AttemptID)
	if err != nil {
		return platform.Job{}, err
	}
	busy := false
	err = tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) > 0 FROM jobs WHERE org_id = $1 AND submission_id = $2 AND state IN ('queued', 'retrying', 'running')`,
		org, submission).Scan(&busy)
	if err != nil {
		return platform.Job{}, failed("look for jobs", err)
	}
	if busy {
		return platform.Job{}, platform.Errorf(platform.Conflict, "It is being graded already.")
	}
	as, err := tx.AssessmentVersion(ctx, org, a.AssessmentID, a.AssessmentVersion)
	if err != nil {
		return platform.Job{}, err
	}
	ch, _ := as.Settings.Challenge(s.ChallengeID)
	if a.State != platform.AttemptRunning { // else the candidate still works on other challenges
		if err := tx.moveAttempt(ctx, &a, platform.AttemptRegrade); err != nil {
			return platform.Job{}, err
		}
		if _, err := tx.exec(ctx, `UPDATE attempts SET decision = '' WHERE org_id = $1 AND id = $2`, org, a.ID); err != nil {
			return platform.Job{}, failed("take decision back", err)
		}
	}
	return tx.enqueue(ctx, s, platform.JobRegrade, as.Settings.ModeOf(ch))
}

// Job reads a job.
func (tx *Tx) Job(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Job, error) {
	return tx.job(ctx, ``, org, id)
}

func (tx *Tx) job(ctx context.Context, lock string, org platform.OrgID, id platform.ID) (platform.Job, error) {
	j, err := scanJob(tx.sql.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE j.org_id = $1 AND j.id = $2`+lock, org, id))
	if err != nil {
		return platform.Job{}, found(err, "grading")
	}
	return j, nil
}

// JobFilter narrows a list of jobs. Empty fields narrow nothing.
type JobFilter struct {
	States       []platform.JobState
	AttemptID    platform.ID
	SubmissionID platform.ID
}

// Jobs lists an organisation's jobs, the newest first.
func (tx *Tx) Jobs(ctx context.Context, org platform.OrgID, f JobFilter, ask platform.Page) (platform.List[platform.Job], error) {
	p := &params{values: []any{org}}
	query := `SELECT ` + jobColumns + ` FROM jobs j WHERE j.org_id = $1`
	if len(f.States) > 0 {
		query += ` AND j.state IN ` + in(p, f.States)
	}
	if f.AttemptID != "" {
		query += ` AND j.attempt_id = ` + p.add(f.AttemptID)
	}
	if f.SubmissionID != "" {
		query += ` AND j.submission_id = ` + p.add(f.SubmissionID)
	}
	created := "j.created_at"
	if f.AttemptID != "" || f.SubmissionID != "" {
		// An attempt has few jobs, which an index finds. The sign keeps SQLite from reading all of the organisation's for the sake of
		// the order instead.
		created = "+j.created_at"
	}
	where, tail, err := p.older(ask, created, "j.id")
	if err != nil {
		return platform.List[platform.Job]{}, err
	}
	items, err := all(ctx, tx, scanJob, query+where+tail, p.values...)
	return page(items, ask, func(j platform.Job) platform.Mark { return platform.Mark{At: j.CreatedAt, ID: j.ID} }), failed("list jobs", err)
}

// moveJob does what an event does to a job that is locked. What the caller has changed of it is written too.
func (tx *Tx) moveJob(ctx context.Context, j *platform.Job, e platform.JobEvent) error {
	return tx.moveJobAt(ctx, j, e, 0)
}

// moveJobAt is moveJob for a claim, which has a turn; 0 leaves the turn of the newest claim.
func (tx *Tx) moveJobAt(ctx context.Context, j *platform.Job, e platform.JobEvent, turn int64) error {
	to, err := j.State.On(e)
	if err != nil {
		return err
	}
	j.State, j.Why = to, bounded(j.Why)
	if to != platform.JobRunning {
		j.LeaseUntil, j.Progress = time.Time{}, ""
	}
	if to.Over() {
		j.FinishedAt = tx.now
	}
	_, err = tx.exec(ctx, `UPDATE jobs SET state = $3, why = $4, tries = $5, fence = $6, worker_id = $7, lease_until = $8, progress = $9,
		run_after = $10, started_at = $11, finished_at = $12, turn = COALESCE($13, turn), max_tries = $14 WHERE org_id = $1 AND id = $2`,
		j.Org, j.ID, j.State, j.Why, j.Tries, j.Fence, j.WorkerID, orNull(j.LeaseUntil), j.Progress, ms(j.RunAfter), orNull(j.StartedAt),
		orNull(j.FinishedAt), sql.NullInt64{Int64: turn, Valid: turn > 0}, j.MaxTries)
	return failed("change job", err)
}

// lockJob reads and locks a job, with its attempt and invitation before it: always in that order.
func (tx *Tx) lockJob(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Job, platform.Attempt, error) {
	j, err := tx.Job(ctx, org, id)
	if err != nil {
		return platform.Job{}, platform.Attempt{}, err
	}
	a, err := tx.lockWay(ctx, org, j.AttemptID)
	if err != nil {
		return platform.Job{}, platform.Attempt{}, err
	}
	if j, err = tx.job(ctx, tx.forUpdate(), org, id); err != nil {
		return platform.Job{}, platform.Attempt{}, err
	}
	return j, a, nil
}

// held is lockJob for the worker that holds the newest lease. Anybody else gets a Conflict error: what they have found is of
// no use any more.
func (tx *Tx) held(ctx context.Context, org platform.OrgID, id platform.ID, fence int64) (platform.Job, platform.Attempt, error) {
	j, a, err := tx.lockJob(ctx, org, id)
	if err != nil {
		return platform.Job{}, platform.Attempt{}, err
	}
	if j.State != platform.JobRunning || j.Fence != fence {
		return platform.Job{}, platform.Attempt{}, errLeaseLost()
	}
	return j, a, nil
}

func errLeaseLost() error {
	return platform.Errorf(platform.Conflict, "This grading was taken from the worker: cancelled, or given to another one.")
}

// Heartbeat keeps the lease of a job and says what the worker is at. cancel tells the worker to stop, and then to call
// Cancelled. A Conflict error means that the lease is lost: stop, and write nothing.
func (tx *Tx) Heartbeat(ctx context.Context, org platform.OrgID, id platform.ID, fence int64, lease time.Duration, progress string) (cancel bool, err error) {
	err = tx.sql.QueryRowContext(ctx, `UPDATE jobs SET lease_until = $4, progress = $5 WHERE org_id = $1 AND id = $2 AND fence = $3
		AND state = 'running' RETURNING cancel_requested`, org, id, fence, ms(tx.now.Add(lease)), bounded(progress)).Scan(&cancel)
	if errors.Is(err, sql.ErrNoRows) {
		return false, errLeaseLost()
	}
	return cancel, failed("keep lease", err)
}

// Faulted ends a try that gave no verdict, for a reason that is ours: the job waits to be made again, or is given up after
// its last try. Nothing is charged to the candidate. settled says that the attempt has no more gradings to wait for.
func (tx *Tx) Faulted(ctx context.Context, org platform.OrgID, id platform.ID, fence int64, f platform.Fault, why string) (j platform.Job, settled bool, err error) {
	j, a, err := tx.held(ctx, org, id, fence)
	if err != nil {
		return platform.Job{}, false, err
	}
	return tx.fault(ctx, j, a, f, why)
}

func (tx *Tx) fault(ctx context.Context, j platform.Job, a platform.Attempt, f platform.Fault, why string) (platform.Job, bool, error) {
	if j.CancelRequested {
		return tx.stop(ctx, j, a)
	}
	j.Why, j.RunAfter = why, tx.now.Add(j.Fault(f))
	if err := tx.moveJob(ctx, &j, f.Event(j.Tries, j.MaxTries)); err != nil {
		return platform.Job{}, false, err
	}
	settled, err := tx.settle(ctx, a)
	return j, settled, err
}

// Cancelled ends a job whose cancel was asked for; the worker has stopped.
func (tx *Tx) Cancelled(ctx context.Context, org platform.OrgID, id platform.ID, fence int64) (j platform.Job, settled bool, err error) {
	j, a, err := tx.held(ctx, org, id, fence)
	if err != nil {
		return platform.Job{}, false, err
	}
	if !j.CancelRequested {
		return platform.Job{}, false, platform.Errorf(platform.Conflict, "Nobody has asked to cancel this grading.")
	}
	return tx.stop(ctx, j, a)
}

func (tx *Tx) stop(ctx context.Context, j platform.Job, a platform.Attempt) (platform.Job, bool, error) {
	if err := tx.moveJob(ctx, &j, platform.JobCancel); err != nil {
		return platform.Job{}, false, err
	}
	settled, err := tx.settle(ctx, a)
	return j, settled, err
}

// Release puts a job back that a worker has claimed and does not want to end, because it shuts down. The try is not
// counted.
func (tx *Tx) Release(ctx context.Context, org platform.OrgID, id platform.ID, fence int64) (platform.Job, error) {
	j, a, err := tx.held(ctx, org, id, fence)
	if err != nil {
		return platform.Job{}, err
	}
	if j.CancelRequested {
		j, _, err = tx.stop(ctx, j, a)
		return j, err
	}
	j.Tries--
	return j, tx.moveJob(ctx, &j, platform.JobRelease)
}

// CancelJob takes a waiting job out of the queue, and asks the worker of a running one to stop.
func (tx *Tx) CancelJob(ctx context.Context, org platform.OrgID, id platform.ID, why string) (j platform.Job, settled bool, err error) {
	j, a, err := tx.lockJob(ctx, org, id)
	if err != nil {
		return platform.Job{}, false, err
	}
	if err := tx.cancelOne(ctx, &j, why); err != nil {
		return platform.Job{}, false, err
	}
	settled, err = tx.settle(ctx, a)
	return j, settled, err
}

func (tx *Tx) cancelOne(ctx context.Context, j *platform.Job, why string) error {
	j.Why = why
	if j.State != platform.JobRunning {
		return tx.moveJob(ctx, j, platform.JobCancel)
	}
	j.CancelRequested = true
	_, err := tx.exec(ctx, `UPDATE jobs SET cancel_requested = TRUE, why = $3 WHERE org_id = $1 AND id = $2`, j.Org, j.ID, bounded(why))
	return failed("ask to cancel", err)
}

// cancelJobs cancels what waits or runs of an attempt that is locked.
func (tx *Tx) cancelJobs(ctx context.Context, a platform.Attempt) error {
	jobs, err := all(ctx, tx, scanJob, `SELECT `+jobColumns+` FROM jobs j WHERE j.org_id = $1 AND j.attempt_id = $2
		AND j.state IN ('queued', 'retrying', 'running') ORDER BY j.id`+tx.forUpdate(), a.Org, a.ID)
	if err != nil {
		return failed("list jobs of attempt", err)
	}
	for i := range jobs {
		if err := tx.cancelOne(ctx, &jobs[i], "The candidate's invitation has ended."); err != nil {
			return err
		}
	}
	return nil
}

// SystemLost are running jobs whose workers have been silent for longer than their lease, the longest first. Each is to be
// handed to Rescue, in a transaction of its own.
func (tx *Tx) SystemLost(ctx context.Context, limit int) ([]Ref, error) {
	out, err := all(ctx, tx, scanRef, `SELECT org_id, id FROM jobs WHERE state = 'running' AND lease_until < $1 ORDER BY lease_until, id LIMIT $2`,
		ms(tx.now), int64(limit))
	return out, failed("list lost jobs", err)
}

// Rescue takes a job from a worker that is taken for dead. One whose lease was kept meanwhile is left alone, and rescued
// is false.
func (tx *Tx) Rescue(ctx context.Context, org platform.OrgID, id platform.ID) (j platform.Job, rescued bool, err error) {
	j, a, err := tx.lockJob(ctx, org, id)
	if err != nil {
		return platform.Job{}, false, err
	}
	if j.State != platform.JobRunning || !j.LeaseUntil.Before(tx.now) {
		return j, false, nil
	}
	j, _, err = tx.fault(ctx, j, a, platform.FaultLost, "The worker fell silent; another one takes over.")
	return j, err == nil, err
}
