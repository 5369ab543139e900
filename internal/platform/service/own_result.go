package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// OwnResult is a result as far as its candidate may see it.
type OwnResult struct {
	ID           platform.ID
	SubmissionID platform.ID
	ChallengeID  string
	Kind         platform.SubmissionKind
	Sees         platform.Visibility
	// Verdict is empty when it is not to be seen, and Incomplete when a person has to look at it first.
	Verdict          platform.Verdict
	Score, Low, High float64 // from SeesScore on
	Headline         string
	// Report says that OwnReport gives the whole report.
	Report bool
}

// OwnResults are the candidate's results of the newest attempt as far as the team allows, final ones once all are graded.
func (s *Service) OwnResults(ctx context.Context, a Actor) ([]OwnResult, error) {
	return run(ctx, s, a, CandidateLook, func(w *work) ([]OwnResult, error) {
		if w.invitation.AttemptID == "" {
			return nil, nil
		}
		results, err := w.Results(ctx, w.org, store.ResultFilter{AttemptID: w.invitation.AttemptID}, platform.Page{Limit: platform.MaxPage})
		if err != nil {
			return nil, err
		}
		var out []OwnResult
		for _, r := range results.Items {
			seen, err := w.visible(ctx, r)
			if err != nil {
				return nil, err
			}
			out = append(out, seen)
		}
		return out, nil
	})
}

// visible cuts a result down to what its candidate may see.
func (w *work) visible(ctx context.Context, r platform.Result) (OwnResult, error) {
	t, err := w.Attempt(ctx, w.org, r.AttemptID)
	if err != nil {
		return OwnResult{}, err
	}
	as, err := w.AssessmentVersion(ctx, w.org, t.AssessmentID, t.AssessmentVersion)
	if err != nil {
		return OwnResult{}, err
	}
	return cut(r, t, as.Settings.Visible), nil
}

// cut is the rule: dry runs are seen in full; final results as far as the team allows, once the attempt is graded. Of what
// is withheld no more is told than that a person looks at it.
func cut(r platform.Result, t platform.Attempt, allowed platform.Visibility) OwnResult {
	out := OwnResult{ID: r.ID, SubmissionID: r.SubmissionID, ChallengeID: r.ChallengeID, Kind: r.Kind, Sees: platform.SeesNothing}
	switch {
	case r.Kind == platform.DryRun:
		out.Sees = platform.SeesReport
	case t.State == platform.AttemptReview || t.State == platform.AttemptDecided:
		out.Sees = allowed
	}
	if out.Sees == platform.SeesNothing {
		return out
	}
	if r.Verdict == platform.Withheld {
		out.Sees, out.Verdict = platform.SeesOutcome, platform.Incomplete
		return out
	}
	out.Verdict = r.Verdict
	if out.Sees == platform.SeesOutcome {
		return out
	}
	out.Score, out.Low, out.High, out.Headline = r.Score, r.Low, r.High, r.Headline
	out.Report = out.Sees == platform.SeesReport
	return out
}

// OwnReport opens the report of one of the candidate's results; the caller closes it.
func (s *Service) OwnReport(ctx context.Context, a Actor, id platform.ID) (io.ReadCloser, error) {
	r, err := s.ownResult(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, r.Report.Key)
}

// OwnReportFiles is ReportFiles for one of the candidate's results.
func (s *Service) OwnReportFiles(ctx context.Context, a Actor, id platform.ID) (report, evidence io.ReadCloser, err error) {
	r, err := s.ownResult(ctx, a, id)
	if err != nil {
		return nil, nil, err
	}
	return s.openFiles(ctx, r)
}

// ownResult is a result whose whole report its candidate may see. That it was looked at is kept.
func (s *Service) ownResult(ctx context.Context, a Actor, id platform.ID) (platform.Result, error) {
	return run(ctx, s, a, CandidateReport, func(w *work) (platform.Result, error) {
		none := platform.Errorf(platform.NotFound, "There is no such result.")
		r, err := w.Result(ctx, w.org, id)
		if err != nil {
			return r, err
		}
		t, err := w.Attempt(ctx, w.org, r.AttemptID)
		if err != nil {
			return r, err
		}
		if t.InvitationID != w.invitation.ID {
			return r, none
		}
		seen, err := w.visible(ctx, r)
		if err != nil {
			return r, err
		}
		if !seen.Report {
			return r, platform.Errorf(platform.Forbidden, "The team that invited you does not show this report.")
		}
		w.about(id, nil)
		return r, nil
	})
}

