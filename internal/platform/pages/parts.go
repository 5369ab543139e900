package pages

import (
	"fmt"
	"html/template"
	"net/url"
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
