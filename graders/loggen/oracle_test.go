package loggen

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// good is a good line up to the end of its msg.
const good = `{"ts":1767225600000,"svc":"a","lvl":"error","ms":7,"user":"u","id":"i","msg":`

func TestOracleLines(t *testing.T) {
	t.Parallel()
	ok := good + `"x"}`
	tests := []struct {
		name       string
		in         string
		lines, bad int64
		cps        int64
	}{
		{"empty", "", 0, 0, 0},
		{"one", ok + "\n", 1, 0, 1},
		{"no final newline", ok, 1, 0, 1},
		{"CRLF", ok + "\r\n" + ok + "\r\n", 2, 0, 2},
		{"CR at the end of the file", ok + "\r", 1, 0, 1},
		{"two CR: the second is white space", ok + "\r\r\n", 1, 0, 1},
		{"blank lines", "\n\r\n\n" + ok + "\n\n", 1, 0, 1},
		{"two CR alone are not empty", "\r\r\n", 1, 1, 0},
		{"spaces are not empty", "  \n", 1, 1, 0},
		{"CR does not end a line", ok + "\r" + ok + "\n", 1, 1, 0},
		{"CR between tokens", strings.Replace(ok, ",", ",\r", 1), 1, 0, 1},
		{"CR in a string", good + "\"a\rb\"}", 1, 1, 0},
		{"U+2028 ends no line", good + "\"a\u2028b\"}", 1, 0, 3},
		{"NUL in a string", good + "\"a\x00b\"}", 1, 1, 0},
		{"NUL after the object", ok + "\x00", 1, 1, 0},
		{"form feed is no white space", ok + "\f", 1, 1, 0},
		{"no-break space is no white space", "\u00a0" + ok, 1, 1, 0},
		{"BOM", "\ufeff" + ok + "\n" + ok, 2, 1, 1},
		{"BOM in msg", good + "\"\ufeff\"}", 1, 0, 1},
		{"array", "[" + ok + "]", 1, 1, 0},
		{"null", "null\n12\n\"a\"\ntrue\n", 4, 4, 0},
		{"two objects", ok + ok, 1, 1, 0},
		{"duplicate key, last good", good + `5,"msg":"ab"}`, 1, 0, 2},
		{"duplicate key, last bad", good + `"ab","msg":5}`, 1, 1, 0},
		{"keys with escapes", good + `5,"\u006dsg":"ab"}`, 1, 0, 2},
		{"case matters", good + `5,"Msg":"ab"}`, 1, 1, 0},
		{"__proto__ is a plain key", `{"__proto__":` + ok + `}`, 1, 1, 0},
		{"missing field", `{"ts":1,"svc":"a","lvl":"info","ms":7,"user":"u","id":"i"}`, 1, 1, 0},
		{"trailing comma", good + `"x",}`, 1, 1, 0},
		{"huge number elsewhere", good + `"x","n":1e400}`, 1, 0, 1},
		{"pair", good + `"\ud83d\ude00"}`, 1, 0, 1},
		{"lone surrogates", good + `"\ud83d\ud83d\ude00\ude00"}`, 1, 0, 3},
		{"high surrogate before a character", good + `"\ud83d😀"}`, 1, 0, 2},
		{"emoji and combining", good + `"😀e` + "\u0301" + `"}`, 1, 0, 3},
		{"deep", good + `"x","d":` + strings.Repeat(`[{"a":`, 60_000) + "1" + strings.Repeat("}]", 60_000) + "}", 1, 0, 1},
		{"deep but open", good + `"x","d":` + strings.Repeat(`[`, 60_000) + "}", 1, 1, 0},
		{"invalid byte", good + "\"a\xffb\"}", 1, 0, 3},
		{"maximal part of three", good + "\"\xe2\x82\"}", 1, 0, 1},
		{"maximal part of four", good + "\"\xf0\x9f\x98x\"}", 1, 0, 2},
		{"overlong", good + "\"\xc0\xaf\"}", 1, 0, 2},
		{"surrogate in UTF-8", good + "\"\xed\xa0\x80\"}", 1, 0, 3},
		{"above U+10FFFF", good + "\"\xf4\x90\x80\x80\"}", 1, 0, 4},
		{"overlong three", good + "\"\xe0\x80\x80\"}", 1, 0, 3},
		{"invalid byte outside strings", "\xff" + ok, 1, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Oracle(t.Context(), strings.NewReader(tt.in))
			require.NoError(t, err)
			assert.Equal(t, [...]int64{tt.lines, tt.bad, tt.cps}, [...]int64{got.Lines, got.Bad, got.MsgCodePoints})
			assert.Equal(t, int64(len(tt.in)), got.Bytes)
		})
	}
}

