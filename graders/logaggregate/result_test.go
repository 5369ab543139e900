package logaggregate

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/loggen"
	"github.com/assay-run/assay/internal/evidence"
)

// sample is a truth that has everything in it.
func sample() *loggen.Truth {
	return &loggen.Truth{
		Lines: 1000, Bad: 10, MsgCodePoints: 5000, MsgUTF16: 5100, Bytes: 157_000,
		ByService: map[string]loggen.Service{"cart": {Count: 600, Errors: 6, SumMs: 9000, MaxMs: 80}, "__proto__": {Count: 390, SumMs: 39, MaxMs: 1}},
		ByHour:    map[string]int64{"2026-01-01T00": 600, "2026-01-01T01": 390},
		Slowest:   []loggen.Slow{{ID: "B", Ms: 80}, {ID: "a", Ms: 80}, {ID: "c", Ms: 7}},
	}
}

// output is a result file with a truth in it, changed.
func output(t *testing.T, want *loggen.Truth, change func(map[string]any)) *evidence.File {
	t.Helper()
	text, err := json.Marshal(want)
	require.NoError(t, err)
	var parts map[string]any
	require.NoError(t, json.Unmarshal(text, &parts))
	if change != nil {
		change(parts)
	}
	text, err = json.Marshal(parts)
	require.NoError(t, err)
	return &evidence.File{Name: "o.json", State: evidence.FileOK, Content: string(text), Bytes: int64(len(text))}
}

func TestCompareResults(t *testing.T) {
	t.Parallel()
	service := func(p map[string]any, name string) map[string]any {
		return p["byService"].(map[string]any)[name].(map[string]any)
	}
	hours := func(p map[string]any) map[string]any { return p["byHour"].(map[string]any) }
	tests := []struct {
		name   string
		change func(map[string]any)
		want   []string // details; part of each
	}{
		{"right", nil, nil},
		{"additional keys", func(p map[string]any) { p["more"] = 1; service(p, "cart")["p99"] = "x" }, nil},
		{"other spelling of a number", func(p map[string]any) { p["lines"] = json.RawMessage("1.0e3") }, nil},
		{"lines", func(p map[string]any) { p["lines"] = 852259 }, []string{"lines is 852,259, expected 1,000"}},
		{"negative", func(p map[string]any) { p["bad"] = -1234 }, []string{"bad is -1,234, expected 10"}},
		{"text", func(p map[string]any) { p["lines"] = "1000" }, []string{"lines is not a whole number"}},
		{"null", func(p map[string]any) { p["lines"] = nil }, []string{"lines is not a whole number"}},
		{"fraction", func(p map[string]any) { p["lines"] = 1000.5 }, []string{"lines is not a whole number"}},
		{"too large", func(p map[string]any) { p["lines"] = json.RawMessage("1e300") }, []string{"lines is not a whole number"}},
		{"missing", func(p map[string]any) { delete(p, "msgCodePoints") }, []string{"msgCodePoints is missing"}},
		{"case of a key", func(p map[string]any) { p["Lines"] = p["lines"]; delete(p, "lines") }, []string{"lines is missing"}},
		{"service figure", func(p map[string]any) { service(p, "cart")["sumMs"] = 1; service(p, "cart")["errors"] = 5 },
			[]string{`byService["cart"] has errors 5, expected 6, has sumMs 1, expected 9,000`}},
		{"service missing", func(p map[string]any) { delete(p["byService"].(map[string]any), "__proto__") }, []string{`byService["__proto__"] is missing`}},
		{"service too many", func(p map[string]any) { p["byService"].(map[string]any)["x"] = service(p, "cart") }, []string{`byService["x"] should not be there`}},
		{"service without a field", func(p map[string]any) { delete(service(p, "cart"), "maxMs") }, []string{`byService of "cart": maxMs is not a whole number`}},
		{"services are a list", func(p map[string]any) { p["byService"] = []any{} }, []string{"byService is not an object of objects"}},
		{"services are null", func(p map[string]any) { p["byService"] = nil }, []string{"byService is not an object of objects"}},
		{"two hours", func(p map[string]any) { hours(p)["2026-01-01T00"] = 1; hours(p)["2026-01-01T01"] = 1 },
			[]string{`byHour["2026-01-01T00"] is 1, expected 600 (and 1 more)`}},
		{"hour in another form", func(p map[string]any) {
			hours(p)["2026-01-01T1"] = hours(p)["2026-01-01T01"]
			delete(hours(p), "2026-01-01T01")
		},
			[]string{`byHour["2026-01-01T01"] is missing (and 1 more)`}},
		{"hour is text", func(p map[string]any) { hours(p)["2026-01-01T00"] = "600" }, []string{`byHour of "2026-01-01T00" is not a whole number`}},
		{"order of ties", func(p map[string]any) { s := p["slowest"].([]any); s[0], s[1] = s[1], s[0] },
			[]string{"slowest has the right entries in the wrong order"}},
		{"entry", func(p map[string]any) { p["slowest"].([]any)[2].(map[string]any)["ms"] = 6 },
			[]string{`slowest entry 3 is "c" with 6 ms, expected "c" with 7 ms`}},
		{"entries missing", func(p map[string]any) { p["slowest"] = p["slowest"].([]any)[:1] }, []string{"slowest has 1 entries, expected 3"}},
		{"entry without id", func(p map[string]any) { delete(p["slowest"].([]any)[1].(map[string]any), "id") }, []string{"slowest entry 2 has no id"}},
		{"entry with a number as id", func(p map[string]any) { p["slowest"].([]any)[1].(map[string]any)["id"] = 1 }, []string{"slowest entry 2 has no id"}},
		{"slowest is an object", func(p map[string]any) { p["slowest"] = map[string]any{} }, []string{"slowest is not a list"}},
		{"everything", func(p map[string]any) { clear(p) }, []string{
			"lines is missing", "bad is missing", "byService is missing", "byHour is missing", "slowest is missing", "msgCodePoints is missing",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseResult(output(t, sample(), tt.change))
			require.NoError(t, err)
			diffs := compare(got, sample())
			require.Len(t, diffs, len(tt.want))
			for i, want := range tt.want {
				assert.Contains(t, diffs[i].detail, want)
				assert.True(t, strings.HasPrefix(diffs[i].detail, diffs[i].part), diffs[i].detail)
			}
		})
	}
}

