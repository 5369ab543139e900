package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// route declares an operation.
type route struct {
	id      string
	method  string
	path    string
	use     service.UseCase // who may is its rule
	tag     string
	summary string
	detail  string
	status  int    // of success; 0: 200 with a body, 204 without
	media   string // of a body that is written as it comes, several separated by commas; empty: JSON
	tagged  bool   // its answer has an ETag
	takes   string // media type of a body that is no JSON; empty: it is
	most    int64  // bytes of that body
	what    string // it is
}

// add declares an operation to huma. What do returns as an error is made a problem.
func add[I, O any](a *API, r route, do func(ctx context.Context, actor service.Actor, in *I) (*O, error)) {
	huma.Register(a.huma, a.operation(r), func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, actorOf(ctx), in)
		if err == nil {
			return out, nil
		}
		if same := (*unchanged)(nil); errors.As(err, &same) {
			return nil, same
		}
		return nil, a.problem(ctx, err)
	})
}

func (a *API) operation(r route) huma.Operation {
	schemas := a.huma.OpenAPI().Components.Schemas
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Description: r.detail, Tags: []string{r.tag}, DefaultStatus: r.status,
		Metadata: map[string]any{useKey: r.use, rawKey: r.most},
		Responses: map[string]*huma.Response{"default": {
			Description: "A problem.",
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[platform.Problem](), true, "Problem")}},
		}},
	}
	rule := service.Rules()[r.use]
	if rule.Candidate {
		op.Security = []map[string][]string{{linkToken: {}}}
	} else {
		op.Security = []map[string][]string{{teamToken: {string(rule.Scope)}}}
	}
	if r.media != "" {
		op.Responses["200"] = &huma.Response{Description: "The file.", Content: map[string]*huma.MediaType{}}
		for media := range strings.SplitSeq(r.media, ",") {
			op.Responses["200"].Content[media] = &huma.MediaType{Schema: &huma.Schema{}}
		}
	}
	if r.tagged {
		op.Responses["304"] = &huma.Response{Description: "The caller has this version already."}
	}
	if r.takes != "" {
		op.RequestBody = &huma.RequestBody{
			Required: true, Description: r.what, Content: map[string]*huma.MediaType{r.takes: {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
		}
	}
	return op
}

// Inputs that several operations have.
type (
	// Nothing is asked, or answered.
	Nothing struct{}

	// ByID names one thing.
	ByID struct {
		ID platform.ID `path:"id" maxLength:"64" doc:"Its id."`
	}

	// Paging asks for a part of a list.
	Paging struct {
		After platform.Cursor `query:"after" maxLength:"512" doc:"The next of the page before; none: from the beginning."`
		Limit int             `query:"limit" minimum:"1" maximum:"200" doc:"How many at most; 50 unless set."`
	}

	// Keyed is a request that may be sent twice.
	Keyed struct {
		Key string `header:"Idempotency-Key" maxLength:"255" doc:"The same key with the same request is done once, and answered alike, for 24 hours."`
	}

	// Known says which version of a thing the caller has already.
	Known struct {
		Tags string `header:"If-None-Match" maxLength:"1000" doc:"ETags that the caller has already: the answer is 304 when nothing has changed."`
	}
)

func (p Paging) page() platform.Page { return platform.Page{After: p.After, Limit: p.Limit} }

// Page is a part of a list.
type Page[T any] struct {
	Items []T             `json:"items" nullable:"false"`
	Next  platform.Cursor `json:"next,omitempty" doc:"Give it as after for what comes next; it is missing on the last page."`
}

func paged[A, B any](in platform.List[A], convert func(A) B) *Plain[Page[B]] {
	return &Plain[Page[B]]{Body: Page[B]{Items: each(in.Items, convert), Next: in.Next}}
}

// each converts a list; none becomes an empty one.
func each[A, B any](in []A, convert func(A) B) []B {
	out := make([]B, len(in))
	for i, one := range in {
		out[i] = convert(one)
	}
	return out
}

// Answers.
type (
	// Plain is an answer with a body alone.
	Plain[T any] struct{ Body T }

	// Tagged is an answer whose body has a version.
	Tagged[T any] struct {
		ETag string `header:"ETag" doc:"Version of the body."`
		Body T
	}

	// Answered is one to a request that may be sent twice.
	Answered[T any] struct {
		Replayed string `header:"Idempotency-Replayed" doc:"true when this is the answer to an earlier request with this key."`
		Body     T
	}

	// Done is one without a body.
	Done struct {
		Replayed string `header:"Idempotency-Replayed" doc:"true when an earlier request with this key has done it."`
	}

	// File is a body that is written as it comes.
	File struct{ Body func(huma.Context) }
)

// unchanged answers that the caller has the newest version.
type unchanged struct{ tag string }

func (u *unchanged) Error() string           { return "not modified" }
func (u *unchanged) GetStatus() int          { return http.StatusNotModified }
func (u *unchanged) GetHeaders() http.Header { return http.Header{"Etag": {u.tag}} }

// tagged gives a body its version, which is a hash of it.
func tagged[T any](known Known, body T) (*Tagged[T], error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	tag := `"` + hashed(text)[:32] + `"`
	for one := range strings.SplitSeq(known.Tags, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return nil, &unchanged{tag}
		}
	}
	return &Tagged[T]{ETag: tag, Body: body}, nil
}

