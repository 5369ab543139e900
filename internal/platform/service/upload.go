package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// DryRunMode is the graders' mode of dry runs.
const DryRunMode = "quick"

// MaxWaitingDryRuns bounds the dry runs of one attempt that wait at a time. Their number altogether is not bounded.
const MaxWaitingDryRuns = 5

// Upload is a submission on its way in.
type Upload struct {
	ChallengeID string
	Kind        platform.SubmissionKind
	FileName    string // as the candidate calls it; for messages alone
	Body        io.Reader
	// ReceivedAt is when its first byte came: an upload that began in time is in time.
	ReceivedAt time.Time
	// Key is an idempotency key; empty: none. The same archive under the same key is taken once.
	Key string
}

// MaxUploadBytes bounds an upload. Whoever reads one from a request lets through one byte more at least: that one is what
// Submit knows by that it is too large.
func (s *Service) MaxUploadBytes() int64 { return s.intake.ArchiveBytes }

// Submit takes a submission in: it is checked, its bytes are kept, and it is queued to be graded, or none of these. What
// intake refuses is kept as a line with the reason, and returned without error: see HandedIn.Submission.Intake.
func (s *Service) Submit(ctx context.Context, a Actor, up Upload) (store.HandedIn, error) {
	attempt, err := s.maySubmit(ctx, a, up)
	if err != nil {
		return store.HandedIn{}, err
	}
	leave, err := enter(ctx, s.arriving)
	if err != nil {
		return store.HandedIn{}, err
	}
	defer leave()
	dir, err := os.MkdirTemp(s.tempDir, "assay-upload-")
	if err != nil {
		return store.HandedIn{}, fmt.Errorf("make folder for upload: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "archive")
	if err := s.spool(path, up.Body); err != nil {
		return store.HandedIn{}, err
	}
	done, err := enter(ctx, s.uploads) // who sends slowly keeps nobody who is here from being checked
	if err != nil {
		return store.HandedIn{}, err
	}
	defer done()
	found, err := s.check(ctx, path, up)
	if err != nil {
		return store.HandedIn{}, err
	}
	in := store.HandIn{
		AttemptID: attempt.ID, ChallengeID: up.ChallengeID, Kind: up.Kind, Intake: found, ReceivedAt: up.ReceivedAt, DryRunMode: DryRunMode,
	}
	if found.Accepted {
		if in.Archive, err = s.keep(ctx, a, attempt.ID, path); err != nil {
			return store.HandedIn{}, err
		}
	}
	out, err := s.storeUpload(ctx, a, in, up.Key)
	if in.Archive.Key != "" && (err != nil || out.Submission.Archive.Key != in.Archive.Key) {
		// Nobody will ever look for these bytes. The request may be over, the cleaning is not.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, s.blobs.Delete(clean, in.Archive.Key))
	}
	return out, err
}

// enter waits for one of so many places.
func enter(ctx context.Context, places chan struct{}) (leave func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other uploads: %w", context.Cause(ctx))
	}
}

// maySubmit asks what can be asked before the bytes are read. The transaction asks again.
func (s *Service) maySubmit(ctx context.Context, a Actor, up Upload) (platform.Attempt, error) {
	if _, err := s.authorise(a, CandidateSubmit); err != nil {
		return platform.Attempt{}, err
	}
	return run(ctx, s, a, CandidateLook, func(w *work) (platform.Attempt, error) {
		if err := w.begun(); err != nil {
			return platform.Attempt{}, err
		}
		t, err := w.Attempt(ctx, w.org, w.invitation.AttemptID)
		if err != nil {
			return platform.Attempt{}, err
		}
		as, err := w.AssessmentVersion(ctx, w.org, t.AssessmentID, t.AssessmentVersion)
		if err != nil {
			return platform.Attempt{}, err
		}
		_, there := as.Settings.Challenge(up.ChallengeID)
		switch {
		case !there:
			return t, platform.Errorf(platform.NotFound, "There is no such challenge in this assessment.")
		case !up.Kind.Valid():
			return t, platform.InvalidField("kind", "A submission is a dry run or final.")
		case t.State != platform.AttemptRunning && up.Key == "": // with a key it may be a repetition
			return t, platform.Errorf(platform.Gone, "This attempt is over.")
		case t.Clock.Over(up.ReceivedAt) && up.Key == "":
			return t, platform.Errorf(platform.Gone, "Time was up before this upload began.")
		}
		return t, nil
	})
}

// spool copies an upload to a file of ours. One byte more than allowed says that it is too large.
func (s *Service) spool(path string, body io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make file for upload: %w", err)
	}
	in := &upload{r: io.LimitReader(body, s.intake.ArchiveBytes+1)}
	n, err := io.Copy(f, in)
	err = errors.Join(err, f.Close())
	switch {
	case in.err != nil:
		return platform.InvalidField("file", "The upload broke off. Send it again.")
	case err != nil:
		return fmt.Errorf("write upload: %w", err)
	case n > s.intake.ArchiveBytes:
		return platform.InvalidField("file", "The archive may have %d MiB at most. Leave node_modules and build results out.", s.intake.ArchiveBytes>>20)
	case n == 0:
		return platform.InvalidField("file", "The upload is empty. Choose a .tar.gz or a .zip.")
	}
	return nil
}

// upload tells a reader's error, which is the sender's, from a writer's, which is ours.
type upload struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		u.err = err
	}
	return n, err
}