func TestNoResult(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file *evidence.File
		want string
	}{
		{"never read", nil, "no result was written"},
		{"missing", &evidence.File{State: evidence.FileMissing}, "no result was written"},
		{"link", &evidence.File{State: evidence.FileNotRegular}, "not a regular file"},
		{"too large", &evidence.File{State: evidence.FileTooLarge, Bytes: 9_000_000}, "too large (9,000,000 bytes)"},
		{"unreadable", &evidence.File{State: evidence.FileUnreadable, Detail: "permission denied"}, "permission denied"},
		{"empty", &evidence.File{State: evidence.FileOK}, "not a JSON object"},
		{"cut off", &evidence.File{State: evidence.FileOK, Content: `{"lines":1`}, "not a JSON object"},
		{"list", &evidence.File{State: evidence.FileOK, Content: `[]`}, "not a JSON object"},
		{"null", &evidence.File{State: evidence.FileOK, Content: `null`}, "not a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseResult(tt.file)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func FuzzParseResult(f *testing.F) {
	text, err := json.Marshal(sample())
	require.NoError(f, err)
	f.Add(string(text))
	f.Add(`{"lines":1e400,"byService":{"a":null},"slowest":[null],"byHour":{"":-0}}`)
	f.Add(`{"lines":-9223372036854775808,"byService":{"a":{},"b":{"count":1},"c":null},"byHour":{"1":"x","2":[]}}`)
	f.Fuzz(func(t *testing.T, content string) {
		got, err := parseResult(&evidence.File{State: evidence.FileOK, Content: content})
		if err != nil {
			return
		}
		diffs := compare(got, sample())
		assert.LessOrEqual(t, len(diffs), partCount)
		again, err := parseResult(&evidence.File{State: evidence.FileOK, Content: content})
		require.NoError(t, err)
		assert.Equal(t, diffs, compare(again, sample()), "a report is recomputed byte for byte")
		for _, d := range diffs {
			assert.NotEmpty(t, d.detail)
			assert.LessOrEqual(t, len(d.detail), 1000, "a submission makes our report long")
		}
	})
}
