package auth_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/service"
)

// provider is an OpenID provider that signs what the test tells it.
type provider struct {
	*httptest.Server
	t         *testing.T
	key       *rsa.PrivateKey
	claims    map[string]any
	challenge string // of the PKCE that the code was asked with
	noToken   bool
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := &provider{t: t, key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.write(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.write(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
			"n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *provider) write(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(what)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if r.PostFormValue("code") != "good" || b64(sum[:]) != p.challenge {
		w.WriteHeader(http.StatusBadRequest)
		p.write(w, map[string]any{"error": "invalid_grant"})
		return
	}
	out := map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 60}
	if !p.noToken {
		out["id_token"] = p.sign(p.key)
	}
	p.write(w, out)
}

func (p *provider) sign(key *rsa.PrivateKey) string {
	head, err := json.Marshal(map[string]any{"alg": "RS256", "kid": "1"})
	require.NoError(p.t, err)
	body, err := json.Marshal(p.claims)
	require.NoError(p.t, err)
	signed := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	require.NoError(p.t, err)
	return signed + "." + b64(sig)
}

func TestSignInAtAProvider(t *testing.T) {
	p := newProvider(t)
	now := time.Now()
	o, err := auth.NewOIDC(t.Context(), auth.OIDCOptions{
		Issuer: p.URL, ClientID: "assay", ClientSecret: "s", RedirectURL: "https://assay.example/oidc", Domains: []string{"acme.example"},
		Orgs: []platform.OrgID{"org_1"}, Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	type try struct {
		flow  auth.Flow
		query url.Values
	}
	for _, c := range []struct {
		name   string
		change func(*try)
		want   platform.Code
	}{
		{"all is well", func(*try) {}, ""},
		{"verified as a string", func(*try) { p.claims["email_verified"] = "true" }, ""},
		{"another state", func(x *try) { x.query.Set("state", "x") }, platform.Unauthorised},
		{"no flow of ours", func(x *try) { x.flow = auth.Flow{}; x.query.Del("state") }, platform.Unauthorised},
		{"too late", func(x *try) { x.flow.Until = now.Add(-time.Second) }, platform.Unauthorised},
		{"refused there", func(x *try) { x.query.Set("error", "access_denied") }, platform.Unauthorised},
		{"no code", func(x *try) { x.query.Del("code") }, platform.Unauthorised},
		{"another code", func(x *try) { x.query.Set("code", "bad") }, platform.Unauthorised},
		{"a stolen code", func(x *try) { x.flow.Verifier = "that of somebody else, who is long enough to be one" }, platform.Unauthorised},
		{"another nonce", func(*try) { p.claims["nonce"] = "x" }, platform.Unauthorised},
		{"not verified", func(*try) { p.claims["email_verified"] = false }, platform.Forbidden},
		{"not said to be", func(*try) { delete(p.claims, "email_verified") }, platform.Forbidden},
		{"no address", func(*try) { delete(p.claims, "email") }, platform.Forbidden},
		{"another domain", func(*try) { p.claims["email"] = "olga@evil.example" }, platform.Forbidden},
		{"two domains", func(*try) { p.claims["email"] = "olga@evil.example@acme.example" }, platform.Forbidden},
		{"for somebody else", func(*try) { p.claims["aud"] = "another client" }, platform.Internal},
		{"by somebody else", func(*try) { p.claims["iss"] = "https://evil.example" }, platform.Internal},
		{"expired", func(*try) { p.claims["exp"] = now.Add(-time.Hour).Unix() }, platform.Internal},
		{"no ID token", func(*try) { p.noToken = true }, platform.Internal},
	} {
		address, flow := o.Begin()
		asked, err := url.Parse(address)
		require.NoError(t, err)
		q := asked.Query()
		require.Equal(t, "S256", q.Get("code_challenge_method"))
		require.Equal(t, flow.State, q.Get("state"))
		require.NotContains(t, address, flow.Verifier)
		p.challenge, p.noToken = q.Get("code_challenge"), false
		p.claims = map[string]any{
			"iss": p.URL, "aud": "assay", "sub": "42", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "nonce": q.Get("nonce"),
			"email": "Olga@ACME.example", "email_verified": true,
		}
		x := &try{flow: flow, query: url.Values{"state": {flow.State}, "code": {"good"}}}
		c.change(x)
		got, err := o.End(t.Context(), x.flow, x.query)
		require.Equal(t, c.want, platform.ErrorCode(err), "%s: %v", c.name, err)
		if c.want == "" {
			require.Equal(t, service.External{Issuer: p.URL, Subject: "42", Email: "olga@acme.example", EmailVerified: true, Orgs: []platform.OrgID{"org_1"}}, got)
		}
	}
}

func TestAnIDTokenOfAnotherKeyIsRefused(t *testing.T) {
	p := newProvider(t)
	o, err := auth.NewOIDC(t.Context(), auth.OIDCOptions{Issuer: p.URL, ClientID: "assay"})
	require.NoError(t, err)
	address, flow := o.Begin()
	asked, err := url.Parse(address)
	require.NoError(t, err)
	p.challenge = asked.Query().Get("code_challenge")
	p.claims = map[string]any{"iss": p.URL, "aud": "assay", "sub": "42", "exp": time.Now().Add(time.Minute).Unix(), "nonce": flow.Nonce, "email": "a@b.example", "email_verified": true}
	p.key, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, err = o.End(t.Context(), flow, url.Values{"state": {flow.State}, "code": {"good"}})
	require.ErrorContains(t, err, "verify ID token")
}

func TestAProviderThatIsNotThere(t *testing.T) {
	p := newProvider(t)
	p.Close()
	_, err := auth.NewOIDC(t.Context(), auth.OIDCOptions{Issuer: p.URL, ClientID: "assay"})
	require.ErrorContains(t, err, "ask OpenID provider")
}
