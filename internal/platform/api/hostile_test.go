package api_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"log/slog"
	"net/http"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/api"
	"github.com/assay-run/assay/internal/platform/mail"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
)

func TestHostileInput(t *testing.T) { hostileInput(newWorld(t)) }

// hostileInput sends what nobody sends by mistake. All of it is refused as the caller's fault: never as ours, and never taken.
func hostileInput(w *world) {
	w.hostileBodies()
	w.hostileValues()
	w.hostileAddresses()
	w.hostileTimes()
	w.hostileLists()
	require.NotContains(w.t, w.log.String(), "request failed", "nothing of it was a fault of ours")
}

func (w *world) refuses(name string, c call, want ...int) {
	w.t.Helper()
	if c.token == "" {
		c.token = w.team
	}
	answer := w.do(c)
	assert.Contains(w.t, want, answer.Code, "%s: %s", name, answer.Body)
	assert.Equal(w.t, "application/problem+json", answer.Header().Get("Content-Type"), name)
}

func (w *world) hostileBodies() {
	w.t.Helper()
	post := func(body string) call {
		return call{method: http.MethodPost, path: api.Prefix + "/invitations", body: body}
	}
	ask := `{"assessmentId":"` + string(w.assessment) + `","invitee":`
	for name, body := range map[string]string{
		"deep":                  strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
		"deep list":             strings.Repeat("[", 500_000),
		"a name twice":          ask + `{"name":"A"},"invitee":{"name":"B"}}`,
		"a name twice inside":   ask + `{"name":"A","name":"B"}}`,
		"in other letters":      ask + `{"name":"A","NAME":"B"}}`,
		"by an escape":          ask + `{"name":"A","n\u0061me":"B"}}`,
		"not UTF-8":             ask + "{\"name\":\"a\xff\"}}",
		"more than one value":   ask + `{"name":"A"}} {}`,
		"a comment":             ask + `{"name":"A"}} // x`,
		"nothing":               "",
		"null":                  "null",
		"a list":                "[]",
		"a number too large":    ask + `{"name":"A","extraPercent":1e400}}`,
		"no whole number":       ask + `{"name":"A","extraPercent":1e30}}`,
		"a number that is text": ask + `{"name":"A","extraPercent":"5"}}`,
		"half a sign":           ask + `{"name":"A\u000"}}`,
	} {
		w.refuses(name, post(body), 400, 422)
	}
	w.refuses("another type", call{method: http.MethodPost, path: api.Prefix + "/invitations", body: "a=b", headers: map[string]string{"Content-Type": "text/xml"}}, 415)
	w.refuses("a large body", post(ask+`{"name":"`+strings.Repeat("x", 2<<20)+`"}}`), 413)
	list := get[struct{ Items []any }](w.rig, api.Prefix+"/assessments/"+string(w.assessment)+"/candidates?search=A", w.team)
	for _, item := range list.Items {
		name := item.(obj)["candidate"].(obj)["name"]
		require.NotContains(w.t, []any{"A", "B"}, name, "somebody was invited all the same")
	}
}

