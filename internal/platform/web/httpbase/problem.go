package httpbase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Problem is an error on its way to the other side.
type Problem struct {
	platform.Problem
	// RetryAfter is sent as a header.
	RetryAfter time.Duration `json:"-"`
}

// Status is the HTTP status of a code.
func Status(code platform.Code) int {
	switch code {
	case platform.Invalid:
		return http.StatusUnprocessableEntity
	case platform.Unauthorised:
		return http.StatusUnauthorized
	case platform.Forbidden:
		return http.StatusForbidden
	case platform.NotFound:
		return http.StatusNotFound
	case platform.Conflict:
		return http.StatusConflict
	case platform.Gone:
		return http.StatusGone
	case platform.RateLimited:
		return http.StatusTooManyRequests
	default:
		return http.StatusInternalServerError
	}
}

// ProblemOf says of an error what may be told.
func ProblemOf(r *http.Request, err error) Problem { return problemOf(r.Context(), err) }

func problemOf(ctx context.Context, err error) Problem {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return Problem{Problem: platform.Problem{
			Type: "about:blank", Title: http.StatusText(http.StatusRequestEntityTooLarge), Status: http.StatusRequestEntityTooLarge,
			Detail: fmt.Sprintf("The request may have %d bytes at most.", tooLarge.Limit), Code: platform.Invalid, RequestID: RequestID(ctx),
		}}
	}
	p := Problem{Problem: platform.Problem{
		Type: "about:blank", Code: platform.ErrorCode(err), Detail: platform.ErrorMessage(err), RequestID: RequestID(ctx),
	}}
	if p.Code == platform.Internal { // also an Error with this code holds what is for the log
		p.Detail = platform.ErrorMessage(errors.New("internal"))
	}
	if e := (*platform.Error)(nil); errors.As(err, &e) && p.Code != platform.Internal {
		p.Field = e.Field
	}
	p.Status = Status(p.Code)
	p.Title = http.StatusText(p.Status)
	return p
}

func internalProblem(r *http.Request) Problem { return ProblemOf(r, errors.New("internal")) }

// Problem says of an error what may be told. What is our own fault is logged; so is, more quietly, that a client has gone.
func (b *Base) Problem(ctx context.Context, err error) Problem {
	p := problemOf(ctx, err)
	switch {
	case p.Code != platform.Internal:
	case ctx.Err() != nil:
		b.opts.Log.DebugContext(ctx, "the client has gone", "request", RequestID(ctx), "error", err)
	default:
		b.opts.Log.ErrorContext(ctx, "request failed", "request", RequestID(ctx), "error", err)
	}
	return p
}

// Fail answers with an error: in JSON to programs, as a page to browsers.
func (b *Base) Fail(w http.ResponseWriter, r *http.Request, err error) {
	b.answer(w, r, b.Problem(r.Context(), err))
}

// Headers are what goes with a problem that a program is told.
func (p Problem) Headers() http.Header {
	out := http.Header{"Content-Type": {"application/problem+json"}}
	switch p.Status {
	case http.StatusTooManyRequests:
		out.Set("Retry-After", p.retryAfter())
	case http.StatusUnauthorized:
		out.Set("WWW-Authenticate", `Bearer realm="assay"`)
	}
	return out
}

func (p Problem) retryAfter() string {
	return strconv.Itoa(int(math.Ceil(max(p.RetryAfter, time.Second).Seconds())))
}

func (b *Base) answer(w http.ResponseWriter, r *http.Request, p Problem) {
	if p.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", p.retryAfter())
	}
	switch {
	case WantsJSON(r):
		maps.Copy(w.Header(), p.Headers())
		w.WriteHeader(p.Status)
		_ = json.NewEncoder(w).Encode(p) // the client may be gone
	case b.opts.Page != nil:
		b.opts.Page(w, r, p)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(p.Status)
		fmt.Fprintf(w, "%s\n%s\n", p.Title, p.Detail)
	}
}

// WantsJSON says whether the other side is a program: it asks the API, or says that it reads JSON and not HTML.
func WantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}
