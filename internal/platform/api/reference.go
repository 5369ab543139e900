package api

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/assay-run/assay/internal/platform"
)

// pages adds what needs no token: the document, and the reference that is made of it.
func (a *API) pages(mux *http.ServeMux) {
	serve := func(path, media string, body []byte) {
		tag := `"` + hashed(body)[:32] + `"`
		mux.HandleFunc("GET "+Prefix+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", tag)
			w.Header().Set("Cache-Control", "no-cache")
			if strings.Contains(r.Header.Get("If-None-Match"), tag) {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header().Set("Content-Type", media)
			_, _ = w.Write(body) // the client may be gone
		})
	}
	serve("/openapi.json", "application/vnd.oai.openapi+json", a.document)
	serve("/reference", "text/html; charset=utf-8", a.reference)
	serve("/reference.css", "text/css; charset=utf-8", []byte(referenceStyle))
	// What is none of the operations is a problem too.
	mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		a.base.Fail(w, r, platform.Errorf(platform.NotFound, "There is no such operation. See %s/reference.", Prefix))
	})
}

// Document is the OpenAPI document, in JSON. It is not to be changed.
func (a *API) Document() []byte { return a.document }

// refOperation is an operation in the reference.
type refOperation struct {
	ID, Method, Path, Summary, Detail, Token string
	Params                                   []refField
	Body                                     []refField
	BodyIs                                   string
	Status                                   string
	Answer                                   []refField
	AnswerIs                                 string
}

// refField is a parameter or a property.
type refField struct {
	Name, In, Type, Doc string
	Required            bool
}

type refTag struct {
	Name       string
	Anchor     string
	Operations []refOperation
}

// writeReference makes a page of the document that needs nothing else: no script, nothing of another server.
func writeReference(doc *huma.OpenAPI) ([]byte, error) {
	tags := []refTag{}
	for _, name := range []string{
		tagAssessments, tagInvitations, tagCandidates, tagAttempts, tagSubmissions, tagGradings, tagResults, tagWebhooks, tagLogs, tagOrganization, tagTokens, tagOwn,
	} {
		tag := refTag{Name: name, Anchor: strings.ToLower(strings.ReplaceAll(name, " ", "-"))}
		for path, item := range doc.Paths {
			for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
				if op != nil && op.Tags[0] == name {
					tag.Operations = append(tag.Operations, describe(doc, path, op))
				}
			}
		}
		slices.SortFunc(tag.Operations, func(a, b refOperation) int {
			return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
		})
		tags = append(tags, tag)
	}
	page, err := template.New("reference").Parse(referencePage)
	if err != nil {
		return nil, fmt.Errorf("read page of reference: %w", err)
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{"Info": doc.Info, "Tags": tags, "Prefix": Prefix, "Problem": fields(doc, doc.Components.Schemas.Map()["Problem"])})
	if err != nil {
		return nil, fmt.Errorf("write reference: %w", err)
	}
	return out.Bytes(), nil
}

func describe(doc *huma.OpenAPI, path string, op *huma.Operation) refOperation {
	out := refOperation{ID: op.OperationID, Method: op.Method, Path: Prefix + path, Summary: op.Summary, Detail: op.Description, Token: "of an invitation"}
	for _, need := range op.Security {
		if scopes, ok := need[teamToken]; ok {
			out.Token = strings.Join(scopes, ", ")
		}
	}
	for _, p := range op.Parameters {
		out.Params = append(out.Params, refField{Name: p.Name, In: p.In, Type: typeOf(p.Schema), Doc: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		for media, content := range op.RequestBody.Content {
			out.BodyIs, out.Body = media, fields(doc, content.Schema)
		}
	}
	for status, response := range op.Responses {
		if !strings.HasPrefix(status, "2") {
			continue
		}
		out.Status = status
		var media []string
		for m, content := range response.Content {
			media = append(media, m)
			out.Answer = fields(doc, content.Schema)
		}
		slices.Sort(media)
		out.AnswerIs = strings.Join(media, " or ")
	}
	return out
}

// fields are the properties of an object, by name.
func fields(doc *huma.OpenAPI, s *huma.Schema) []refField {
	if s == nil {
		return nil
	}
	if s.Ref != "" {
		s = doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	var out []refField
	for name, p := range s.Properties {
		out = append(out, refField{Name: name, Type: typeOf(p), Doc: p.Description, Required: slices.Contains(s.Required, name)})
	}
	slices.SortFunc(out, func(a, b refField) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func typeOf(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case s.Type == huma.TypeArray:
		return "list of " + typeOf(s.Items)
	case len(s.Enum) > 0:
		var words []string
		for _, e := range s.Enum {
			words = append(words, fmt.Sprint(e))
		}
		return strings.Join(words, " | ")
	case s.Format != "":
		return s.Type + ", " + s.Format
	default:
		return s.Type
	}
}