// openFiles opens report and evidence of a result.
func (s *Service) openFiles(ctx context.Context, r platform.Result) (report, evidence io.ReadCloser, err error) {
	if report, err = s.open(ctx, r.Report.Key); err != nil || r.Evidence.Key == "" {
		return report, nil, err
	}
	if evidence, err = s.open(ctx, r.Evidence.Key); err != nil {
		return nil, nil, errors.Join(err, report.Close())
	}
	return report, evidence, nil
}

// open opens a file.
func (s *Service) open(ctx context.Context, key string) (io.ReadCloser, error) {
	f, _, err := s.blobs.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	return f, nil
}

// OwnData is everything that is kept of an invitation, as far as its candidate may see it: what the team has not shown of
// results is left out, and decisions are the team's to tell.
type OwnData struct {
	Candidate   platform.Candidate
	Invitation  platform.Invitation
	Attempts    []platform.Attempt
	Drafts      []platform.Draft
	Submissions []platform.Submission
	Results     []OwnResult
	Audit       []platform.AuditEntry // what the candidate did
}

// ExportOwn writes everything that is kept of the invitation, as JSON, with what was handed in and the reports that its candidate may
// see in base64 at its end. When it fails in the middle, what was written is not whole.
func (s *Service) ExportOwn(ctx context.Context, a Actor, to io.Writer) error {
	var files []platform.Blob
	data, err := run(ctx, s, a, CandidateExport, func(w *work) (OwnData, error) {
		w.about(w.invitation.CandidateID, nil)
		data, err := w.ownData(ctx)
		if err != nil {
			return data, err
		}
		files = archives(data.Submissions)
		for i := range data.Submissions {
			data.Submissions[i].Archive.Key = "" // where we keep it
		}
		for _, own := range data.Results {
			if !own.Report {
				continue
			}
			r, err := w.Result(ctx, w.org, own.ID)
			if err != nil {
				return data, err
			}
			files = append(files, r.Report, r.Evidence)
		}
		return data, nil
	})
	if err != nil {
		return err
	}
	return s.writeExport(ctx, to, data, files)
}

// ownData takes what belongs to this invitation from all that is kept of the candidate: a link opens one invitation.
func (w *work) ownData(ctx context.Context) (OwnData, error) {
	all, err := w.ExportCandidate(ctx, w.org, w.invitation.CandidateID)
	if err != nil {
		return OwnData{}, err
	}
	out := OwnData{Candidate: all.Candidate, Invitation: w.invitation}
	out.Invitation.CreatedBy = "" // who of the team did what is not the candidate's data
	mine := map[platform.ID]bool{}
	for _, t := range all.Attempts {
		if t.InvitationID != w.invitation.ID {
			continue
		}
		mine[t.ID] = true
		t.Decision, t.Overall = "", nil
		t.Clock.Extensions = slices.Clone(t.Clock.Extensions)
		for i := range t.Clock.Extensions {
			t.Clock.Extensions[i].GrantedBy = ""
		}
		if t.State == platform.AttemptDecided {
			t.State = platform.AttemptReview
		}
		out.Attempts = append(out.Attempts, t)
	}
	for _, d := range all.Drafts {
		if mine[d.AttemptID] {
			out.Drafts = append(out.Drafts, d)
		}
	}
	for _, sub := range all.Submissions {
		if mine[sub.AttemptID] {
			out.Submissions = append(out.Submissions, sub)
		}
	}
	for _, r := range all.Results {
		if !mine[r.AttemptID] || !r.Standing {
			continue
		}
		seen, err := w.visible(ctx, r)
		if err != nil {
			return out, err
		}
		out.Results = append(out.Results, seen)
	}
	for _, e := range all.Audit {
		if e.Actor.ID == w.invitation.CandidateID {
			out.Audit = append(out.Audit, e)
		}
	}
	return out, nil
}