func hashed(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// sealedAnswer is what the answers of idempotency keys are sealed for.
const sealedAnswer = "idempotency"

// once does a request once for its key; without one, each time. in is what the request asks for, and makes the key of
// another request a conflict.
func once[T any](ctx context.Context, a *API, operation string, key Keyed, in any, do func(context.Context) (T, error)) (*Answered[T], error) {
	out := &Answered[T]{}
	var err error
	if key.Key == "" {
		out.Body, err = do(ctx)
		return out, err
	}
	asked, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	stored, repeated, err := a.service.Once(ctx, actorOf(ctx), operation, key.Key, hashed(asked), func(ctx context.Context) (platform.Stored, error) {
		body, err := do(ctx)
		if err != nil {
			return platform.Stored{}, err
		}
		text, err := json.Marshal(body)
		if err != nil {
			return platform.Stored{}, fmt.Errorf("encode answer: %w", err)
		}
		return platform.Stored{Status: http.StatusOK, Body: a.sealer.Seal(text, sealedAnswer)}, nil
	})
	if err != nil {
		return nil, err
	}
	text, err := a.sealer.Open(stored.Body, sealedAnswer)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &out.Body); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if repeated {
		out.Replayed = strconv.FormatBool(true)
	}
	return out, nil
}

// onceDone is once for what has no answer.
func onceDone(ctx context.Context, a *API, operation string, key Keyed, in any, do func(context.Context) error) (*Done, error) {
	out, err := once(ctx, a, operation, key, in, func(ctx context.Context) (Nothing, error) { return Nothing{}, do(ctx) })
	if err != nil {
		return nil, err
	}
	return &Done{Replayed: out.Replayed}, nil
}

// file streams what was opened, and closes it.
func (a *API) file(f io.ReadCloser, media, name string) *File {
	return &File{Body: func(ctx huma.Context) {
		defer f.Close()
		begin(ctx, media, name)
		if _, err := io.Copy(ctx.BodyWriter(), f); err != nil {
			panic(http.ErrAbortHandler) // nobody takes a part for the whole
		}
	}}
}

// written streams what write makes. What fails before the first byte is answered as a problem.
func (a *API) written(media, name string, write func(io.Writer) error) *File {
	return &File{Body: func(ctx huma.Context) {
		to := &late{ctx: ctx, media: media, name: name}
		err := write(to)
		switch {
		case err == nil && !to.begun:
			begin(ctx, media, name)
		case err != nil && !to.begun:
			a.write(ctx, err)
		case err != nil:
			_ = a.problem(ctx.Context(), err) // to the log
			panic(http.ErrAbortHandler)
		}
	}}
}

func begin(ctx huma.Context, media, name string) {
	ctx.SetHeader("Content-Type", media)
	ctx.SetHeader("Content-Disposition", `attachment; filename="`+name+`"`)
	ctx.SetStatus(http.StatusOK)
}

// late begins an answer with its first byte.
type late struct {
	ctx         huma.Context
	media, name string
	begun       bool
}

// Write implements io.Writer.
func (l *late) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		begin(l.ctx, l.media, l.name)
	}
	return l.ctx.BodyWriter().Write(p)
}

// at is a time that may be missing.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// seconds is a duration in whole seconds.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }
