package pages

import (
	"fmt"
	"html/template"
	"net/url"

	"github.com/assay-run/assay/internal/platform"
)

// sidesView is a table that puts candidates side by side.
type sidesView struct {
	Frame
	Title      string
	Candidates []Compared
	Rows       []ComparedRow
}

func sides(c Compare, title string, rows []ComparedRow) (sidesView, error) {
	for _, r := range rows {
		if len(r.Cells) != len(c.Candidates) {
			return sidesView{}, fmt.Errorf("compare %q: %d cells for %d candidates", r.Title, len(r.Cells), len(c.Candidates))
		}
	}
	return sidesView{Frame: c.Frame, Title: title, Candidates: c.Candidates, Rows: rows}, nil
}

// sortableView is the head of a column that a list can be ordered by.
type sortableView struct {
	By, Label string
	Link      template.URL
	Here      bool   // the list has this order
	Direction string // for aria-sort
}

// sortable keeps what the list is narrowed to.
func sortable(a Assessment, by, label string) sortableView {
	q := url.Values{"sort": {by}}
	for _, field := range narrowing() {
		if v := a.Filter.Form.Values[field]; v != "" {
			q.Set(field, v)
		}
	}
	out := sortableView{By: by, Label: label, Direction: "descending", Here: a.Filter.Form.Values["sort"] == by}
	out.Link = template.URL("?" + q.Encode() + "#candidates") //nolint:gosec // encoded
	if by == string(platform.ByName) {
		out.Direction = "ascending"
	}
	return out
}

// rowView is a candidate of the list, with the page's clock.
type rowView struct {
	Frame
	Row CandidateRow
}

func candidateRow(a Assessment, row CandidateRow) rowView { return rowView{a.Frame, row} }

// uploadView is the form that sends an archive.
type uploadView struct {
	InvitationID, TaskID string
	Kind                 string
	Field                string // the id of its file, without "f-"
	Final                bool
	MaxBytes             int64
}

func upload(w Work, kind string) uploadView {
	v := uploadView{InvitationID: w.InvitationID, TaskID: w.Task.ID, Kind: kind, Field: "archive", MaxBytes: w.Task.MaxBytes}
	if kind == "final" {
		v.Final, v.Field = true, "finalArchive"
	}
	return v
}

// runsView are the submissions of one kind.
type runsView struct {
	Work
	Place string // the id of the list
	Of    []Submission
}

func runs(w Work, kind string) runsView {
	v := runsView{Work: w, Place: "runs"}
	if kind == "final" {
		v.Place = "finals"
	}
	for _, s := range w.Submissions {
		if string(s.Kind) == kind {
			v.Of = append(v.Of, s)
		}
	}
	return v
}

// ownRunView is a submission as its candidate sees it.
type ownRunView struct {
	Frame        Frame
	InvitationID string
	Run          Submission
}

func ownRun(f Frame, invitation string, run Submission) ownRunView {
	return ownRunView{f, invitation, run}
}

// next is the link to the next page of a list.
func next(query string) (template.URL, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("read query of the next page: %w", err)
	}
	return template.URL("?" + q.Encode()), nil //nolint:gosec // encoded
}
