// Package api is the platform's REST API under /api/v1, for other programs and for the assay command. It is made of the use
// cases of internal/platform/service and has no rules of its own; its document is generated from the same declarations that
// read requests and write answers.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/time/rate"

	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

// Prefix is what the path of every operation begins with.
const Prefix = "/api/v1"

// Sealer encrypts the answers that idempotency keys remember: some hold a secret that is shown once.
type Sealer interface {
	Seal(plain []byte, purpose string) []byte
	Open(sealed []byte, purpose string) ([]byte, error)
}

// Options say what an API works with. Service, Base, Sealer and Link are needed.
type Options struct {
	Service *service.Service
	Base    *httpbase.Base
	Sealer  Sealer
	// Link is the address of the page that an invitation's token opens.
	Link func(token string) string
	// Version is that of the program, for the document.
	Version string
	// PerSecond and Burst bound the requests of one token; 20 and 100 unless set.
	PerSecond float64
	Burst     int
	Now       func() time.Time
}

const (
	defaultRate  = 20
	defaultBurst = 100
	maxCallers   = 20_000 // whose rates are remembered
)

// API is the API. It may be used by several goroutines.
type API struct {
	service   *service.Service
	base      *httpbase.Base
	sealer    Sealer
	link      func(string) string
	now       func() time.Time
	callers   *httpbase.Limiter
	huma      huma.API
	document  []byte // OpenAPI 3.1, JSON
	reference []byte // HTML
}

// New makes the API and adds its routes to a mux.
func New(mux *http.ServeMux, o Options) (*API, error) {
	if o.Service == nil || o.Base == nil || o.Sealer == nil || o.Link == nil {
		return nil, errors.New("make API: it needs service, base, sealer and a way to make links")
	}
	if o.PerSecond <= 0 {
		o.PerSecond = defaultRate
	}
	if o.Burst <= 0 {
		o.Burst = defaultBurst
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &API{
		service: o.Service, base: o.Base, sealer: o.Sealer, link: o.Link, now: o.Now,
		callers: httpbase.NewLimiter(rate.Limit(o.PerSecond), o.Burst, maxCallers, o.Now),
	}
	a.huma = humago.NewWithPrefix(mux, Prefix, a.config(o.Version))
	a.huma.UseMiddleware(a.recognise)
	a.operations()
	// Huma's own form of errors is never answered: see explain.
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(a.huma.OpenAPI().Components.Schemas.Map(), name)
	}
	var err error
	if a.document, err = json.Marshal(a.huma.OpenAPI()); err != nil {
		return nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	if a.reference, err = writeReference(a.huma.OpenAPI()); err != nil {
		return nil, err
	}
	a.pages(mux)
	return a, nil
}

// operations declares all of them, in the order of the reference.
func (a *API) operations() {
	a.assessments()
	a.invitations()
	a.candidates()
	a.attempts()
	a.submissions()
	a.gradings()
	a.results()
	a.endpoints()
	a.logs()
	a.organization()
	a.members()
	a.tokens()
	a.own()
	a.ownTasks()
	a.ownWork()
	a.ownResults()
}

func (a *API) config(version string) huma.Config {
	if version == "" {
		version = "dev"
	}
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Assay", Version: version, Description: about},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					teamToken: {Type: "http", Scheme: "bearer", Description: "An API token of the organisation, `assay_api_…`. The roles are its scopes."},
					linkToken: {Type: "http", Scheme: "bearer", Description: "The token of an invitation, `assay_inv_…`. It opens that invitation and nothing else."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": format(), "json": format()},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{a.explain},
	}
}

// about is the text at the beginning of the document.
const about = "REST API of Assay: what a hiring team does, for an applicant-tracking system, and what a candidate does, for the assay command. " +
	"Errors are problem details (RFC 9457) with a `code` that programs can rely on. Lists come in pages: give `next` of one as `after` for the next. " +
	"A POST with an `Idempotency-Key` is done once, also when it is sent again within 24 hours."
