package signs

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/evidence"
)

const heapStderr = `
<--- Last few GCs --->
[1:0x5c] 3000 ms: Mark-Compact 250.1 (260.0) -> 249.9 (260.2) MB

FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
----- Native stack trace -----
 1: 0xb8cf03 node::OOMErrorHandler
`

const throwStderr = `file:///app/main.mjs:12
    const v = JSON.parse(line);
                   ^

SyntaxError: Unexpected end of JSON input
    at JSON.parse (<anonymous>)
    at file:///app/main.mjs:12:20

Node.js v24.21.0
`

func TestDiagnose(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		exit   evidence.Exit
		stderr string
		peak   int64 // MiB
		want   int   // exit code of the contract
		code   string
		detail string // part of it
	}{
		{"good", evidence.Exit{Status: evidence.Exited}, "", 50, 0, "", ""},
		{"good, complains", evidence.Exit{Status: evidence.Exited}, throwStderr, 50, 0, "", ""},
		{"refuses as it must", evidence.Exit{Status: evidence.Exited, Code: 2}, "", 50, 2, "", ""},
		{"does not refuse", evidence.Exit{Status: evidence.Exited, Code: 0}, "", 50, 2, "", ""},
		{"refuses with another code", evidence.Exit{Status: evidence.Exited, Code: 1}, throwStderr, 50, 2, "", ""},
		{"refuses what it must not", evidence.Exit{Status: evidence.Exited, Code: 2}, "", 50, 0, evidence.CodeCrash, "exit code 2"},
		{"throws", evidence.Exit{Status: evidence.Exited, Code: 1}, throwStderr, 50, 0, evidence.CodeCrash, "Its last error: SyntaxError: Unexpected end of JSON input"},
		{"ends without a word", evidence.Exit{Status: evidence.Exited, Code: 7}, "", 50, 0, evidence.CodeCrash, "It ended with exit code 7 after 2.0 s."},
		{"segmentation fault", evidence.Exit{Status: evidence.Signaled, Code: 139, Signal: "SIGSEGV"}, "", 50, 0, evidence.CodeCrash, "SIGSEGV"},
		{"dies while it should refuse", evidence.Exit{Status: evidence.Signaled, Code: 139, Signal: "SIGSEGV"}, "", 50, 2, evidence.CodeCrash, "SIGSEGV"},
		{"heap, SIGABRT", evidence.Exit{Status: evidence.Signaled, Code: 134, Signal: "SIGABRT"}, heapStderr, 240, 0, OOMHeap, "V8 reached its heap limit after 2.0 s, with 240 MiB"},
		{"heap, SIGTRAP", evidence.Exit{Status: evidence.Signaled, Code: 133, Signal: "SIGTRAP"}, heapStderr, 240, 0, OOMHeap, "heap limit"},
		{"heap, through a shell", evidence.Exit{Status: evidence.Exited, Code: 134}, heapStderr, 240, 0, OOMHeap, "heap limit"},
		{"heap, while it should refuse", evidence.Exit{Status: evidence.Exited, Code: 134}, heapStderr, 240, 2, OOMHeap, "heap limit"},
		{"zone memory", evidence.Exit{Status: evidence.Signaled, Signal: "SIGTRAP"}, "FATAL ERROR: Zone Allocation failed - process out of memory", 99, 0, OOMHeap, ""},
		{"kernel", evidence.Exit{Status: evidence.OOMKilled, Code: 137, Signal: "SIGKILL"}, "", 255, 0, OOMCgroup, "its memory limit after 2.0 s, with 255 MiB in use"},
		{"kernel, heap text before", evidence.Exit{Status: evidence.OOMKilled, Code: 137}, heapStderr, 255, 0, OOMCgroup, ""},
		{"killed near the limit", evidence.Exit{Status: evidence.Signaled, Code: 137, Signal: "SIGKILL"}, "", 250, 0, OOMCgroup, "memory limit"},
		{"killed near the limit, through a shell", evidence.Exit{Status: evidence.Exited, Code: 137}, "", 250, 0, OOMCgroup, "memory limit"},
		{"killed far from the limit", evidence.Exit{Status: evidence.Signaled, Code: 137, Signal: "SIGKILL"}, "", 100, 0, evidence.CodeCrash, "SIGKILL"},
		{"thrashing", evidence.Exit{Status: evidence.Thrashing, Code: 137}, "", 250, 0, OOMCgroup, "at its memory limit without progress"},
		{"hangs", evidence.Exit{Status: evidence.TimedOut, Code: 137}, "", 50, 0, Hang, "not done after 2.0 s"},
		{"hangs while it should refuse", evidence.Exit{Status: evidence.TimedOut, Code: 137}, "", 50, 2, Hang, "not done"},
		{"computes for ever", evidence.Exit{Status: evidence.CPULimit, Code: 137, Detail: "It used 9 s of CPU time."}, "", 50, 0, Hang, "not done after 2.0 s and was ended. It used 9 s of CPU time."},
		{"does not start", evidence.Exit{Status: evidence.NotStarted, Detail: "no such file."}, "", 0, 0, evidence.CodeCrash, "could not be started. no such file."},
		{"does not start, no reason", evidence.Exit{Status: evidence.NotStarted}, "", 0, 0, evidence.CodeCrash, "It could not be started."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := evidence.Execution{
				Exit: tt.exit, DurationNs: 2e9, Stderr: evidence.Log{Text: tt.stderr}, Usage: evidence.Usage{MemoryPeakBytes: tt.peak << 20},
			}
			d := Diagnose(&e, tt.want, 256<<20)
			assert.Equal(t, tt.code, d.Code)
			assert.Contains(t, d.Detail, tt.detail)
			assert.Equal(t, tt.code == "", d.Detail == "")
		})
	}
}

