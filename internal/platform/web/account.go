package web

import (
	"net/http"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

func (s *Web) showAccount(v *visit) error { return s.accountPage(v, http.StatusOK, pages.Form{}) }

func (s *Web) accountPage(v *visit, status int, f pages.Form) error {
	return s.render(v.w, status, pages.PageAccount, pages.Account{Frame: v.frame, Email: v.email, Form: f})
}

// changePassword sets another password. The session goes on as a new one, all others end.
func (s *Web) changePassword(v *visit) error {
	f, err := readForm(v.r, "current", "newPassword")
	if err != nil {
		return err
	}
	session, err := s.service.ChangePassword(v.r.Context(), v.actor, httpbase.ClientKey(v.r.Context()), f.Values["current"], f.Values["newPassword"])
	if platform.ErrorCode(err) == platform.Unauthorised {
		return s.accountPage(v, fail(&f, "current", "This is not your present password."), f)
	}
	if err != nil {
		status, err := wrong(&f, err, map[string]string{"password": "newPassword"})
		if err != nil {
			return err
		}
		return s.accountPage(v, status, f)
	}
	if org := v.actor.Org(); org != "" {
		if session, err = s.service.ChooseOrg(v.r.Context(), session, org); err != nil {
			return err
		}
	}
	if err := s.opts.Sessions.Begin(v.r.Context(), session); err != nil {
		return err
	}
	return goToWith(v.w, v.r, pages.NoticeNewPassword, "account")
}

func (s *Web) signOutEverywhere(v *visit) error {
	if err := s.service.EndSessions(v.r.Context(), v.actor); err != nil {
		return err
	}
	return s.signOut(v.w, v.r)
}
