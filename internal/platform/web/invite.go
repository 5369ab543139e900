package web

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

// inviteFields are those of the form for one person, in its order; csv is the file of the other form.
func inviteFields() []string { return []string{"name", "email", "externalRef", "extraPercent", "csv"} }

// invitePage shows the page; add fills in what was just done.
func (s *Web) invitePage(v *visit, id platform.ID, status int, add func(*pages.Invite)) error {
	v.frame.Section = pages.SectionHome
	whole, err := s.service.Assessment(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	set := whole.Assessment.Settings
	model := pages.Invite{
		Frame: v.frame, AssessmentID: string(id), Assessment: set.Name, Deadline: set.Deadline,
		Expires: v.frame.Now.Add(service.DefaultInvitationDays * 24 * time.Hour), Mailed: s.opts.Mailed,
	}
	if add != nil {
		add(&model)
	}
	return s.render(v.w, status, pages.PageInvite, model)
}

func (s *Web) showInvite(v *visit) error {
	id, err := v.id("assessment", platform.KindAssessment)
	if err != nil {
		return err
	}
	if err := s.needs(v, service.Invite); err != nil {
		return err
	}
	return s.invitePage(v, id, http.StatusOK, nil)
}

// backToInvite is for who loads the page again that a list was sent to.
func (s *Web) backToInvite(v *visit) error {
	return goTo(v.w, v.r, "invite", v.r.PathValue("assessment"))
}

func (s *Web) invite(v *visit) error {
	id, err := v.id("assessment", platform.KindAssessment)
	if err != nil {
		return err
	}
	f, err := readForm(v.r, inviteFields()...)
	if err != nil {
		return err
	}
	invitee := platform.Invitee{
		Name: f.Values["name"], Email: f.Values["email"], ExternalRef: f.Values["externalRef"], ExtraPercent: wholeNumber(&f, "extraPercent"),
	}
	again := func(status int) error {
		return s.invitePage(v, id, status, func(m *pages.Invite) { m.Form = f })
	}
	if len(f.Errors) > 0 {
		return again(http.StatusUnprocessableEntity)
	}
	made, err := s.service.Invite(v.r.Context(), v.actor, service.NewInvitations{
		AssessmentID: id, Invitees: []platform.Invitee{invitee}, ByMail: true,
	})
	if err == nil && len(made) == 1 && made[0].Outcome == store.AlreadyInvited {
		err = platform.InvalidField("email", "This candidate was invited already. A new link can be made on the candidate's page.")
	}
	if err != nil {
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return again(status)
	}
	return s.invitePage(v, id, http.StatusOK, func(m *pages.Invite) { m.Links = s.links(made) })
}

// links are those of new invitations. They are shown on the answer to the request that made them, and nowhere again.
func (s *Web) links(made []store.InviteResult) []pages.InviteLink {
	var out []pages.InviteLink
	for _, r := range made {
		if r.Token != "" {
			out = append(out, pages.InviteLink{Name: r.Candidate.Name, Email: r.Candidate.Email, Link: s.Link(r.Token)})
		}
	}
	return out
}

// Link is the address of the page that an invitation's token opens.
func (s *Web) Link(token string) string { return s.opts.URL + "/i/" + token }

// listOverhead is what a form has around its file, in bytes.
const listOverhead = 64 << 10

func (s *Web) inviteList(v *visit) error {
	id, err := v.id("assessment", platform.KindAssessment)
	if err != nil {
		return err
	}
	if err := s.needs(v, service.Invite); err != nil {
		return err
	}
	f := pages.Form{Order: inviteFields()}
	httpbase.LargeBody(v.w, v.r, service.MaxListBytes+listOverhead)
	list, err := filePart(v.r, "csv")
	var made []store.InviteResult
	if err == nil {
		made, err = s.service.InviteList(v.r.Context(), v.actor, service.NewInvitations{AssessmentID: id, ByMail: true}, list)
	}
	if lines := (*service.ListError)(nil); errors.As(err, &lines) {
		return s.invitePage(v, id, http.StatusUnprocessableEntity, func(m *pages.Invite) {
			m.Read = lines.Read
			for _, l := range lines.Lines {
				m.Lines = append(m.Lines, pages.LineError{Line: l.Line, Column: l.Field, Message: l.Message})
			}
		})
	}
	if err != nil {
		status, err := wrong(&f, err, map[string]string{"file": "csv"})
		if err != nil {
			return err
		}
		return s.invitePage(v, id, status, func(m *pages.Invite) { m.Form = f })
	}
	return s.invitePage(v, id, http.StatusOK, func(m *pages.Invite) { m.Links = s.links(made) })
}

// filePart finds a file in a form that has files, as it arrives. Its size is bounded by the request's.
func filePart(r *http.Request, name string) (*multipart.Part, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, platform.InvalidField("file", "Choose a file.")
	}
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, err
		}
		if err != nil {
			return nil, platform.InvalidField("file", "The upload broke off. Send it again.")
		}
		if part.FormName() == name && part.FileName() != "" {
			return part, nil
		}
	}
	return nil, platform.InvalidField("file", "Choose a file.")
}

// maxParts bounds the parts of a form that has files.
const maxParts = 20
