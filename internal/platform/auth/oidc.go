package auth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// OIDCOptions say how an OpenID provider is used.
type OIDCOptions struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	RedirectURL  string // of our own page that the provider sends people back to
	// Domains are those whose addresses are accepted; empty: all.
	Domains []string
	// Orgs are the organisations that accept it; empty: all.
	Orgs []platform.OrgID
	// Client is used for everything that is asked of the provider; one with a timeout unless set.
	Client *http.Client
	Now    func() time.Time
}

// OIDC lets people sign in at an OpenID provider: authorization code with PKCE, state and nonce.
type OIDC struct {
	opts     OIDCOptions
	config   oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// providerTimeout bounds a request to the provider.
const providerTimeout = 10 * time.Second

// flowLasts is how long somebody may take at the provider.
const flowLasts = 10 * time.Minute

// NewOIDC asks the provider what it offers.
func NewOIDC(ctx context.Context, opts OIDCOptions) (*OIDC, error) {
	if opts.Client == nil {
		opts.Client = &http.Client{Timeout: providerTimeout}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, opts.Client), opts.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask OpenID provider: %w", err)
	}
	return &OIDC{
		opts: opts,
		config: oauth2.Config{
			ClientID: opts.ClientID, ClientSecret: opts.ClientSecret, RedirectURL: opts.RedirectURL,
			Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
		},
		verifier: provider.Verifier(&oidc.Config{ClientID: opts.ClientID, Now: opts.Now}),
	}, nil
}

// Flow is what must be remembered, in the session of the same browser, while somebody is at the provider.
type Flow struct {
	State, Nonce, Verifier string
	Until                  time.Time
}

// Begin gives the provider's address to send somebody to.
func (o *OIDC) Begin() (address string, f Flow) {
	f = Flow{
		State: platform.NewToken(""), Nonce: platform.NewToken(""), Verifier: oauth2.GenerateVerifier(), Until: o.opts.Now().Add(flowLasts),
	}
	return o.config.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), f
}

func errNotOurs() error {
	return platform.Errorf(platform.Unauthorised, "This sign-in did not begin here, or took too long. Begin again.")
}

// End recognises who comes back from the provider with these parameters.
func (o *OIDC) End(ctx context.Context, f Flow, query url.Values) (service.External, error) {
	none := service.External{}
	if f.State == "" || subtle.ConstantTimeCompare([]byte(f.State), []byte(query.Get("state"))) != 1 || o.opts.Now().After(f.Until) {
		return none, errNotOurs()
	}
	if query.Get("error") != "" || query.Get("code") == "" {
		return none, platform.Errorf(platform.Unauthorised, "Your provider did not sign you in. Try again, or ask those who run it.")
	}
	ctx = oidc.ClientContext(ctx, o.opts.Client)
	token, err := o.config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		if refused := (*oauth2.RetrieveError)(nil); errors.As(err, &refused) {
			return none, errNotOurs() // the answer may hold what nobody should read
		}
		return none, fmt.Errorf("exchange code at OpenID provider: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return none, errors.New("the OpenID provider gave no ID token")
	}
	id, err := o.verifier.Verify(ctx, raw)
	if err != nil {
		return none, fmt.Errorf("verify ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return none, errNotOurs()
	}
	return o.external(id)
}

func (o *OIDC) external(id *oidc.IDToken) (service.External, error) {
	var claims struct {
		Email    string          `json:"email"`
		Verified json.RawMessage `json:"email_verified"`
	}
	if err := id.Claims(&claims); err != nil {
		return service.External{}, fmt.Errorf("read ID token: %w", err)
	}
	// Some providers write the truth value as a string.
	verified := string(claims.Verified) == "true" || string(claims.Verified) == `"true"`
	if !verified || claims.Email == "" {
		return service.External{}, platform.Errorf(platform.Forbidden, "Your provider has not verified your address. Do that there first.")
	}
	email := platform.NormalEmail(claims.Email)
	if !o.accepts(email) {
		return service.External{}, platform.Errorf(platform.Forbidden, "Addresses of this domain are not accepted here.")
	}
	return service.External{Issuer: id.Issuer, Subject: id.Subject, Email: email, EmailVerified: true, Orgs: o.opts.Orgs}, nil
}

// accepts says whether an address is of a domain that is accepted.
func (o *OIDC) accepts(email string) bool {
	if len(o.opts.Domains) == 0 {
		return true
	}
	_, domain, _ := strings.Cut(email, "@")
	for _, d := range o.opts.Domains {
		if strings.EqualFold(d, domain) {
			return true
		}
	}
	return false
}

// KeepFlow remembers a flow in the session.
func (s *Sessions) KeepFlow(ctx context.Context, f Flow) {
	s.manager.Put(ctx, keyFlow, strings.Join([]string{f.State, f.Nonce, f.Verifier, f.Until.UTC().Format(time.RFC3339)}, " "))
}

// TakeFlow gives the flow that the session remembers, once.
func (s *Sessions) TakeFlow(ctx context.Context) Flow {
	parts := strings.Fields(s.manager.PopString(ctx, keyFlow))
	if len(parts) != 4 {
		return Flow{}
	}
	until, err := time.Parse(time.RFC3339, parts[3])
	if err != nil {
		return Flow{}
	}
	return Flow{State: parts[0], Nonce: parts[1], Verifier: parts[2], Until: until}
}
