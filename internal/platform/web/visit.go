package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

// visit is one request with who makes it.
type visit struct {
	w     http.ResponseWriter
	r     *http.Request
	actor service.Actor
	// session is that of a user, and email the user's address; empty for who belongs to no organisation any more.
	session service.Session
	email   string
	frame   pages.Frame
	// invitation is that of a candidate.
	invitation platform.ID
}

// visited answers a request of somebody who is known.
type visited func(*visit) error

// user lets those in who are signed in, whether they have chosen an organisation or not.
func (s *Web) user(do visited) answer {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := s.userVisit(w, r)
		if err != nil {
			return err
		}
		return do(v)
	}
}

func (s *Web) userVisit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	session, ok := s.opts.Sessions.Current(r.Context())
	if !ok {
		return nil, platform.Errorf(platform.Unauthorised, "Sign in first.")
	}
	a, err := s.service.UserActor(r.Context(), session)
	if err != nil {
		return nil, err
	}
	a.RequestID = httpbase.RequestID(r.Context())
	v := &visit{w: w, r: r, actor: a, session: session, frame: pages.Frame{Now: s.opts.Now(), Role: a.Role()}}
	all, err := s.service.Memberships(r.Context(), a, session)
	if err != nil {
		return nil, err
	}
	v.frame.Several = len(all) > 1
	for _, m := range all {
		v.frame.User, v.email = m.User.Name, m.User.Email
		if v.frame.User == "" {
			v.frame.User = m.User.Email
		}
		if m.Org == a.Org() {
			v.frame.Org = m.OrgName
			break
		}
	}
	return v, s.notice(v)
}

// team lets those in who act in an organisation. Whoever has chosen none yet is asked to.
func (s *Web) team(do visited) answer {
	return s.user(func(v *visit) error {
		if v.actor.Org() == "" {
			return goTo(v.w, v.r, "organisations")
		}
		return do(v)
	})
}

// notice says what was just done, when the address says so with a word of ours.
func (s *Web) notice(v *visit) error {
	n := pages.Notice("notice." + v.r.URL.Query().Get("done"))
	if v.r.Method != http.MethodGet || !slices.Contains(pages.Notices(), n) {
		return nil
	}
	var err error
	v.frame.Notice, err = s.opts.Pages.Text(string(n))
	return err
}

// Cookies of candidates. Each goes to the pages of one invitation and nowhere else, so a browser may have several.
const (
	ownCookie       = "assay_my"
	ownCookieSecure = "__Secure-assay_my"
	maxOwnToken     = 200 // bytes; ours are shorter
)

func (s *Web) ownCookieName() string {
	if s.secure {
		return ownCookieSecure
	}
	return ownCookie
}

// errNoInvitation is the same for an invitation that is not there, somebody else's, and one whose link was not followed here.
func errNoInvitation() error {
	return platform.Errorf(platform.NotFound, "Follow the link of your invitation again, the newest that you were sent.")
}

// followLink exchanges the token of a link for a cookie, so that it does not stay in addresses.
func (s *Web) followLink(w http.ResponseWriter, r *http.Request) error {
	token := r.PathValue("token")
	if len(token) > maxOwnToken {
		return errNoInvitation()
	}
	a, err := s.service.CandidateActor(r.Context(), token)
	if err != nil {
		return err
	}
	path, err := pages.Path("invitation", string(a.InvitationID()))
	if err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(path, token, 0))
	http.Redirect(w, r, path, http.StatusSeeOther) // #nosec G710 -- a route of ours
	return nil
}

// cookie is that of an invitation. It goes with the browser: the link brings it back. Lax, for the link comes from a mail.
func (s *Web) cookie(path, token string, age int) *http.Cookie {
	return &http.Cookie{ // #nosec G124 -- Secure is left out on plain HTTP alone
		Name: s.ownCookieName(), Value: token, Path: path, MaxAge: age, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// forgetCookie takes a candidate's cookie away.
func (s *Web) forgetCookie(v *visit) error {
	path, err := pages.Path("invitation", string(v.invitation))
	if err != nil {
		return err
	}
	http.SetCookie(v.w, s.cookie(path, "", -1))
	return nil
}

// candidate lets in whoever has followed the link of the invitation that the address names.
func (s *Web) candidate(do visited) answer {
	return func(w http.ResponseWriter, r *http.Request) error {
		cookie, err := r.Cookie(s.ownCookieName())
		if err != nil || len(cookie.Value) > maxOwnToken {
			return errNoInvitation()
		}
		a, err := s.service.CandidateActor(r.Context(), cookie.Value)
		if platform.ErrorCode(err) == platform.NotFound {
			return errNoInvitation()
		}
		if err != nil {
			return err
		}
		if r.PathValue("invitation") != string(a.InvitationID()) {
			return errNoInvitation()
		}
		a.RequestID = httpbase.RequestID(r.Context())
		v := &visit{
			w: w, r: r, actor: a, frame: pages.Frame{Now: s.opts.Now()}, invitation: a.InvitationID(),
		}
		if err := s.notice(v); err != nil {
			return err
		}
		return do(v)
	}
}

// needs refuses what the visitor may not do before a form is looked at. The service asks again.
func (s *Web) needs(v *visit, u service.UseCase) error {
	if s.service.May(v.actor, u) {
		return nil
	}
	return platform.Errorf(platform.Forbidden, "This needs another role. Ask an owner of the organisation.")
}

// id is what the address names, when it has the form of such an id; anything else is not found.
func (v *visit) id(name string, kind platform.Kind) (platform.ID, error) {
	id := platform.ID(v.r.PathValue(name))
	if !id.Is(kind) {
		return "", platform.Errorf(platform.NotFound, "There is nothing at this address.")
	}
	return id, nil
}

// after is the page of a list that the address asks for.
func (v *visit) after(limit int) platform.Page {
	return platform.Page{After: platform.Cursor(v.r.URL.Query().Get("after")), Limit: limit}
}

// more is the query of the next page of a list, with what else narrows it; empty: there is none.
func more(next platform.Cursor, keep map[string]string) string {
	if next == "" {
		return ""
	}
	q := url.Values{"after": {string(next)}}
	for name, value := range keep {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q.Encode()
}

// safeNext is where to go after signing in: a place of ours, or the home page.
func safeNext(next string) string {
	u, err := url.Parse(next)
	switch {
	case next == "" || len(next) > maxNext || err != nil || u.IsAbs() || u.Host != "" || u.User != nil:
		return "/"
	case !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t"):
		return "/"
	}
	return next
}

const maxNext = 500 // bytes

// plainText says whether what was sent is text that pages and databases can hold.
func plainText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// until is the time from now to at, never negative.
func until(now, at time.Time) time.Duration { return max(0, at.Sub(now)) }
