package web

import (
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

func (s *Web) export(v *visit) error {
	id, err := v.id("assessment", platform.KindAssessment)
	if err != nil {
		return err
	}
	f, err := readQuery(v.r, listFilter()...)
	if err != nil {
		return err
	}
	filter, sort := readFilter(&f)
	for _, wrong := range f.Errors {
		return platform.Errorf(platform.Invalid, "%s", wrong)
	}
	format := service.Format(v.r.PathValue("format"))
	out := &download{w: v.w, kind: "text/csv; charset=utf-8", name: "candidates.csv"}
	switch format {
	case service.CSV:
	case service.JSON:
		out.kind, out.name = "application/json", "candidates.json"
	default:
		return platform.Errorf(platform.NotFound, "An export is csv or json.")
	}
	return out.end(s, v.r, s.service.ExportResults(v.r.Context(), v.actor, id, filter, sort, format, out))
}

func (s *Web) exportPerson(v *visit) error {
	id, err := v.id("invitation", platform.KindInvitation)
	if err != nil {
		return err
	}
	i, err := s.service.Invitation(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	out := &download{w: v.w, kind: "application/json", name: "candidate.json"}
	return out.end(s, v.r, s.service.ExportCandidate(v.r.Context(), v.actor, i.Candidate.ID, out))
}

func (s *Web) exportOwn(v *visit) error {
	out := &download{w: v.w, kind: "application/json", name: "my-data.json"}
	return out.end(s, v.r, s.service.ExportOwn(v.r.Context(), v.actor, out))
}