func TestLastError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, stderr, want string
	}{
		{"nothing", "", ""},
		{"white space", " \n\n", ""},
		{"no error named", "reading…\ngave up\n", "gave up"},
		{"the last one", "Error: a\nTypeError: b\n    at x\n", "TypeError: b"},
		{"only frames and version", "    at x\nNode.js v24.1.0\n", ""},
		{"control characters", "Error: \x1b[31mred\x00\n", "Error:  [31mred"},
		{"long", "Error: " + strings.Repeat("ä", 1000), "Error: " + strings.Repeat("ä", errorLineLimit-8) + "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, strings.TrimSpace(lastError(tt.stderr)))
		})
	}
}

// FuzzDiagnose reads whatever a dying submission leaves on its standard error: what is said of it is one short printable line.
func FuzzDiagnose(f *testing.F) {
	f.Add(heapStderr, false, 134, 0, int64(240<<20))
	f.Add(throwStderr, true, 1, 2, int64(0))
	f.Add("Error: \x1b]0;owned\x07\u202e\xff", true, -1, -1, int64(-1))
	f.Fuzz(func(t *testing.T, stderr string, killed bool, code, want int, peak int64) {
		for _, status := range []evidence.ExitStatus{
			evidence.Exited, evidence.Signaled, evidence.OOMKilled, evidence.Thrashing, evidence.TimedOut, evidence.CPULimit, evidence.NotStarted,
		} {
			e := evidence.Execution{
				Exit: evidence.Exit{Status: status, Code: code, Detail: stderr}, Stderr: evidence.Log{Text: stderr}, Usage: evidence.Usage{MemoryPeakBytes: peak},
			}
			if status == evidence.Signaled {
				e.Exit.Signal = "SIGABRT"
				if killed {
					e.Exit.Signal = "SIGKILL"
				}
			}
			d := Diagnose(&e, want, 256<<20)
			assert.Contains(t, []string{"", OOMHeap, OOMCgroup, Hang, evidence.CodeCrash}, d.Code)
			assert.Equal(t, d.Code == "", d.Detail == "")
			assert.LessOrEqual(t, utf8.RuneCountInString(d.Detail), errorLineLimit+150)
			assert.Equal(t, -1, strings.IndexFunc(d.Detail, func(r rune) bool { return !unicode.IsPrint(r) }), "%q", d.Detail)
			if status == evidence.Exited && code == 0 {
				assert.Empty(t, d.Code, "words on standard error are no death")
			}
		}
		quoted := Quotable(stderr)
		assert.Equal(t, quoted, Quotable(quoted))
	})
}