func TestOracleFigures(t *testing.T) {
	t.Parallel()
	in := `{"ts":1767225600000,"svc":"a","lvl":"error","ms":7,"user":"u","id":"b","msg":"xy"}
{"ts":1767229199999,"svc":"a","lvl":"info","ms":1.2e1,"user":"u","id":"B","msg":"😀"}
{"ts":1767229200000,"svc":"__proto__","lvl":"errors","ms":7,"user":"u","id":"a","msg":""}
x`
	got, err := Oracle(t.Context(), iotest.OneByteReader(strings.NewReader(in)))
	require.NoError(t, err)
	assert.Equal(t, Truth{
		Lines: 4, Bad: 1, MsgCodePoints: 3, MsgUTF16: 4, Bytes: int64(len(in)),
		ByService: map[string]Service{"a": {2, 1, 19, 12}, "__proto__": {1, 0, 7, 7}},
		ByHour:    map[string]int64{"2026-01-01T00": 2, "2026-01-01T01": 1},
		Slowest:   []Slow{{"B", 12}, {"a", 7}, {"b", 7}},
	}, got)
}

func TestOracleLineLimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	line := func(n int) string {
		head := good + `"`
		return head + strings.Repeat("x", n-len(head)-2) + `"}`
	}
	tests := []struct {
		name string
		in   string
		bad  int64
	}{
		{"at the limit", line(limit) + "\n", 0},
		{"at the limit with CR", line(limit) + "\r\n", 0},
		{"one over", line(limit+1) + "\n", 1},
		{"one over, without LF", line(limit + 1), 1},
		{"far over, ending in CR", line(limit+100) + "\r\n", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := readLog(t.Context(), strings.NewReader(tt.in+good+`"x"}`), limit)
			require.NoError(t, err)
			assert.Equal(t, tt.bad, got.Bad)
		})
	}
}

func TestOracleSadPaths(t *testing.T) {
	t.Parallel()
	_, err := Oracle(t.Context(), iotest.ErrReader(io.ErrUnexpectedEOF))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Oracle(ctx, strings.NewReader("\n"))
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzParseObject compares what is JSON with encoding/json, which agrees on that for valid UTF-8 and modest depth.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{good + `"x"}`, `{}`, ` {"a":[1,{"b":[]},-0.5e+3,"\u00e9\n"],"a":null} `, `{"a":01}`, `{"a":tru}`, `{"a"}`, `{,}`, `{"a":[}`, `{"a":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) || bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 5000 {
			return
		}
		members, ok := parseObject(text)
		var want map[string]any
		trimmed := bytes.TrimLeft(text, " \t\r\n")
		isObject := json.Valid(text) && len(trimmed) > 0 && trimmed[0] == '{'
		require.Equal(t, isObject, ok)
		// Numbers beyond the range of a float64 are an error to Unmarshal alone.
		if ok && json.Unmarshal(text, &want) == nil {
			require.Len(t, members, len(want))
			for key, v := range want {
				_, isString := v.(string)
				require.Equal(t, isString, members[key].kind == 's', key)
			}
		}
	})
}

func FuzzReplaceInvalid(f *testing.F) {
	f.Add([]byte("a\xf0\x9f\x98b\xe2\x82"))
	f.Fuzz(func(t *testing.T, text []byte) {
		out := replaceInvalid(text)
		require.True(t, utf8.Valid(out))
		if utf8.Valid(text) {
			require.Equal(t, text, out)
		}
		// Every maximal part is replaced once; byte by byte there can only be more of them.
		require.LessOrEqual(t, len([]rune(string(out))), len([]rune(string(text))))
	})
}
