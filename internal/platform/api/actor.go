package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

// Names of the two kinds of tokens in the document.
const (
	teamToken = "token"
	linkToken = "invitation"
)

type (
	actorKey struct{}
	bodyKey  struct{}
)

// Keys of what an operation knows of itself.
const (
	useKey = "use"
	rawKey = "raw" // bytes that a body which is no JSON may have
)

// recognise finds out who asks, before anything else of a request is read, and refuses who may not.
func (a *API) recognise(ctx huma.Context, next func(huma.Context)) {
	use, _ := ctx.Operation().Metadata[useKey].(service.UseCase)
	actor, err := a.actor(ctx)
	if err == nil {
		err = a.may(actor, use)
	}
	if err == nil {
		err = plainAddress(ctx)
	}
	if err != nil {
		a.write(ctx, err)
		return
	}
	if wait := a.callers.Take(string(actor.Identity().ID)); wait > 0 {
		p := toProblem(httpbase.Problem{RetryAfter: wait, Problem: platform.Problem{
			Type: "about:blank", Title: http.StatusText(http.StatusTooManyRequests), Status: http.StatusTooManyRequests, Code: platform.RateLimited,
			Detail: "Too many requests with this token at a time. Wait a moment and try again.", RequestID: httpbase.RequestID(ctx.Context()),
		}})
		a.write(ctx, p)
		return
	}
	inner := context.WithValue(ctx.Context(), actorKey{}, actor)
	if most, _ := ctx.Operation().Metadata[rawKey].(int64); most > 0 {
		r, w := humago.Unwrap(ctx)
		// What is too large is told from what fits by its first byte too many.
		httpbase.LargeBody(w, r, most+1)
		inner = context.WithValue(inner, bodyKey{}, io.Reader(r.Body))
	}
	next(huma.WithContext(ctx, inner))
}

// plainAddress refuses an address that is not text: no database finds anything by it, and some take it amiss.
func plainAddress(ctx huma.Context) error {
	at := ctx.URL()
	query, err := url.QueryUnescape(at.RawQuery)
	switch {
	case !plain(at.Path):
		return platform.Errorf(platform.NotFound, "There is nothing at this address.")
	case err != nil || !plain(query):
		return platform.Errorf(platform.Invalid, "The query of the address is not text in UTF-8.")
	}
	return nil
}

func plain(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// actor is who has shown the token of a request.
func (a *API) actor(ctx huma.Context) (service.Actor, error) {
	r, _ := humago.Unwrap(ctx)
	token := auth.BearerToken(r)
	none := platform.Errorf(platform.Unauthorised, "Show a token: the header Authorization with Bearer and the token.")
	var actor service.Actor
	var err error
	switch {
	case strings.HasPrefix(token, platform.AccessToken):
		actor, err = a.service.TokenActor(ctx.Context(), token)
	case strings.HasPrefix(token, platform.InvitationToken):
		actor, err = a.service.CandidateActor(ctx.Context(), token)
		if platform.ErrorCode(err) == platform.NotFound { // here it is a token and no address
			err = platform.Errorf(platform.Unauthorised, "This token is not valid. Use that of the newest link that you were sent, in full.")
		}
	default:
		return service.Actor{}, none
	}
	actor.RequestID = httpbase.RequestID(ctx.Context())
	return actor, err
}

// may asks the table of the service before the request is read; the service asks again.
func (a *API) may(actor service.Actor, use service.UseCase) error {
	if a.service.May(actor, use) {
		return nil
	}
	rule := service.Rules()[use]
	switch {
	case rule.Candidate:
		return platform.Errorf(platform.Forbidden, "This is for candidates: it needs the token of an invitation.")
	case actor.Kind() == platform.ActorCandidate:
		return platform.Errorf(platform.Forbidden, "This is for hiring teams: it needs an API token.")
	default:
		return platform.Errorf(platform.Forbidden, "This needs a token with the scope %s.", rule.Scope)
	}
}

// actorOf is who asks.
func actorOf(ctx context.Context) service.Actor {
	actor, _ := ctx.Value(actorKey{}).(service.Actor)
	return actor
}

// bodyOf is a body that is no JSON. It is read by the one who wants it, once.
func bodyOf(ctx context.Context) io.Reader {
	if body, ok := ctx.Value(bodyKey{}).(io.Reader); ok {
		return body
	}
	return bytes.NewReader(nil)
}
