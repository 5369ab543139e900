package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

// problemError is an error as operations answer it.
type problemError struct {
	platform.Problem
	headers http.Header
}

// Error returns what may be told.
func (p *problemError) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *problemError) GetStatus() int { return p.Status }

// GetHeaders returns the headers that go with it.
func (p *problemError) GetHeaders() http.Header { return p.headers }

// ContentType returns that of problem details.
func (p *problemError) ContentType(string) string { return "application/problem+json" }

// problem says of an error what may be told, and logs what is our own fault.
func (a *API) problem(ctx context.Context, err error) *problemError {
	if made := (*problemError)(nil); errors.As(err, &made) {
		return made
	}
	p := toProblem(a.base.Problem(ctx, err))
	if list := (*service.ListError)(nil); errors.As(err, &list) {
		for _, l := range list.Lines {
			p.Errors = append(p.Errors, platform.Mistake{Location: strings.TrimSpace(fmt.Sprintf("line %d %s", l.Line, l.Field)), Message: l.Message})
		}
	}
	return p
}

func toProblem(p httpbase.Problem) *problemError {
	headers := p.Headers()
	headers.Del("Content-Type") // huma writes it, by ContentType
	return &problemError{Problem: p.Problem, headers: headers}
}

// write answers with an error, outside of a handler.
func (a *API) write(ctx huma.Context, err error) {
	p := a.problem(ctx.Context(), err)
	for name, values := range p.headers {
		for _, v := range values {
			ctx.SetHeader(name, v)
		}
	}
	ctx.SetHeader("Content-Type", p.ContentType(""))
	ctx.SetStatus(p.Status)
	_ = huma.DefaultJSONFormat.Marshal(ctx.BodyWriter(), p) // the client may be gone
}

// explain makes problems of what huma says about requests that do not fit the document. The values that it would quote are
// left out: there may be a secret among them.
func (a *API) explain(ctx huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	if model.Status >= http.StatusInternalServerError {
		// What it was came from reading the request: the connection broke, mostly.
		return a.problem(ctx.Context(), errors.New("handle request: "+model.Detail)), nil
	}
	p := &problemError{Problem: platform.Problem{
		Type: "about:blank", Title: http.StatusText(model.Status), Status: model.Status, Code: platform.Invalid,
		Detail: "The request does not fit the document: " + model.Detail + ".", RequestID: httpbase.RequestID(ctx.Context()),
	}}
	for _, e := range model.Errors {
		if e != nil {
			p.Errors = append(p.Errors, platform.Mistake{Location: e.Location, Message: e.Message})
		}
	}
	if len(p.Errors) > 0 {
		p.Field = strings.TrimPrefix(p.Errors[0].Location, "body.")
		p.Detail = "The request does not fit the document: " + p.Errors[0].Location + ": " + p.Errors[0].Message + "."
	}
	return p, nil
}
