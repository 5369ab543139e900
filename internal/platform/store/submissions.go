package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// HandIn is what was handed in for one challenge. Its bytes are in the blob store already.
type HandIn struct {
	AttemptID   platform.ID
	ChallengeID string
	Kind        platform.SubmissionKind
	Archive     platform.Blob // empty when intake has refused it
	Intake      platform.Intake
	ReceivedAt  time.Time // when its first byte came, by our clock
	DryRunMode  string    // the graders' mode of dry runs
}

// HandedIn is what became of it.
type HandedIn struct {
	Submission platform.Submission
	Job        *platform.Job // nil when intake has refused it
	// Complete says that this was the last final submission, so that the attempt is handed in.
	Complete bool
}

const submissionColumns = `s.org_id, s.id, s.attempt_id, s.candidate_id, s.challenge_id, s.challenge_version, s.kind,
	s.archive_key, s.archive_digest, s.archive_bytes, s.accepted, s.digest, s.files, s.problem, s.notes, s.received_at, s.created_at`

func scanSubmission(r row) (platform.Submission, error) {
	s, notes := platform.Submission{}, ""
	err := r.Scan(&s.Org, &s.ID, &s.AttemptID, &s.CandidateID, &s.ChallengeID, &s.ChallengeVersion, &s.Kind,
		&s.Archive.Key, &s.Archive.Digest, &s.Archive.Bytes, &s.Intake.Accepted, &s.Intake.Digest, &s.Intake.Files, &s.Intake.Problem,
		&notes, instant{&s.ReceivedAt}, instant{&s.CreatedAt})
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(notes), &s.Intake.Notes)
}

// Submit stores what was handed in and, when intake has accepted it, the job that grades it. It is refused (Gone) when
// its first byte came after the end of the attempt, and (Conflict) when there is a final submission already. With the last
// final submission the attempt is handed in.
func (tx *Tx) Submit(ctx context.Context, org platform.OrgID, in HandIn) (HandedIn, error) {
	a, err := tx.lockWay(ctx, org, in.AttemptID)
	if err != nil {
		return HandedIn{}, err
	}
	as, err := tx.AssessmentVersion(ctx, org, a.AssessmentID, a.AssessmentVersion)
	if err != nil {
		return HandedIn{}, err
	}
	ch, ok := as.Settings.Challenge(in.ChallengeID)
	received := wholeMs(in.ReceivedAt)
	switch {
	case !ok:
		return HandedIn{}, platform.Errorf(platform.NotFound, "There is no such challenge in this assessment.")
	case !in.Kind.Valid():
		return HandedIn{}, platform.InvalidField("kind", "A submission is a dry run or final.")
	case a.State != platform.AttemptRunning:
		return HandedIn{}, platform.Errorf(platform.Gone, "This attempt is over.")
	case received.After(tx.now) || received.Before(a.Clock.Started):
		return HandedIn{}, platform.InvalidField("receivedAt", "It was received within the attempt, and not in the future.")
	case a.Clock.Over(received):
		return HandedIn{}, platform.Errorf(platform.Gone, "Time was up before this upload began.")
	}
	out := HandedIn{}
	if out.Submission, err = tx.insertSubmission(ctx, a, ch, in, received); err != nil || !in.Intake.Accepted {
		return out, err
	}
	kind, mode := platform.JobFinal, as.Settings.ModeOf(ch)
	if in.Kind == platform.DryRun {
		kind, mode = platform.JobDryRun, in.DryRunMode
	}
	job, err := tx.enqueue(ctx, out.Submission, kind, mode)
	if err != nil {
		return out, err
	}
	out.Job = &job
	if in.Kind == platform.Final {
		finals, err := tx.countFinals(ctx, a)
		if err != nil {
			return out, err
		}
		if finals == len(as.Settings.Challenges) {
			out.Complete = true
			return out, tx.finishAttempt(ctx, a, platform.AttemptHandIn)
		}
	}
	return out, nil
}

func (tx *Tx) insertSubmission(ctx context.Context, a platform.Attempt, ch platform.AssessmentChallenge, in HandIn, received time.Time) (platform.Submission, error) {
	s := platform.Submission{
		ID: platform.NewID(platform.KindSubmission, tx.now), Org: a.Org, AttemptID: a.ID, CandidateID: a.CandidateID,
		ChallengeID: ch.ChallengeID, ChallengeVersion: ch.Version, Kind: in.Kind, Archive: in.Archive, Intake: in.Intake,
		ReceivedAt: received, CreatedAt: tx.now,
	}
	s.Intake.Problem = bounded(s.Intake.Problem)
	notes := make([]string, min(len(in.Intake.Notes), platform.MaxIntakeNotes))
	for i := range notes {
		notes[i] = bounded(in.Intake.Notes[i])
	}
	s.Intake.Notes = notes
	encoded, err := json.Marshal(notes)
	if err != nil {
		return s, failed("encode notes", err)
	}
	_, err = tx.exec(ctx, `INSERT INTO submissions (org_id, id, attempt_id, candidate_id, challenge_id, challenge_version, kind,
		archive_key, archive_digest, archive_bytes, accepted, digest, files, problem, notes, received_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		s.Org, s.ID, s.AttemptID, s.CandidateID, s.ChallengeID, s.ChallengeVersion, s.Kind, s.Archive.Key, s.Archive.Digest, s.Archive.Bytes,
		s.Intake.Accepted, s.Intake.Digest, s.Intake.Files, s.Intake.Problem, string(encoded), ms(s.ReceivedAt), ms(s.CreatedAt))
	if broken(err) == uniqueConstraint {
		return s, platform.Errorf(platform.Conflict, "The final submission for this challenge was handed in already.")
	}
	return s, failed("write submission", err)
}

func (tx *Tx) countFinals(ctx context.Context, a platform.Attempt) (int, error) {
	n := 0
	err := tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM submissions WHERE org_id = $1 AND attempt_id = $2 AND kind = 'final' AND accepted`,
		a.Org, a.ID).Scan(&n)
	return n, failed("count final submissions", err)
}

