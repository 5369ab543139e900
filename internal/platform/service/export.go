package service

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/report"
)

// ExportedRow is one candidate in an export.
type ExportedRow struct {
	InvitationID platform.ID      `json:"invitationId"`
	AttemptID    platform.ID      `json:"attemptId,omitempty"`
	Name         string           `json:"name"`
	Email        string           `json:"email"`
	Reference    string           `json:"reference"`
	Stage        platform.Stage   `json:"stage"`
	Verdict      platform.Verdict `json:"verdict,omitempty"`
	Score        *float64         `json:"score,omitempty"` // 0…100
	Low          *float64         `json:"low,omitempty"`
	High         *float64         `json:"high,omitempty"`
	Decision     platform.Outcome `json:"decision,omitempty"`
	InvitedAt    time.Time        `json:"invitedAt"`
	StartedAt    *time.Time       `json:"startedAt,omitempty"`
	HandedInAt   *time.Time       `json:"handedInAt,omitempty"`
}

// Format is how an export is written.
type Format string

// The formats.
const (
	CSV  Format = "csv"
	JSON Format = "json"
)

// ExportResults writes the candidates of an assessment, as Candidates lists them. It reads page by page, so that a slow reader holds no transaction;
// when that fails in the middle the error says so, and what was written is not whole: break the connection off then.
func (s *Service) ExportResults(ctx context.Context, a Actor, assessment platform.ID, f platform.OverviewFilter, sort platform.OverviewSort, format Format, to io.Writer) error {
	var out rowWriter
	switch format {
	case CSV:
		out = &csvRows{w: csv.NewWriter(to)}
	case JSON:
		out = &jsonRows{w: to}
	default:
		return platform.InvalidField("format", "An export is csv or json.")
	}
	err := s.do(ctx, a, ExportResults, func(w *work) error {
		w.about(assessment, map[string]Format{"format": format})
		_, err := w.Assessment(ctx, w.org, assessment)
		return err
	})
	if err != nil {
		return err
	}
	ask := platform.Page{Limit: platform.MaxPage}
	for first := true; ; first = false {
		rows, err := s.Candidates(ctx, a, assessment, f, sort, ask)
		if err != nil {
			return err
		}
		if first { // nothing is written when the filter is wrong
			if err := out.begin(); err != nil {
				return fmt.Errorf("write export: %w", err)
			}
		}
		for _, row := range rows.Items {
			if err := out.row(exported(row)); err != nil {
				return fmt.Errorf("write export: %w", err)
			}
		}
		if rows.Next == "" {
			break
		}
		ask.After = rows.Next
	}
	if err := out.end(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

func exported(r platform.OverviewRow) ExportedRow {
	out := ExportedRow{
		InvitationID: r.Invitation.ID, Name: r.Candidate.Name, Email: r.Candidate.Email, Reference: r.Candidate.ExternalRef,
		Stage: r.Stage, InvitedAt: r.Invitation.CreatedAt,
	}
	if !r.HandedInAt.IsZero() {
		out.HandedInAt = &r.HandedInAt
	}
	if r.Attempt == nil {
		return out
	}
	out.AttemptID, out.Decision, out.StartedAt = r.Attempt.ID, r.Attempt.Decision, &r.Attempt.Clock.Started
	if o := r.Attempt.Overall; o != nil {
		out.Verdict, out.Score, out.Low, out.High = o.Verdict, &o.Score, &o.Low, &o.High
	}
	return out
}

type rowWriter interface {
	begin() error
	row(ExportedRow) error
	end() error
}

type csvRows struct{ w *csv.Writer }

func (c *csvRows) begin() error {
	return c.w.Write([]string{
		"invitation", "attempt", "name", "email", "reference", "stage", "verdict", "score", "low", "high", "decision", "invited", "started", "handed_in",
	})
}

func (c *csvRows) row(r ExportedRow) error {
	return c.w.Write([]string{
		string(r.InvitationID), string(r.AttemptID), report.Cell(r.Name), report.Cell(r.Email), report.Cell(r.Reference), string(r.Stage), string(r.Verdict),
		number(r.Score), number(r.Low), number(r.High), string(r.Decision), stamp(&r.InvitedAt), stamp(r.StartedAt), stamp(r.HandedInAt),
	})
}

func (c *csvRows) end() error {
	c.w.Flush()
	return c.w.Error()
}

func number(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', 1, 64)
}

func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// jsonRows writes an array, one row a line.
type jsonRows struct {
	w    io.Writer
	some bool
}

func (j *jsonRows) begin() error {
	_, err := io.WriteString(j.w, "[")
	return err
}

func (j *jsonRows) row(r ExportedRow) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	before := "\n"
	if j.some {
		before = ",\n"
	}
	j.some = true
	_, err = fmt.Fprintf(j.w, "%s%s", before, text)
	return err
}

func (j *jsonRows) end() error {
	_, err := io.WriteString(j.w, "\n]\n")
	return err
}