// check is the check at the door. A refusal is a value; it calls the archive as the candidate does.
func (s *Service) check(ctx context.Context, path string, up Upload) (platform.Intake, error) {
	name := safeName(up.FileName)
	sub, err := intake.Open(ctx, path, intake.Options{Name: name, Challenge: up.ChallengeID, TempDir: s.tempDir, Limits: s.intake})
	if refused := (*intake.Error)(nil); errors.As(err, &refused) {
		if refused.Entry == path {
			refused.Entry = name
		}
		return platform.Intake{Problem: refused.Error()}, nil
	}
	if err != nil {
		return platform.Intake{}, fmt.Errorf("check upload: %w", err)
	}
	out := platform.Intake{Accepted: true, Digest: sub.Digest, Files: len(sub.Files), Notes: sub.Notes}
	if err := sub.Close(); err != nil {
		return platform.Intake{}, fmt.Errorf("remove copy of upload: %w", err)
	}
	return out, nil
}

func (s *Service) keep(ctx context.Context, a Actor, attempt platform.ID, path string) (platform.Blob, error) {
	f, err := os.Open(path)
	if err != nil {
		return platform.Blob{}, fmt.Errorf("open upload: %w", err)
	}
	defer f.Close()
	key := platform.BlobKey(a.org, attempt, "submissions/"+string(platform.NewTimelessID(platform.KindSubmission))+"/archive")
	blob, err := s.blobs.Put(ctx, key, f, s.intake.ArchiveBytes)
	if err != nil {
		return platform.Blob{}, fmt.Errorf("keep upload: %w", err)
	}
	return blob, nil
}

// storeUpload stores what was handed in together with the job, its place in the job engine, the event and the line of the audit
// log. One that was stored under the same key already is returned.
func (s *Service) storeUpload(ctx context.Context, a Actor, in store.HandIn, key string) (store.HandedIn, error) {
	return run(ctx, s, a, CandidateSubmit, func(w *work) (store.HandedIn, error) {
		scope := "submission:" + string(w.invitation.ID) + ":" + in.ChallengeID
		if key != "" {
			there, err := w.Once(ctx, w.org, scope, key, string(in.Kind)+" "+in.Intake.Digest+in.Archive.Digest+in.Intake.Problem)
			if err != nil {
				return store.HandedIn{}, err
			}
			if there != nil {
				return w.handedIn(ctx, platform.ID(there.Body))
			}
		}
		if err := w.roomForDryRun(ctx, in); err != nil {
			return store.HandedIn{}, err
		}
		out, err := w.Submit(ctx, w.org, in)
		if err != nil {
			return out, err
		}
		w.about(out.Submission.ID, map[string]any{"kind": in.Kind, "challenge": in.ChallengeID, "accepted": in.Intake.Accepted, "bytes": in.Archive.Bytes})
		if key != "" {
			if err := w.Remember(ctx, w.org, scope, key, platform.Stored{Status: 201, Body: []byte(out.Submission.ID)}); err != nil {
				return out, err
			}
		}
		if out.Job == nil {
			return out, nil
		}
		if err := s.enqueue(ctx, w, *out.Job); err != nil {
			return out, err
		}
		return out, w.tell(ctx, platform.EventSubmitted, out.Submission.CandidateID, map[string]any{
			"attemptId": in.AttemptID, "submissionId": out.Submission.ID, "challenge": in.ChallengeID, "kind": in.Kind, "complete": out.Complete,
		})
	})
}

// handedIn reads again what was handed in before.
func (w *work) handedIn(ctx context.Context, id platform.ID) (store.HandedIn, error) {
	out := store.HandedIn{}
	var err error
	if out.Submission, err = w.Submission(ctx, w.org, id); err != nil {
		return out, err
	}
	w.about(id, map[string]bool{"repeated": true})
	jobs, err := w.Jobs(ctx, w.org, store.JobFilter{SubmissionID: id}, platform.Page{Limit: 1})
	if err != nil || len(jobs.Items) == 0 {
		return out, err
	}
	out.Job = &jobs.Items[0]
	t, err := w.Attempt(ctx, w.org, out.Submission.AttemptID)
	out.Complete = t.State != platform.AttemptRunning
	return out, err
}

func (w *work) roomForDryRun(ctx context.Context, in store.HandIn) error {
	if in.Kind != platform.DryRun || !in.Intake.Accepted {
		return nil
	}
	waiting, err := w.Jobs(ctx, w.org, store.JobFilter{
		AttemptID: in.AttemptID, States: []platform.JobState{platform.JobQueued, platform.JobRetrying},
	}, platform.Page{})
	if err != nil {
		return err
	}
	n := 0
	for _, j := range waiting.Items {
		if j.Kind == platform.JobDryRun {
			n++
		}
	}
	if n >= MaxWaitingDryRuns {
		return platform.Errorf(platform.RateLimited, "%d of your dry runs wait already. Wait for one of them, or cancel one.", n)
	}
	return nil
}

// enqueue tells the job engine, when there is one.
func (s *Service) enqueue(ctx context.Context, w *work, j platform.Job) error {
	if s.queue == nil {
		return nil
	}
	if err := s.queue.Enqueue(ctx, w.SQL(), j); err != nil {
		return fmt.Errorf("enqueue grading: %w", err)
	}
	return nil
}
