package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

// OIDC is signing in at an OpenID provider.
type OIDC interface {
	// Begin gives the provider's address to send somebody to, and what the session must remember meanwhile.
	Begin(ctx context.Context) (address string, f auth.Flow, err error)
	// End recognises who comes back with these parameters.
	End(ctx context.Context, f auth.Flow, query url.Values) (service.External, error)
}

// Provider is an OpenID provider. There is one at most, so nobody can mix two up.
type Provider struct {
	ID   string // part of addresses
	Name string // for people
	OIDC OIDC
}

func (s *Web) showSetup(w http.ResponseWriter, r *http.Request) error {
	done, err := s.service.IsSetUp(r.Context())
	if err != nil {
		return err
	}
	if done {
		return goTo(w, r, "signin")
	}
	return s.setupPage(w, http.StatusOK, pages.Form{})
}

func (s *Web) setupPage(w http.ResponseWriter, status int, f pages.Form) error {
	return s.render(w, status, pages.PageSetup, pages.Setup{Frame: pages.Frame{Now: s.opts.Now()}, Form: f, NeedsCode: s.opts.NeedsCode})
}

func (s *Web) setUp(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r, "code", "organisation", "name", "email", "password")
	if err != nil {
		return err
	}
	session, err := s.service.SetUp(r.Context(), service.FirstOwner{
		Organization: f.Values["organisation"], Name: f.Values["name"], Email: f.Values["email"], Password: f.Values["password"], Token: f.Values["code"],
	})
	if platform.ErrorCode(err) == platform.Forbidden && s.opts.NeedsCode {
		return s.setupPage(w, fail(&f, "code", platform.ErrorMessage(err)), f)
	}
	if err != nil {
		status, err := wrong(&f, err, map[string]string{"organization": "organisation"})
		if err != nil {
			return err
		}
		return s.setupPage(w, status, f)
	}
	if err := s.opts.Sessions.Begin(r.Context(), session); err != nil {
		return err
	}
	return goTo(w, r, "home")
}

// toSignIn sends somebody who is not known to where people sign in, or to where the installation is set up.
func (s *Web) toSignIn(w http.ResponseWriter, r *http.Request) {
	path := "/sign-in"
	if done, err := s.service.IsSetUp(r.Context()); err == nil && !done {
		path = "/setup"
	} else if r.Method == http.MethodGet && r.URL.Path != "/" {
		path += "?next=" + url.QueryEscape(safeNext(r.URL.RequestURI()))
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}

func (s *Web) showSignIn(w http.ResponseWriter, r *http.Request) error {
	done, err := s.service.IsSetUp(r.Context())
	if err != nil {
		return err
	}
	if !done {
		return goTo(w, r, "setup")
	}
	f, err := readQuery(r, "next", "done")
	if err != nil {
		return err
	}
	next := f.Values["next"]
	if next != "" {
		next = safeNext(next)
	}
	frame := pages.Frame{Now: s.opts.Now()}
	if f.Values["done"] == "password" {
		if frame.Notice, err = s.opts.Pages.Text(string(pages.NoticePassword)); err != nil {
			return err
		}
	}
	return s.signInPage(w, http.StatusOK, frame, pages.Form{}, next)
}

func (s *Web) signInPage(w http.ResponseWriter, status int, frame pages.Frame, f pages.Form, next string) error {
	model := pages.SignIn{Frame: frame, Form: f, Next: next, Passwords: true}
	if p := s.opts.Provider; p != nil {
		model.Providers = []pages.Provider{{ID: p.ID, Name: p.Name}}
	}
	return s.render(w, status, pages.PageSignIn, model)
}

func (s *Web) signIn(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r, "email", "password")
	if err != nil {
		return err
	}
	session, err := s.service.SignIn(r.Context(), httpbase.ClientKey(r.Context()), f.Values["email"], f.Values["password"])
	next := f.Values["next"]
	if err != nil {
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return s.signInPage(w, status, pages.Frame{Now: s.opts.Now()}, f, next)
	}
	if err := s.opts.Sessions.Begin(r.Context(), session); err != nil {
		return err
	}
	http.Redirect(w, r, safeNext(next), http.StatusSeeOther)
	return nil
}

