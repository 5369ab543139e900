package auth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
)

// site is a server with sessions, and what its only page does.
type site struct {
	t        *testing.T
	sessions *auth.Sessions
	handler  http.Handler
	page     func(ctx context.Context)
	cookies  []*http.Cookie
}

func newSite(t *testing.T, secure bool) *site {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "assay.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s := &site{t: t, sessions: auth.NewSessions(db.Sessions(), secure)}
	s.handler = s.sessions.Handle(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.page(r.Context()) }),
		func(_ http.ResponseWriter, _ *http.Request, err error) { require.NoError(t, err) })
	return s
}

func (s *site) visit(page func(ctx context.Context)) *httptest.ResponseRecorder {
	s.t.Helper()
	s.page = page
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range s.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if set := w.Result().Cookies(); len(set) > 0 {
		s.cookies = set
	}
	return w
}

func TestASession(t *testing.T) {
	s := newSite(t, true)
	begun := time.Date(2026, 3, 2, 9, 0, 0, int(5*time.Millisecond), time.UTC)
	want := service.Session{UserID: "usr_1", Begun: begun, Org: "org_1", Orgs: []platform.OrgID{"org_1", "org_2"}}
	s.visit(func(ctx context.Context) {
		_, ok := s.sessions.Current(ctx)
		require.False(t, ok)
		s.sessions.KeepFlow(ctx, auth.Flow{State: "s", Nonce: "n", Verifier: "v", Until: begun.Truncate(time.Second)})
	})
	planted := s.cookies[0]
	s.visit(func(ctx context.Context) { require.NoError(t, s.sessions.Begin(ctx, want)) })
	c := s.cookies[0]
	require.NotEqual(t, planted.Value, c.Value, "the token is renewed at sign-in")
	require.Equal(t, "__Host-assay_session", c.Name)
	require.True(t, c.Secure && c.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	require.Equal(t, "/", c.Path)
	require.Empty(t, c.Domain)
	require.Zero(t, c.MaxAge)
	s.visit(func(ctx context.Context) {
		got, ok := s.sessions.Current(ctx)
		require.True(t, ok)
		require.Equal(t, want, got)
		require.Equal(t, auth.Flow{State: "s", Nonce: "n", Verifier: "v", Until: begun.Truncate(time.Second)}, s.sessions.TakeFlow(ctx))
		require.Zero(t, s.sessions.TakeFlow(ctx), "it is taken once")
	})
	s.cookies = []*http.Cookie{{Name: c.Name, Value: planted.Value}}
	s.visit(func(ctx context.Context) {
		_, ok := s.sessions.Current(ctx)
		require.False(t, ok, "who has planted a token has nothing")
	})
	s.cookies = []*http.Cookie{c}
	s.visit(func(ctx context.Context) { require.NoError(t, s.sessions.End(ctx)) })
	s.cookies = []*http.Cookie{c}
	s.visit(func(ctx context.Context) {
		_, ok := s.sessions.Current(ctx)
		require.False(t, ok)
	})
}

func TestPlainHTTPHasACookieOfItsOwn(t *testing.T) {
	s := newSite(t, false)
	s.visit(func(ctx context.Context) { require.NoError(t, s.sessions.Begin(ctx, service.Session{UserID: "usr_1"})) })
	require.Equal(t, "assay_session", s.cookies[0].Name)
	require.False(t, s.cookies[0].Secure)
}

func TestBearerToken(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "Bearer x": "x", "bearer  x ": "x", "Basic x": "", "Bearer": "", "x": "", "Bearer " + string(make([]byte, 500)): "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		require.Equal(t, want, auth.BearerToken(r), "%q", header)
	}
}