func (w *world) hostileValues() {
	w.t.Helper()
	evil := map[string]string{
		"line break": "A\r\nBcc: evil@x.example", "lone feed": "A\nB", "zero": "a\x00b", "turned": "a\u202eb", "isolated": "a\u2066b", "separator": "a\u2028b",
		"escape": "\x1b[31mred", "long": strings.Repeat("x", 100_000), "delete": "a\x7f",
	}
	for name, text := range evil {
		for field, c := range map[string]call{
			"name":         {method: http.MethodPost, path: "/invitations", body: obj{"assessmentId": w.assessment, "invitee": obj{"name": text}}},
			"address":      {method: http.MethodPost, path: "/invitations", body: obj{"assessmentId": w.assessment, "invitee": obj{"email": "a" + text + "@x.example"}}},
			"reference":    {method: http.MethodPost, path: "/invitations", body: obj{"assessmentId": w.assessment, "invitee": obj{"name": "A", "externalRef": text}}},
			"candidate":    {method: http.MethodPut, path: "/candidates/" + string(w.ann.candidate), body: obj{"name": text}},
			"assessment":   {method: http.MethodPost, path: "/assessments", body: with(newSettings(), "name", text)},
			"role":         {method: http.MethodPost, path: "/assessments", body: with(newSettings(), "roleTitle", text)},
			"organisation": {method: http.MethodPut, path: "/organization", body: obj{"name": text, "retentionDays": 30}},
			"member":       {method: http.MethodPost, path: "/members", body: obj{"name": text, "email": "m@x.example", "role": "author"}},
			"its address":  {method: http.MethodPost, path: "/members", body: obj{"name": "M", "email": text + "@x.example", "role": "author"}},
			"token":        {method: http.MethodPost, path: "/tokens", body: with(newTokenBody(w, "results:read"), "name", text)},
			"endpoint":     {method: http.MethodPost, path: "/webhook-endpoints", body: obj{"url": "https://x.example/" + text, "events": []string{"attempt.graded"}}},
		} {
			c.path = api.Prefix + c.path
			if field == "endpoint" && strings.ContainsAny(text, "\u202e\u2066\u2028") {
				continue // it is escaped where it is sent, and shown to owners alone
			}
			w.refuses(name+" in "+field, c, 422)
		}
	}
	for name, text := range map[string]string{"zero": "a\x00b", "turned": "a\u202eb", "long": strings.Repeat("x", 100_000)} {
		w.refuses(name+" in message", call{method: http.MethodPost, path: api.Prefix + "/assessments", body: with(newSettings(), "message", text)}, 422)
		w.refuses(name+" in reason", call{method: http.MethodPost, path: api.Prefix + "/attempts/" + string(w.ann.attempt) + "/decisions", body: obj{"outcome": "hold", "reason": text}}, 422)
	}
	for _, address := range []string{"a@x.example,b@y.example", "a@x.example;b@y.example", "A <a@x.example>", "a b@x.example", "@x.example", "a@", "a@x.example\x00", "\"a\"@x.example"} {
		w.refuses(address, call{method: http.MethodPost, path: api.Prefix + "/invitations", body: obj{"assessmentId": w.assessment, "invitee": obj{"email": address}}}, 422)
	}
	w.refuses("zero in an id", call{method: http.MethodPost, path: api.Prefix + "/invitations", body: obj{"assessmentId": "asm_\x00", "invitee": obj{"name": "A"}}}, 404)
	w.refuses("zero in a draft", call{method: http.MethodPut, path: api.Prefix + "/candidate/drafts/one", token: w.bob.token, body: obj{"revision": 0, "body": "\x00"}}, 422)
	w.refuses("a draft too large", call{method: http.MethodPut, path: api.Prefix + "/candidate/drafts/one", token: w.bob.token, body: obj{"revision": 0, "body": strings.Repeat("x", 300<<10)}}, 422)
	for _, revision := range []string{"9223372036854775807", "-1", "9007199254740993"} {
		w.refuses("revision "+revision, call{method: http.MethodPut, path: api.Prefix + "/candidate/drafts/one", token: w.bob.token, body: `{"revision":` + revision + `,"body":"x"}`}, 422)
	}
	for _, version := range []string{"9223372036854775807", "0", "-5"} {
		w.refuses("based on "+version, call{
			method: http.MethodPut, path: api.Prefix + "/assessments/" + string(w.spare), body: `{"basedOn":` + version + `,"settings":{"name":"x","mode":"standard","challenges":[{"id":"one","weight":1}],"attempts":1,"passMark":1,"visible":"score","retentionDays":1}}`,
		}, 409, 422)
	}
}

func with(in obj, field string, value any) obj {
	out := without(in, field)
	out[field] = value
	return out
}

