package store

import (
	"context"

	"github.com/assay-run/assay/internal/platform"
)

// CandidateData is everything that is kept about a candidate; files are named by their keys.
type CandidateData struct {
	Candidate   platform.Candidate
	Invitations []platform.Invitation
	Attempts    []platform.Attempt
	Drafts      []platform.Draft
	Submissions []platform.Submission
	Jobs        []platform.Job
	Results     []platform.Result
	Decisions   []platform.Decision
	Audit       []platform.AuditEntry // what the candidate did, and what was done to the candidate
}

// ExportCandidate reads all data of a candidate, for the candidate's right to have them.
func (tx *Tx) ExportCandidate(ctx context.Context, org platform.OrgID, id platform.ID) (CandidateData, error) {
	out := CandidateData{}
	var err error
	if out.Candidate, err = tx.Candidate(ctx, org, id); err != nil {
		return out, err
	}
	if out.Invitations, err = tx.Invitations(ctx, org, id); err != nil {
		return out, err
	}
	attempts, err := all(ctx, tx, func(r row) (id platform.ID, err error) { return id, r.Scan(&id) },
		`SELECT t.id FROM attempts t JOIN invitations i ON i.org_id = t.org_id AND i.id = t.invitation_id
		WHERE i.org_id = $1 AND i.candidate_id = $2 ORDER BY t.started_at, t.id`, org, id)
	if err != nil {
		return out, failed("list attempts", err)
	}
	for _, a := range attempts {
		if err := tx.exportAttempt(ctx, org, a, &out); err != nil {
			return out, err
		}
	}
	out.Audit, err = all(ctx, tx, scanAudit, `SELECT org_id, id, at, actor_kind, actor_id, action, subject, detail, request_id FROM audit_log
		WHERE org_id = $1 AND (actor_id = $2 OR subject = $2) ORDER BY at, id`, org, id)
	return out, failed("list audit log", err)
}

func (tx *Tx) exportAttempt(ctx context.Context, org platform.OrgID, id platform.ID, into *CandidateData) error {
	a, err := tx.Attempt(ctx, org, id)
	if err != nil {
		return err
	}
	into.Attempts = append(into.Attempts, a)
	drafts, err := tx.Drafts(ctx, org, id)
	if err != nil {
		return err
	}
	into.Drafts = append(into.Drafts, drafts...)
	decisions, err := tx.Decisions(ctx, org, id)
	if err != nil {
		return err
	}
	into.Decisions = append(into.Decisions, decisions...)
	if err := each(&into.Submissions, func(p platform.Page) (platform.List[platform.Submission], error) {
		return tx.Submissions(ctx, org, id, p)
	}); err != nil {
		return err
	}
	if err := each(&into.Jobs, func(p platform.Page) (platform.List[platform.Job], error) {
		return tx.Jobs(ctx, org, JobFilter{AttemptID: id}, p)
	}); err != nil {
		return err
	}
	return each(&into.Results, func(p platform.Page) (platform.List[platform.Result], error) {
		return tx.Results(ctx, org, ResultFilter{AttemptID: id, Superseded: true}, p)
	})
}

// each reads every page of a list.
func each[T any](into *[]T, read func(platform.Page) (platform.List[T], error)) error {
	ask := platform.Page{Limit: platform.MaxPage}
	for {
		list, err := read(ask)
		if err != nil {
			return err
		}
		*into = append(*into, list.Items...)
		if list.Next == "" {
			return nil
		}
		ask.After = list.Next
	}
}
