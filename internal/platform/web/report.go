package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/report"
)

// Bounds of what the page of a report is made of, in bytes. A report without its evidence lacks curves, outputs and files.
const (
	maxReportFile   = 16 << 20
	maxEvidenceFile = 48 << 20 // compressed
)

func (s *Web) showReport(v *visit) error {
	id, err := v.id("submission", platform.KindSubmission)
	if err != nil {
		return err
	}
	found, err := s.service.Results(v.r.Context(), v.actor, store.ResultFilter{SubmissionID: id}, platform.Page{Limit: 1})
	if err != nil {
		return err
	}
	if len(found.Items) == 0 {
		return platform.Errorf(platform.NotFound, "There is no report of this submission.")
	}
	attempt, err := s.service.Attempt(v.r.Context(), v.actor, found.Items[0].AttemptID)
	if err != nil {
		return err
	}
	back, err := pages.Path("candidate", string(attempt.Invitation.ID))
	if err != nil {
		return err
	}
	name := cmp.Or(attempt.Candidate.Name, "the candidate")
	shown := report.Options{Of: name, Back: report.Link{URL: back, Text: name}}
	return s.sendReport(v, shown, func(ctx context.Context) (io.ReadCloser, io.ReadCloser, error) {
		return s.service.ReportFiles(ctx, v.actor, found.Items[0].ID)
	})
}

func (s *Web) showOwnReport(v *visit) error {
	id, err := v.id("submission", platform.KindSubmission)
	if err != nil {
		return err
	}
	back, err := pages.Path("work", string(v.invitation))
	if err != nil {
		return err
	}
	shown := report.Options{Of: "of yours", Back: report.Link{URL: back, Text: "your tasks"}}
	results, err := s.service.OwnResults(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.SubmissionID == id {
			return s.sendReport(v, shown, func(ctx context.Context) (io.ReadCloser, io.ReadCloser, error) {
				return s.service.OwnReportFiles(ctx, v.actor, r.ID)
			})
		}
	}
	return platform.Errorf(platform.NotFound, "There is no report of this submission.")
}

// sendReport makes the page of a report from what is stored. What a submission has said is in it, so it is sent in a sandbox:
// a document of its own origin, which reaches no cookie, no page of ours and no network.
func (s *Web) sendReport(v *visit, shown report.Options, open func(context.Context) (report, evidence io.ReadCloser, err error)) error {
	ctx := v.r.Context()
	select {
	case s.reports <- struct{}{}:
		defer func() { <-s.reports }()
	case <-ctx.Done():
		return fmt.Errorf("wait for other reports: %w", context.Cause(ctx))
	}
	stored, measured, err := open(ctx)
	if err != nil {
		return err
	}
	defer stored.Close()
	if measured != nil {
		defer measured.Close()
	}
	text, err := readAll(stored, maxReportFile)
	if err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	rep, err := grading.ParseReport(text)
	if err != nil {
		return err
	}
	ev, err := s.readEvidence(ctx, measured)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := report.HTML(&page, rep, ev, shown); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Security-Policy", "sandbox allow-scripts; frame-ancestors 'none'; "+s.policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = v.w.Write(page.Bytes()) // the client may be gone
	return nil
}

// readEvidence reads what was measured. nil: it was not kept, or is too large for a page.
func (s *Web) readEvidence(ctx context.Context, from io.Reader) (*evidence.Grading, error) {
	if from == nil {
		return nil, nil
	}
	packed, err := readAll(from, maxEvidenceFile)
	if errors.Is(err, errTooLarge) {
		s.log().InfoContext(ctx, "a report is shown without its evidence, which is too large")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	return grading.ParseEvidence(packed)
}

var errTooLarge = errors.New("the file is too large")

// readAll reads a file of at most so many bytes.
func readAll(from io.Reader, most int64) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(from, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(out)) > most {
		return nil, errTooLarge
	}
	return out, nil
}

// download sends a file that is made while it is sent. Headers go with its first byte, so that what fails before is a page;
// what fails later breaks the connection off, for nobody may take a part for the whole.
type download struct {
	w          http.ResponseWriter
	kind, name string
	begun      bool
}

// Write implements io.Writer.
func (d *download) Write(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.w.Header().Set("Content-Type", d.kind)
		d.w.Header().Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
	}
	return d.w.Write(p)
}

// end says what an error means for the request.
func (d *download) end(s *Web, r *http.Request, err error) error {
	if err != nil && d.begun {
		s.log().WarnContext(r.Context(), "a download was broken off", "error", err)
		panic(http.ErrAbortHandler)
	}
	return err
}