func (w *world) hostileAddresses() {
	w.t.Helper()
	read := func(path string) call { return call{method: http.MethodGet, path: api.Prefix + path} }
	for _, id := range []string{"%00", "a%00b", "%ff", "..%2f..%2fetc%2fpasswd", "%2e%2e", strings.Repeat("a", 64), "asm_%27%20OR%201=1--", "*", "%25", "_"} {
		for _, path := range []string{"/assessments/%s", "/attempts/%s", "/submissions/%s/archive", "/results/%s/report", "/results/%s/evidence", "/candidates/%s/data", "/assessments/%s/export"} {
			w.refuses(path+" of "+id, read(fmt.Sprintf(path, id)), 404, 422)
		}
		for _, path := range []string{"/candidate/challenges/%s/brief", "/candidate/challenges/%s/starter", "/candidate/drafts/%s", "/candidate/results/%s/report", "/candidate/gradings/%s"} {
			c := read(fmt.Sprintf(path, id))
			c.token = w.bob.token
			w.refuses(path+" of "+id, c, 404, 422)
		}
	}
	w.refuses("a long id", read("/assessments/"+strings.Repeat("a", 10_000)), 404, 422)
	cursors := []string{
		"x", "%00", "%ff", strings.Repeat("A", 600), text64(`{"i":"a\u0000"}`), text64(`{"i":"' OR 1=1 --"}`), text64(`{"i":{}}`), text64(`{"t":1e300,"i":"asm_1"}`),
		text64(`[]`), text64(`null`), text64(strings.Repeat("[", 300)), text64(`{"i":""}`), text64(`{"i":"asm_1","s":"score"}`),
	}
	for _, cursor := range cursors {
		for _, path := range []string{"/assessments", "/results", "/audit", "/queue", "/webhook-endpoints/" + string(w.endpoint) + "/deliveries"} {
			if cursor == cursors[len(cursors)-1] && !strings.Contains(path, "candidates") {
				continue // of another list in another order: it is none of these, and reads as a place in them
			}
			w.refuses(path+" after "+cursor, read(path+"?after="+cursor), 422)
		}
		w.refuses("candidates after "+cursor, read("/assessments/"+string(w.assessment)+"/candidates?after="+cursor), 422)
	}
	w.refuses("a cursor of others", read("/assessments/"+string(w.assessment)+"/candidates?after="+text64(`{"i":"inv_00000000000000000000000000","s":"invited"}`)), 410)
	for _, query := range []string{"minScore=NaN", "minScore=Inf", "minScore=-1", "limit=1e9", "limit=-1", "limit=0", "limit=99999999999999999999", "kind=%00", "verdict=x", "assessmentId=%00", "code=%ff", "challengeId=%zz"} {
		w.refuses(query, read("/results?"+query), 422)
	}
	w.refuses("versions", read("/comparisons?challengeId=one&version=99999999999999999999&attempts=x"), 422)
	w.refuses("many attempts", read("/comparisons?challengeId=one&version=1&attempts="+strings.Repeat("a,", 60)+"a"), 422)
	w.refuses("a long key", call{
		method: http.MethodPost, path: api.Prefix + "/assessments", body: newSettings(), headers: map[string]string{"Idempotency-Key": strings.Repeat("k", 300)},
	}, 422)
	w.refuses("a key that is no text", call{
		method: http.MethodPost, path: api.Prefix + "/assessments", body: newSettings(), headers: map[string]string{"Idempotency-Key": "\xff"},
	}, 422)
	for _, token := range []string{"assay_api_\x00", "assay_inv_" + strings.Repeat("x", 100_000), "assay_api_' OR 1=1"} {
		w.refuses("a token", call{method: http.MethodGet, path: api.Prefix + "/queue", token: token}, 401)
	}
}

