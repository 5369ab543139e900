package web

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

// Bounds of what an upload has beside its archive, in bytes.
const (
	maxPartText    = 1000
	uploadOverhead = 64 << 10
)

// submit hands a submission in. The archive goes to the service as it arrives: what must be known before stands before it in the
// form.
func (s *Web) submit(v *visit) error {
	received := s.opts.Now()
	challenge := v.r.PathValue("challenge")
	// One byte more than an archive may have is let through: by that one the service knows.
	httpbase.LargeBody(v.w, v.r, s.service.MaxUploadBytes()+1+uploadOverhead)
	f := pages.Form{Order: []string{"archive", "finalArchive", "sure"}, Errors: map[string]string{}}
	values, archive, err := uploadParts(v.r)
	kind := platform.SubmissionKind(values["kind"])
	field := "archive"
	if kind == platform.Final {
		field = "finalArchive"
	}
	if err == nil && kind == platform.Final && values["sure"] != "on" {
		return s.taskPage(v, fail(&f, "sure", "Tick this to hand in for good."), func(m *pages.Work) { m.Form = f })
	}
	var handed store.HandedIn
	if err == nil {
		handed, err = s.service.Submit(v.r.Context(), v.actor, service.Upload{
			ChallengeID: challenge, Kind: kind, FileName: archive.FileName(), Body: archive, ReceivedAt: received,
		})
	}
	if err == nil && !handed.Submission.Intake.Accepted {
		err = platform.InvalidField("file", "%s", handed.Submission.Intake.Problem)
	}
	if err != nil {
		status, err := wrong(&f, err, map[string]string{"file": field, "kind": field})
		if err != nil {
			return err
		}
		return s.taskPage(v, status, func(m *pages.Work) { m.Form = f })
	}
	if handed.Complete {
		return goTo(v.w, v.r, "result", string(v.invitation))
	}
	return goToWith(v.w, v.r, pages.NoticeHandedIn, "task", string(v.invitation), challenge)
}

// uploadParts reads the form of an upload up to its archive, which is left to be read. The values are there also with an
// error.
func uploadParts(r *http.Request) (values map[string]string, archive *multipart.Part, err error) {
	values = map[string]string{}
	choose := platform.InvalidField("file", "Choose a .tar.gz or a .zip.")
	parts, err := r.MultipartReader()
	if err != nil {
		return values, nil, choose
	}
	for range maxParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return values, nil, err
		}
		if err != nil {
			return values, nil, platform.InvalidField("file", "The upload broke off. Send it again.")
		}
		if part.FormName() == "archive" {
			if part.FileName() == "" {
				return values, nil, choose
			}
			return values, part, nil
		}
		var text bytes.Buffer
		n, err := io.Copy(&text, io.LimitReader(part, maxPartText+1))
		switch {
		case err != nil:
			return values, nil, platform.InvalidField("file", "The upload broke off. Send it again.")
		case n > maxPartText || !plainText(text.String()):
			return values, nil, platform.Errorf(platform.Invalid, "This form cannot be read.")
		}
		values[part.FormName()] = text.String()
	}
	return values, nil, choose
}
