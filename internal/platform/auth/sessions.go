package auth

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// How long a session lasts.
const (
	IdleSession = 2 * time.Hour  // without a request
	LongSession = 12 * time.Hour // altogether
)

// Sessions are those of browsers. The cookie holds a random token; what belongs to it is in the store, under a hash.
type Sessions struct{ manager *scs.SessionManager }

// NewSessions makes one. secure is false only for plain HTTP on the own machine: then the cookie goes without Secure and
// without the prefix that demands it.
func NewSessions(store scs.CtxStore, secure bool) *Sessions {
	m := scs.New()
	m.Store = store
	m.IdleTimeout, m.Lifetime = IdleSession, LongSession
	m.Cookie.Name, m.Cookie.Path = "assay_session", "/"
	if secure {
		m.Cookie.Name = "__Host-assay_session"
	}
	m.Cookie.Secure, m.Cookie.HttpOnly, m.Cookie.SameSite = secure, true, http.SameSiteLaxMode
	m.Cookie.Persist = false // it goes with the browser
	return &Sessions{manager: m}
}

// Handle loads and saves the session of each request; it is called once. failed answers when the store cannot be reached.
func (s *Sessions) Handle(next http.Handler, failed func(http.ResponseWriter, *http.Request, error)) http.Handler {
	s.manager.ErrorFunc = failed
	return s.manager.LoadAndSave(next)
}

// Keys of what a session holds.
const (
	keyUser  = "user"
	keyBegun = "begun"
	keyOrg   = "org"
	keyOrgs  = "orgs"
	keyFlow  = "oidc"
)

// Begin puts a user into the session, under a new token: one that was planted before the sign-in is worth nothing.
func (s *Sessions) Begin(ctx context.Context, in service.Session) error {
	if err := s.manager.RenewToken(ctx); err != nil {
		return fmt.Errorf("renew session: %w", err)
	}
	orgs := make([]string, len(in.Orgs))
	for i, o := range in.Orgs {
		orgs[i] = string(o)
	}
	s.manager.Put(ctx, keyUser, string(in.UserID))
	s.manager.Put(ctx, keyBegun, in.Begun.UnixMilli())
	s.manager.Put(ctx, keyOrg, string(in.Org))
	s.manager.Put(ctx, keyOrgs, strings.Join(orgs, " "))
	return nil
}

// Current is what the session holds; ok is false when nobody is signed in. Whether it still holds is for
// service.UserActor to say.
func (s *Sessions) Current(ctx context.Context) (in service.Session, ok bool) {
	in.UserID = platform.ID(s.manager.GetString(ctx, keyUser))
	if in.UserID == "" {
		return service.Session{}, false
	}
	in.Begun = time.UnixMilli(s.manager.GetInt64(ctx, keyBegun)).UTC()
	in.Org = platform.OrgID(s.manager.GetString(ctx, keyOrg))
	for _, o := range strings.Fields(s.manager.GetString(ctx, keyOrgs)) {
		in.Orgs = append(in.Orgs, platform.OrgID(o))
	}
	return in, true
}

// End ends the session.
func (s *Sessions) End(ctx context.Context) error {
	if err := s.manager.Destroy(ctx); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// BearerToken is the token of an Authorization header; empty: there is none.
func BearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || len(token) > maxBearer {
		return ""
	}
	return token
}

// maxBearer bounds a token that is looked at, in bytes; ours are shorter.
const maxBearer = 200