func text64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func (w *world) hostileTimes() {
	w.t.Helper()
	for _, at := range []string{"9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "soon", "2027-06-01T00:00:00Z"} {
		w.refuses("expires "+at, call{method: http.MethodPost, path: api.Prefix + "/invitations", body: obj{"assessmentId": w.assessment, "invitee": obj{"name": "T"}, "expiresAt": at}}, 422)
		w.refuses("token until "+at, call{method: http.MethodPost, path: api.Prefix + "/tokens", body: with(newTokenBody(w, "results:read"), "expiresAt", at)}, 422)
		w.refuses("list until "+at, call{method: http.MethodPost, path: api.Prefix + "/invitations/csv?assessmentId=" + string(w.assessment) + "&expiresAt=" + url.QueryEscape(at), body: []byte("name\nT\n")}, 422)
	}
	for _, at := range []string{"9999-12-31T23:59:59-23:59", "0001-01-01T00:00:01Z", "soon"} {
		w.refuses("deadline "+at, call{method: http.MethodPost, path: api.Prefix + "/assessments", body: with(newSettings(), "deadline", at)}, 422)
	}
	for field, values := range map[string][]any{
		"timeLimitSeconds": {-1, 2592001, 1e18}, "attempts": {0, -1, 1e9, 1.5}, "passMark": {-1, 101, 1e308}, "retentionDays": {0, -1, 1e9}, "visible": {"all", ""},
		"mode": {"", "a\x00", strings.Repeat("m", 1000)},
		"challenges": {
			[]obj{}, []obj{{"id": "one", "weight": 0}}, []obj{{"id": "one", "weight": -1}}, []obj{{"id": "one", "weight": 1e308}}, []obj{{"id": "three", "weight": 1}},
			[]obj{{"id": "one", "weight": 1}, {"id": "one", "weight": 1}}, []obj{{"id": "one", "weight": 1, "version": 99}}, []obj{{"id": "../one", "weight": 1}},
		},
	} {
		for _, value := range values {
			w.refuses(fmt.Sprint(field, " ", value), call{method: http.MethodPost, path: api.Prefix + "/assessments", body: with(newSettings(), field, value)}, 422)
		}
	}
}

func (w *world) hostileLists() {
	w.t.Helper()
	for name, list := range map[string]string{
		"not UTF-8": "name\na\xff\n", "zero": "name\na\x00b\n", "header of a mail": "name,email\n\"A\r\nBcc: x@y.example\",a@x.example\n", "open quote": "name\n\"A\n",
		"other columns": "name,token\nA,x\n", "a column twice": "name,name\nA,B\n", "empty": "", "nobody": "name\n", "wide": "name\n" + strings.Repeat("A,", 10_000) + "\n",
		"many": "name\n" + strings.Repeat("A\n", 1001), "twice": "email\na@x.example\nA@x.example\n", "a formula as address": "email\n=cmd|' /C calc'!A0\n",
		"extra": "name,extra_percent\nA,99999999999999999999\n", "two marks": "\ufeff\ufeffname\nA\n", "long name": "name\n" + strings.Repeat("x", 5000) + "\n",
	} {
		w.refuses(name, call{method: http.MethodPost, path: api.Prefix + "/invitations/csv?assessmentId=" + string(w.assessment), body: []byte(list)}, 422)
	}
	w.refuses("large", call{method: http.MethodPost, path: api.Prefix + "/invitations/csv?assessmentId=" + string(w.assessment), body: bytes.Repeat([]byte("name\n"), 1<<18)}, 413, 422)
	wrong := w.do(call{method: http.MethodPost, path: api.Prefix + "/invitations/csv?assessmentId=" + string(w.assessment), token: w.team, body: []byte("name,email\nA,a@x.example\nB,none\n")})
	problem := read[platform.Problem](w.rig, wrong)
	require.Equal(w.t, []platform.Mistake{{Location: "line 3 email", Message: "This is not an address: it needs the form name@example.org."}}, problem.Errors)
}