func (s *Web) provider(r *http.Request) (*Provider, error) {
	p := s.opts.Provider
	if p == nil || r.PathValue("provider") != p.ID {
		return nil, platform.Errorf(platform.NotFound, "There is no such way to sign in.")
	}
	return p, nil
}

func (s *Web) beginOIDC(w http.ResponseWriter, r *http.Request) error {
	p, err := s.provider(r)
	if err != nil {
		return err
	}
	address, flow, err := p.OIDC.Begin(r.Context())
	if err != nil {
		return err
	}
	s.opts.Sessions.KeepFlow(r.Context(), flow)
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

// endOIDC is where the provider sends people to. It leads home: what its address holds is of use once.
func (s *Web) endOIDC(w http.ResponseWriter, r *http.Request) error {
	p, err := s.provider(r)
	if err != nil {
		return err
	}
	who, err := p.OIDC.End(r.Context(), s.opts.Sessions.TakeFlow(r.Context()), r.URL.Query())
	var session service.Session
	if err == nil {
		session, err = s.service.SignInExternal(r.Context(), who)
	}
	if err != nil {
		f := pages.Form{}
		if platform.ErrorCode(err) == platform.Forbidden { // there is no account, say: the page offers other ways
			f.Errors = map[string]string{"": platform.ErrorMessage(err)}
			return s.signInPage(w, http.StatusForbidden, pages.Frame{Now: s.opts.Now()}, f, "")
		}
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return s.signInPage(w, status, pages.Frame{Now: s.opts.Now()}, f, "")
	}
	if err := s.opts.Sessions.Begin(r.Context(), session); err != nil {
		return err
	}
	return goTo(w, r, "home")
}

func (s *Web) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.opts.Sessions.End(r.Context()); err != nil {
		return err
	}
	return goTo(w, r, "signin")
}

func (s *Web) showForgot(w http.ResponseWriter, _ *http.Request) error {
	return s.render(w, http.StatusOK, pages.PageForgot, pages.Forgot{Frame: pages.Frame{Now: s.opts.Now()}})
}

func (s *Web) forgot(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r, "email")
	if err != nil {
		return err
	}
	model, status := pages.Forgot{Frame: pages.Frame{Now: s.opts.Now()}, Form: f, Sent: true}, http.StatusOK
	if err := s.service.AskReset(r.Context(), httpbase.ClientKey(r.Context()), f.Values["email"]); err != nil {
		model.Sent = false
		if status, err = wrong(&model.Form, err, nil); err != nil {
			return err
		}
	}
	return s.render(w, status, pages.PageForgot, model)
}

func (s *Web) showSetPassword(w http.ResponseWriter, r *http.Request) error {
	return s.setPasswordPage(w, r, http.StatusOK, pages.Form{})
}

func (s *Web) setPasswordPage(w http.ResponseWriter, r *http.Request, status int, f pages.Form) error {
	return s.render(w, status, pages.PageSetPassword, pages.SetPassword{
		Frame: pages.Frame{Now: s.opts.Now()}, Token: r.PathValue("token"), Form: f,
	})
}

func (s *Web) setPassword(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r, "password")
	if err != nil {
		return err
	}
	if err := s.service.SetPassword(r.Context(), r.PathValue("token"), f.Values["password"]); err != nil {
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return s.setPasswordPage(w, r, status, f)
	}
	return goToWith(w, r, pages.NoticePassword, "signin")
}

func (s *Web) showOrganisations(v *visit) error {
	all, err := s.service.Memberships(v.r.Context(), v.actor, v.session)
	if err != nil {
		return err
	}
	model := pages.Organisations{Frame: v.frame}
	for _, m := range all {
		model.Organisations = append(model.Organisations, pages.Organisation{ID: string(m.Org), Name: m.OrgName, Role: m.Role})
	}
	return s.render(v.w, http.StatusOK, pages.PageOrganisations, model)
}

func (s *Web) chooseOrganisation(v *visit) error {
	f, err := readForm(v.r)
	if err != nil {
		return err
	}
	if f.Values["org"] == "" {
		return platform.Errorf(platform.NotFound, "There is no such organisation.")
	}
	session, err := s.service.ChooseOrg(v.r.Context(), v.session, platform.OrgID(f.Values["org"]))
	if err != nil {
		return err
	}
	if err := s.opts.Sessions.Begin(v.r.Context(), session); err != nil {
		return err
	}
	return goTo(v.w, v.r, "home")
}
