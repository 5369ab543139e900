package diagnosis

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

// program is a small program of testdata whose trouble is known. The line to blame carries the word BLAME.
type program struct {
	name   string // below testdata/programs
	source string // file with the line to blame; the program itself when empty
	fn     string
	cause  evidence.StallCause // of the longest stall; empty when there must be none
	call   string
	pkg    string
	slices bool
	memory bool // the line is that of the largest allocation
}

func programs() []program {
	return []program{
		{name: "loop.mjs", fn: "sum", cause: evidence.CauseOwnCode},
		{name: "parse.mjs", fn: "load", cause: evidence.CauseOwnCode},
		{name: "readfile.mjs", fn: "readAll", cause: evidence.CauseSyncIO, call: "fs.readFileSync"},
		{name: "regex.mjs", fn: "check", cause: evidence.CauseOwnCode},
		{name: "ticks.mjs", fn: "step", cause: evidence.CauseOwnCode, slices: true},
		{name: "promises.mjs", fn: "work", cause: evidence.CauseOwnCode, slices: true},
		{name: "awaits.mjs", fn: "price", cause: evidence.CauseOwnCode},
		{name: "garbage.mjs", fn: "remember", cause: evidence.CauseGC},
		{name: "hash.mjs", fn: "hash", cause: evidence.CauseSyncWork, call: "crypto.pbkdf2Sync"},
		{name: "spawn.mjs", fn: "version", cause: evidence.CauseSyncIO, call: "child_process.execSync"},
		{name: "package.mjs", fn: "answer", cause: evidence.CausePackage, pkg: "busy"},
		{name: "holder.mjs", fn: "summarise", cause: evidence.CauseOwnCode},
		{name: "dist/mapped.js", source: "src/mapped.ts", fn: "spin", cause: evidence.CauseOwnCode},
		{name: "wait.mjs"},
		{name: "retain.mjs", fn: "keep", memory: true},
	}
}

func (p program) file() string {
	if p.source != "" {
		return p.source
	}
	return p.name
}

// line finds the line to blame.
func (p program) line(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "programs", p.file()))
	require.NoError(t, err)
	for i, l := range strings.Split(string(text), "\n") {
		if strings.Contains(l, "// BLAME") {
			return i + 1
		}
	}
	t.Fatalf("%s has no line to blame", p.file())
	return 0
}

// check says whether a diagnosis names what is known of the program.
func (p program) check(t *testing.T, d *evidence.Diagnosis) {
	t.Helper()
	for _, s := range d.Stalls {
		t.Logf("%.0f ms %s %s %s blame %+v hot %+v slices %v turning %v gc %.2f idle %.2f of %d",
			float64(s.LatencyNs)/1e6, s.Cause, s.Call, s.Package, s.Blame, s.Hot, s.Slices, s.Turning, s.GCShare, s.IdleShare, s.Samples)
	}
	assert.Positive(t, d.Samples)
	if p.memory {
		require.NotEmpty(t, d.Allocations)
		assert.Equal(t, evidence.Place{Function: p.fn, File: p.file(), Line: p.line(t)}, d.Allocations[0].Place)
		assert.Greater(t, d.Allocations[0].Share, 0.5)
		assert.InDelta(t, 9e6, d.Allocations[0].Bytes, 4e6, "60,000 small objects")
		return
	}
	if p.cause == "" {
		assert.Empty(t, d.Stalls)
		assert.Greater(t, d.IdleShare, 0.7)
		return
	}
	require.NotEmpty(t, d.Stalls)
	s := d.Stalls[0]
	assert.Equal(t, p.cause, s.Cause)
	assert.Equal(t, p.pkg, s.Package)
	assert.Equal(t, p.slices, s.Slices)
	assert.False(t, s.Turning)
	if p.call != "" {
		assert.Equal(t, p.call, s.Call)
	}
	if assert.NotNil(t, s.Blame) {
		assert.Equal(t, evidence.Place{Function: p.fn, File: p.file(), Line: p.line(t)}, *s.Blame)
	}
	require.NotEmpty(t, s.Stack)
	for _, f := range s.Stack {
		assert.NotContains(t, f.File, "/testdata/", "paths are those of the submission")
		assert.NotEqual(t, ourFile, f.File)
	}
}

// readRecording reads the messages of a recorded run, each after the microsecond of its arrival.
func readRecording(t testing.TB, name string) (*Recording, time.Duration) {
	t.Helper()
	packed, err := os.ReadFile(filepath.Join("testdata", "recordings", filepath.Base(name)+".gz"))
	require.NoError(t, err)
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	var r Recording
	var last time.Duration
	in := bufio.NewReader(zip)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return &r, last
		}
		require.NoError(t, err)
		at, message, _ := bytes.Cut(line, []byte(" "))
		micros, err := strconv.ParseInt(string(at), 10, 64)
		require.NoError(t, err)
		last = time.Duration(micros) * time.Microsecond
		require.NoError(t, r.Add(message, last))
	}
}

// TestRecordings judges runs of the programs that were recorded with Node 20; live_test.go makes them.
func TestRecordings(t *testing.T) {
	t.Parallel()
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			r, ended := readRecording(t, p.name)
			x := &evidence.Execution{Name: "main", DurationNs: int64(ended), Exit: evidence.Exit{Status: evidence.Exited}}
			d := Diagnose(r, x, 0)
			assert.Empty(t, d.Note)
			assert.True(t, d.FromInside)
			p.check(t, d)
		})
	}
}