// A name that a spreadsheet takes for a formula is no formula in an export, and a name is a name in a mail.
func TestNamesStayNames(t *testing.T) {
	r := newRig(t)
	token, assessment := r.token(r.owner), r.assessment(r.owner)
	names := []string{`=HYPERLINK("https://evil.example","x")`, "+1+1", "-2+3", "@SUM(A1)", "\"quoted\", and, more", "<script>alert(1)</script>"}
	for i, name := range names {
		answer := r.do(call{method: http.MethodPost, path: api.Prefix + "/invitations", token: token, body: obj{
			"assessmentId": assessment, "invitee": obj{"name": name, "email": fmt.Sprintf("c%d@x.example", i), "externalRef": name}, "byMail": true,
		}})
		require.Equal(t, http.StatusCreated, answer.Code, answer.Body.String())
	}
	export := r.do(call{method: http.MethodGet, path: api.Prefix + "/assessments/" + string(assessment) + "/export?format=csv", token: token})
	rows, err := csv.NewReader(export.Body).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(names)+1)
	for _, row := range rows {
		for _, cell := range row {
			require.False(t, cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r"), cell)
		}
	}
	dir := t.TempDir()
	outbox, err := mail.OpenFiles(dir)
	require.NoError(t, err)
	templates, err := mail.NewTemplates("https://assay.example")
	require.NoError(t, err)
	courier, err := mail.NewCourier(mail.Options{
		Store: r.store, Opener: r.box, Templates: templates, Sender: outbox, From: mail.Address{Email: "assay@assay.example"}, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	sent, err := courier.Deliver(t.Context())
	require.NoError(t, err)
	require.Equal(t, len(names), sent)
	written, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, written, len(names))
	for _, name := range written {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		read, err := netmail.ReadMessage(bytes.NewReader(text))
		require.NoError(t, err)
		to, err := read.Header.AddressList("To")
		require.NoError(t, err)
		require.Len(t, to, 1, "one name is one person")
		require.Regexp(t, `^c\d@x\.example$`, to[0].Address)
		require.Empty(t, read.Header.Get("Cc")+read.Header.Get("Bcc"))
	}
}

func TestHostileUploads(t *testing.T) { hostileUploads(newWorld(t)) }

// hostileUploads hands in archives that want to get somewhere else, or to fill the disk. Each is refused at the door with a reason
// that can be shown, and nothing of it is left.
func hostileUploads(w *world) {
	t := w.t
	bomb := func() []byte {
		return zipped(t, map[string]string{"package.json": "{}", "zeros": strings.Repeat("\x00", 30<<20)})
	}
	many := map[string]string{}
	for i := range 30_000 {
		many[fmt.Sprint("f", i)] = ""
	}
	for name, archive := range map[string][]byte{
		"zip slip":           zipped(t, map[string]string{"../../evil.js": "x", "package.json": "{}"}),
		"absolute":           zipped(t, map[string]string{"/etc/passwd": "x", "package.json": "{}"}),
		"backslashes":        zipped(t, map[string]string{`..\..\evil.js`: "x", "package.json": "{}"}),
		"a drive":            zipped(t, map[string]string{`C:\evil.js`: "x", "package.json": "{}"}),
		"control characters": zipped(t, map[string]string{"a\x1b[31mb\r\n.js": "x", "package.json": "{}"}),
		"a zero":             zipped(t, map[string]string{"a\x00b.js": "x", "package.json": "{}"}),
		"turned":             zipped(t, map[string]string{"a\u202ejs.exe": "x", "package.json": "{}"}),
		"not UTF-8":          zipped(t, map[string]string{"a\xff.js": "x", "package.json": "{}"}),
		"a link":             tarred(t, &tar.Header{Name: "link.js", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}),
		"a link upwards":     tarred(t, &tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "../.."}),
		"a hard link":        tarred(t, &tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}),
		"a device":           tarred(t, &tar.Header{Name: "dev", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}),
		"a pipe":             tarred(t, &tar.Header{Name: "pipe", Typeflag: tar.TypeFifo}),
		"tar slip":           tarred(t, &tar.Header{Name: "../../evil.js", Typeflag: tar.TypeReg}),
		"bomb":               bomb(),
		"many files":         zipped(t, many),
	} {
		if len(archive) > maxUpload { // then it does not even get to the door
			answer := w.do(call{method: http.MethodPost, path: api.Prefix + "/candidate/submissions?challenge=one&kind=dry_run", token: w.bob.token, body: archive})
			require.Equal(t, http.StatusUnprocessableEntity, answer.Code, name)
			continue
		}
		answer := w.do(call{method: http.MethodPost, path: api.Prefix + "/candidate/submissions?challenge=one&kind=dry_run&fileName=" + url.QueryEscape("../../"+name+"\r\n.zip"), token: w.bob.token, body: archive})
		require.Equal(t, http.StatusCreated, answer.Code, "%s: %s", name, answer.Body)
		got := read[struct {
			Submission struct {
				Bytes  int64
				Intake struct {
					Accepted bool
					Problem  string
				}
			}
			Grading *struct{}
		}](w.rig, answer)
		require.False(t, got.Submission.Intake.Accepted, name)
		require.Nil(t, got.Grading, name)
		require.Zero(t, got.Submission.Bytes, name)
		require.NotEmpty(t, got.Submission.Intake.Problem, name)
		require.NotContains(t, got.Submission.Intake.Problem, w.temp, "%s: it tells where we keep it", name)
		require.False(t, strings.ContainsFunc(got.Submission.Intake.Problem, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }), "%s: %q", name, got.Submission.Intake.Problem)
	}
	left, err := os.ReadDir(w.temp)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NotContains(t, w.log.String(), "request failed")
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, text := range files {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		require.NoError(t, err)
		_, err = f.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return out.Bytes()
}

