package httpcheck

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/stubs"
)

func TestFill(t *testing.T) {
	t.Parallel()
	vars := map[string]any{"id": "a b", "n": 7.0, "list": []any{1.0, "x"}}
	assert.Equal(t, "/a/a b/7/[1,\"x\"]/{{ 1 }}/null", Fill(`/a/{{id}}/{{ n }}/{{list}}/{{ 1 }}/{{missing}}`, vars))
	assert.Equal(t, map[string]any{"a": 7.0, "b": "7!", "c": []any{[]any{1.0, "x"}, true}, "d": nil},
		FillValue(map[string]any{"a": "{{n}}", "b": "{{n}}!", "c": []any{"{{list}}", true}, "d": nil}, vars))
	assert.Len(t, Fill("{{x}}", map[string]any{"x": strings.Repeat("y", 9000)}), maxVariable)
}

// FuzzRequest fills requests with what a submission may have answered: it stays one request with the header that was written.
func FuzzRequest(f *testing.F) {
	f.Add("plain", "plain")
	f.Add("a\r\nX-Evil: 1\r\n\r\nGET /evil HTTP/1.1\r\n", "\r\n\r\n")
	f.Add("../ä?#%0d%0a", "\x00\x7f")
	f.Fuzz(func(t *testing.T, path, header string) {
		r := Request{Line: "POST /a/{{path}}", Headers: map[string]string{"X-Id": "{{header}}"}, Body: map[string]any{"p": "{{path}}"}}
		raw := r.Fill(map[string]any{"path": path, "header": header}).Bytes("127.0.0.1:1")
		from := bufio.NewReader(strings.NewReader(string(raw)))
		req, err := http.ReadRequest(from)
		if err != nil { // a percent sign of the submission's own may make a path that no server understands
			assert.Contains(t, path, "%", "%v: %q", err, raw)
			return
		}
		assert.Equal(t, http.MethodPost, req.Method)
		assert.Empty(t, req.Header.Get("X-Evil"))
		assert.Len(t, req.Header, 5, "%v", req.Header) // Accept, Connection, Content-Length, Content-Type, X-Id
		assert.Positive(t, req.ContentLength)
		_, err = io.ReadAll(req.Body)
		require.NoError(t, err)
		left, err := io.ReadAll(from)
		require.NoError(t, err)
		assert.Empty(t, left, "nothing follows the body")
	})
}

func TestWrong(t *testing.T) {
	t.Parallel()
	a := &exchange.Answer{Status: 201, Body: `{"id": 7, "tags": ["a", "b"], "owner": {"name": "ada", "age": 36}}`, Headers: map[string]string{"Location": "/x/7"}, Sent: 1, Got: 1.25}
	calls := map[string]stubs.Calls{"PAY_URL": {Seen: []stubs.Call{{Method: "POST", Path: "/pay", Body: `{"cents": 5}`, Header: map[string]string{"Idempotency-Key": "k"}}}}}
	for _, tt := range []struct {
		name string
		e    *Expect
		want string
	}{
		{"nothing", nil, ""},
		{"status", &Expect{Status: 201.0}, ""},
		{"class", &Expect{Status: "2xx"}, ""},
		{"list", &Expect{Status: []any{200.0, "4xx"}}, "Status 201, expected 200 or 4xx. It said"},
		{"header", &Expect{Headers: map[string]string{"location": "/x/{{n}}"}}, ""},
		{"header differs", &Expect{Headers: map[string]string{"Location": "/x/8"}}, `The header Location is "/x/7", expected "/x/8".`},
		{"header pattern", &Expect{Headers: map[string]string{"Location": "/^/y/"}}, "does not match"},
		{"header missing", &Expect{Headers: map[string]string{"ETag": "/./"}}, "There is no header ETag."},
		{"json", &Expect{JSON: map[string]any{"owner": map[string]any{"name": "ada"}, "id": "{{n}}"}}, ""},
		{"json key", &Expect{JSON: map[string]any{"owner": map[string]any{"nick": "ada"}}}, `Owner in the body has no "nick".`},
		{"json value", &Expect{JSON: map[string]any{"owner": map[string]any{"name": "bob"}}}, `Name in owner in the body is "ada", expected "bob".`},
		{"json list", &Expect{JSON: map[string]any{"tags": []any{"a"}}}, "Tags in the body has 2 entries, expected 1."},
		{"schema", &Expect{Schema: map[string]any{"required": []any{"id"}}}, ""},
		{"schema differs", &Expect{Schema: map[string]any{"properties": map[string]any{"id": map[string]any{"type": "string"}}}}, "The body does not have the form that is asked for: id is 7"},
		{"that", &Expect{That: `status == 201 and body.owner.age == 36 and headers["location"] == "/x/7" and ms == 250 and n == 7`}, ""},
		{"that differs", &Expect{That: `body.owner.age > 40`}, "does not hold; the body is"},
		{"that has nothing", &Expect{That: `body.owner.address.city == "x"`}, "does not hold (cannot fetch city"},
		{"calls", &Expect{That: `len(calls.PAY_URL) == 1 and calls.PAY_URL[0].body.cents == 5 and calls.PAY_URL[0].headers["idempotency-key"] == "k"`}, ""},
	} {
		lost := tt.e.Wrong(a, map[string]any{"n": 7.0}, calls)
		if tt.want == "" {
			assert.Empty(t, lost, tt.name)
			continue
		}
		assert.Contains(t, lost, tt.want, tt.name)
	}
	var none *Expect
	assert.Contains(t, none.Wrong(&exchange.Answer{Status: 500, Body: "oops"}, nil, nil), `Status 500. It said "oops".`)
	assert.Contains(t, (&Expect{JSON: 1.0}).Wrong(&exchange.Answer{Status: 200, Body: "<html>"}, nil, nil), "The body is not JSON")
	assert.Contains(t, (&Expect{Schema: map[string]any{}}).Wrong(&exchange.Answer{Status: 200, Body: "<html>"}, nil, nil), "The body is not JSON")
}

func TestWrongTogether(t *testing.T) {
	t.Parallel()
	answers := []*exchange.Answer{{Status: 201}, {Status: 409}, {Status: 409}}
	e := &Expect{All: "count(answers, .status == 201) == 1"}
	assert.Empty(t, e.WrongTogether(answers, nil, nil))
	answers[1].Status = 201
	assert.Contains(t, e.WrongTogether(answers, nil, nil), "Of 3 answers together")
	assert.Empty(t, (&Expect{}).WrongTogether(answers, nil, nil))
	var none *Expect
	assert.Empty(t, none.WrongTogether(answers, nil, nil))
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	vars := AnswerVars(&exchange.Answer{Status: 200, Body: `{"items": [{"id": "x"}]}`}, map[string]any{"before": "y"}, nil)
	assert.Equal(t, "x", Evaluate("body.items[0].id", vars))
	assert.Equal(t, "yx", Evaluate("before + body.items[0].id", vars))
	assert.Nil(t, Evaluate("body.items[3].id", vars))
	assert.Nil(t, Evaluate("body.other.id", vars))
}

func TestSettingsSchemaHasAllDefinitions(t *testing.T) {
	t.Parallel()
	schema := string(SettingsSchema([]byte(`{"$defs": {}}`)))
	for _, name := range []string{`"expect":`, `"capture":`, `"upstreams":`, `"textHeaders":`, `"anyBody":`} {
		assert.Contains(t, schema, name)
	}
	require.Panics(t, func() { SettingsSchema([]byte(`{}`)) })
}
