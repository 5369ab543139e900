package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Type      string    `json:"type" doc:"about:blank: the status says what kind it is."`
	Title     string    `json:"title" doc:"The words of the status."`
	Status    int       `json:"status" doc:"The HTTP status."`
	Detail    string    `json:"detail" doc:"What was wrong, and what to do next, for people."`
	Code      string    `json:"code" enum:"invalid,unauthorised,forbidden,not_found,conflict,gone,rate_limited,internal" doc:"What kind of failure, for programs."`
	Field     string    `json:"field,omitempty" doc:"The input that it is about."`
	RequestID string    `json:"requestId,omitempty" doc:"Under this id the server's log has more."`
	Errors    []Mistake `json:"errors,omitempty" doc:"What does not fit the document, one by one."`

	headers http.Header
}

// Mistake is one thing in a request that does not fit the document.
type Mistake struct {
	Location string `json:"location" doc:"Where, e.g. body.name."`
	Message  string `json:"message"`
}

// Error returns what may be told.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns the headers that go with it.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType returns that of problem details.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problem says of an error what may be told, and logs what is our own fault.
func (a *API) problem(ctx context.Context, err error) *Problem {
	if made := (*Problem)(nil); errors.As(err, &made) {
		return made
	}
	return toProblem(a.base.Problem(ctx, err))
}

func toProblem(p httpbase.Problem) *Problem {
	headers := p.Headers()
	headers.Del("Content-Type") // huma writes it, by ContentType
	return &Problem{
		Type: p.Type, Title: p.Title, Status: p.Status, Detail: p.Detail, Code: string(p.Code), Field: p.Field, RequestID: p.RequestID, headers: headers,
	}
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
	p := &Problem{
		Type: "about:blank", Title: http.StatusText(model.Status), Status: model.Status, Code: string(platform.Invalid),
		Detail: "The request does not fit the document: " + model.Detail + ".", RequestID: httpbase.RequestID(ctx.Context()),
	}
	for _, e := range model.Errors {
		if e != nil {
			p.Errors = append(p.Errors, Mistake{Location: e.Location, Message: e.Message})
		}
	}
	if len(p.Errors) > 0 {
		p.Field = strings.TrimPrefix(p.Errors[0].Location, "body.")
		p.Detail = "The request does not fit the document: " + p.Errors[0].Location + ": " + p.Errors[0].Message + "."
	}
	return p, nil
}