func tarred(t *testing.T, h *tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	w := tar.NewWriter(packed)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "package.json", Typeflag: tar.TypeReg, Size: 2, Mode: 0o644}))
	_, err := w.Write([]byte("{}"))
	require.NoError(t, err)
	require.NoError(t, w.WriteHeader(h))
	require.NoError(t, w.Close())
	require.NoError(t, packed.Close())
	return out.Bytes()
}

// Whoever uses a key again for something else is told so, whatever differs.
func TestAKeyIsOfOneRequest(t *testing.T) {
	w := newWorld(t)
	ask := call{method: http.MethodPost, path: api.Prefix + "/invitations", token: w.team, headers: map[string]string{"Idempotency-Key": "k"}}
	ask.body = obj{"assessmentId": w.assessment, "invitee": obj{"name": "Ida"}}
	require.Equal(t, http.StatusCreated, w.do(ask).Code)
	for name, body := range map[string]obj{
		"another name": {"assessmentId": w.assessment, "invitee": obj{"name": "Idb"}}, "another assessment": {"assessmentId": w.spare, "invitee": obj{"name": "Ida"}},
		"more": {"assessmentId": w.assessment, "invitee": obj{"name": "Ida"}, "byMail": true},
	} {
		ask.body = body
		require.Equal(t, http.StatusConflict, w.do(ask).Code, name)
	}
	// The same in another form is the same.
	ask.body = `{ "invitee": {"name": "\u0049da"}, "assessmentId": "` + string(w.assessment) + `" }`
	require.Equal(t, "true", w.do(ask).Header().Get("Idempotency-Replayed"))

	list := call{method: http.MethodPost, path: api.Prefix + "/invitations/csv?assessmentId=" + string(w.assessment), token: w.team, body: []byte("name\nLou\n"), headers: ask.headers}
	first := w.do(list)
	require.Equal(t, http.StatusCreated, first.Code, "a key belongs to an operation")
	again := w.do(list)
	require.JSONEq(t, first.Body.String(), again.Body.String())
	require.Equal(t, "true", again.Header().Get("Idempotency-Replayed"))
	list.body = []byte("name\nLou\nMo\n")
	require.Equal(t, http.StatusConflict, w.do(list).Code)

	people := "name\n" + strings.Repeat("A name of some length as people have\n", 1000)
	list.body, list.headers = []byte(people), map[string]string{"Idempotency-Key": "large"}
	require.Equal(t, http.StatusCreated, w.do(list).Code, "the answer to the largest list is remembered, too")
	require.Equal(t, "true", w.do(list).Header().Get("Idempotency-Replayed"))

	// The key of one candidate is nothing to another.
	for _, p := range []person{w.bob, w.gus} {
		up := call{method: http.MethodPost, path: api.Prefix + "/candidate/submissions?challenge=one&kind=dry_run", token: p.token, body: servicetest.Archive(t, p.token), headers: map[string]string{"Idempotency-Key": "same"}}
		answer := w.do(up)
		require.Equal(t, http.StatusCreated, answer.Code, answer.Body.String())
		require.Contains(t, answer.Body.String(), string(p.attempt))
	}
}
