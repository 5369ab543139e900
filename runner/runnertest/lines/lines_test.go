package lines

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pair joins a reader and a writer.
type pair struct {
	io.Reader
	io.Writer
}

func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("text"), 0o600))
	for _, tt := range []struct{ name, in, out, log, err string }{
		{"nothing", "", "", "", ""},
		{"echo", `{"op":"echo","text":"hi"}`, `{"text":"hi"}`, "", ""},
		{"log", `{"op":"log","text":"hm"}`, `{}`, "hm\n", ""},
		{"list", `{"op":"list","path":"` + dir + `"}`, `{"names":["a"]}`, "", ""},
		{"read", `{"op":"read","path":"` + dir + `/a"}`, `{"text":"text"}`, "", ""},
		{"exit", `{"op":"exit","n":3}`, "", "", "asked to exit with code 3"},
		{"unknown", `{"op":"dance"}`, `{"error":"unknown question \"dance\""}`, "", ""},
		{"garbage", `GET / HTTP/1.1`, "", "", "read question: invalid character"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, log bytes.Buffer
			err := Serve(pair{strings.NewReader(tt.in + "\n"), &out}, &log)
			if tt.name == "nothing" {
				err = Serve(pair{strings.NewReader(""), &out}, &log)
			}
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
			assert.Equal(t, tt.out, strings.TrimSpace(out.String()))
			assert.Equal(t, tt.log, log.String())
		})
	}
}

func TestServeReportsMissingFiles(t *testing.T) {
	t.Parallel()
	gone := filepath.Join(t.TempDir(), "gone")
	for _, op := range []string{OpList, OpRead, OpClear} {
		_, err := answer(Request{Op: op, Path: gone}, io.Discard)
		require.ErrorIs(t, err, os.ErrNotExist, op)
	}
}

func TestClientHearsTheEnd(t *testing.T) {
	t.Parallel()
	_, err := NewClient(pair{strings.NewReader(""), io.Discard}).Ask(Request{Op: OpEcho})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = NewClient(pair{strings.NewReader("{\"error\":\"no\"}\n"), io.Discard}).Ask(Request{Op: OpEcho})
	require.ErrorContains(t, err, "answer to echo: no")
	_, err = NewClient(pair{strings.NewReader("HTTP/1.1\n"), io.Discard}).Ask(Request{Op: OpEcho})
	require.ErrorContains(t, err, "read answer to echo")
}