// FinishAttempt hands an attempt in before its time is up. Something must have been handed in.
func (tx *Tx) FinishAttempt(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Attempt, error) {
	a, err := tx.lockWay(ctx, org, id)
	if err != nil {
		return platform.Attempt{}, err
	}
	n, err := tx.countFinals(ctx, a)
	if err != nil {
		return platform.Attempt{}, err
	}
	if n == 0 {
		return platform.Attempt{}, platform.Errorf(platform.Conflict, "Nothing was handed in yet. Hand something in, or withdraw.")
	}
	if err := tx.finishAttempt(ctx, a, platform.AttemptHandIn); err != nil {
		return platform.Attempt{}, err
	}
	return tx.Attempt(ctx, org, id)
}

// finishAttempt ends the candidate's work on an attempt that is locked, with the invitation before it.
func (tx *Tx) finishAttempt(ctx context.Context, a platform.Attempt, e platform.AttemptEvent) error {
	if err := tx.moveAttempt(ctx, &a, e); err != nil {
		return err
	}
	i, err := tx.Invitation(ctx, a.Org, a.InvitationID)
	if err != nil {
		return err
	}
	if err := tx.moveInvitation(ctx, &i, platform.InvitationComplete); err != nil {
		return err
	}
	if err := tx.closeInvitation(ctx, i); err != nil {
		return err
	}
	_, err = tx.settle(ctx, a)
	return err
}

// Ref names something of an organisation.
type Ref struct {
	Org platform.OrgID
	ID  platform.ID
}

func scanRef(r row) (Ref, error) {
	out := Ref{}
	return out, r.Scan(&out.Org, &out.ID)
}

// SystemAttemptsOver are attempts that run and whose end lies before a time, the earliest first. Whoever ends them leaves
// uploads that began in time a while to arrive.
func (tx *Tx) SystemAttemptsOver(ctx context.Context, before time.Time, limit int) ([]Ref, error) {
	out, err := all(ctx, tx, scanRef, `SELECT org_id, id FROM attempts WHERE state = 'running' AND ends_at IS NOT NULL AND ends_at < $1
		ORDER BY ends_at, id LIMIT $2`, ms(before), int64(limit))
	return out, failed("list attempts that are over", err)
}

// TimeOut ends an attempt whose time is up: as handed in when something final was handed in, and as expired otherwise. One
// that is not over, or not running, is left alone.
func (tx *Tx) TimeOut(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Attempt, error) {
	a, err := tx.lockWay(ctx, org, id)
	if err != nil {
		return platform.Attempt{}, err
	}
	if a.State != platform.AttemptRunning || !a.Clock.Over(tx.now) {
		return a, nil
	}
	n, err := tx.countFinals(ctx, a)
	if err != nil {
		return platform.Attempt{}, err
	}
	e := platform.AttemptTimeOut
	if n > 0 {
		e = platform.AttemptHandIn
	}
	if err := tx.finishAttempt(ctx, a, e); err != nil {
		return platform.Attempt{}, err
	}
	return tx.Attempt(ctx, org, id)
}

// Submission reads a submission.
func (tx *Tx) Submission(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Submission, error) {
	s, err := scanSubmission(tx.sql.QueryRowContext(ctx, `SELECT `+submissionColumns+` FROM submissions s WHERE s.org_id = $1 AND s.id = $2`, org, id))
	if err != nil {
		return platform.Submission{}, found(err, "submission")
	}
	return s, nil
}

// Submissions are those of an attempt, the newest first.
func (tx *Tx) Submissions(ctx context.Context, org platform.OrgID, attempt platform.ID, ask platform.Page) (platform.List[platform.Submission], error) {
	p := &params{values: []any{org, attempt}}
	where, tail, err := p.older(ask, "s.created_at", "s.id")
	if err != nil {
		return platform.List[platform.Submission]{}, err
	}
	items, err := all(ctx, tx, scanSubmission, `SELECT `+submissionColumns+` FROM submissions s WHERE s.org_id = $1 AND s.attempt_id = $2`+where+tail, p.values...)
	return page(items, ask, func(s platform.Submission) platform.Mark { return platform.Mark{At: s.CreatedAt, ID: s.ID} }),
		failed("list submissions", err)
}
