package signs

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/assay-run/assay/internal/evidence"
)

// The reason codes that follow from how a process ended.
const (
	OOMHeap   = "OOM_HEAP"
	OOMCgroup = evidence.CodeOOMCgroup
	Hang      = evidence.CodeHang
)

// Death says how a submission died, when it did not end in the way it should.
type Death struct {
	Code   string // a reason code; empty when it ended by itself with an acceptable exit code
	Detail string // one or two sentences
}

// Diagnose looks at the end of an execution that was to end by itself. want is the exit code that the contract asks for. Another
// exit code than want is no death when the program was to refuse its input: it then loses its case alone. memory is the limit of
// its container in bytes: a SIGKILL that nobody explains is taken for the kernel's when the program was close to it.
func Diagnose(e *evidence.Execution, want int, memory int64) Death {
	after := Seconds(e.DurationNs)
	switch e.Exit.Status {
	case evidence.OOMKilled:
		return Death{OOMCgroup, fmt.Sprintf("The kernel ended it at its memory limit after %s, with %s in use.", after, Mebibytes(e.Usage.MemoryPeakBytes))}
	case evidence.Thrashing:
		return Death{OOMCgroup, fmt.Sprintf("It sat at its memory limit without progress and was ended after %s, with %s in use.", after, Mebibytes(e.Usage.MemoryPeakBytes))}
	case evidence.TimedOut:
		return Death{Hang, fmt.Sprintf("It was not done after %s and was ended; it had read %s of input and used %s of CPU time.",
			after, Mebibytes(e.Usage.ReadBytes), Seconds(e.Usage.CPUNs))}
	case evidence.CPULimit:
		return Death{Hang, fmt.Sprintf("It was not done after %s and was ended.", after) + sentence(e.Exit.Detail)}
	case evidence.NotStarted:
		return Death{evidence.CodeCrash, "It could not be started." + sentence(e.Exit.Detail)}
	case evidence.Exited:
		if e.Exit.Code == 0 || e.Exit.Code == want {
			return Death{}
		}
	}
	if heapExhausted(e.Stderr.Text) {
		return Death{OOMHeap, fmt.Sprintf("V8 reached its heap limit after %s, with %s in use.", after, Mebibytes(e.Usage.MemoryPeakBytes))}
	}
	killed := e.Exit.Signal == "SIGKILL" || e.Exit.Code == 128+9
	if killed && e.Usage.MemoryPeakBytes > memory/10*9 {
		return Death{OOMCgroup, fmt.Sprintf("It was killed after %s, with %s in use: its memory limit.", after, Mebibytes(e.Usage.MemoryPeakBytes))}
	}
	if want != 0 && e.Exit.Status == evidence.Exited {
		return Death{}
	}
	how := fmt.Sprintf("exit code %d", e.Exit.Code)
	if e.Exit.Status == evidence.Signaled {
		how = e.Exit.Signal
	}
	detail := fmt.Sprintf("It ended with %s after %s.", how, after)
	if line := lastError(e.Stderr.Text); line != "" {
		detail += " Its last error: " + line
	}
	return Death{evidence.CodeCrash, detail}
}

// heapExhausted recognises what V8 prints before it aborts.
func heapExhausted(stderr string) bool {
	for _, mark := range []string{"Reached heap limit", "heap out of memory", "process out of memory"} {
		if strings.Contains(stderr, mark) {
			return true
		}
	}
	return false
}

// errorLineLimit bounds the quoted error in runes.
const errorLineLimit = 200

// lastError is the last line of stderr that names an error, or else the last line with something in it. Stack frames and
// Node's closing line say less.
func lastError(stderr string) string {
	last := ""
	lines := strings.Split(stderr, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if line == "" || strings.HasPrefix(line, "at ") || strings.HasPrefix(line, "Node.js v") {
			continue
		}
		if strings.Contains(line, "Error") || strings.Contains(line, "FATAL") {
			return Quotable(line)
		}
		if last == "" {
			last = line
		}
	}
	return Quotable(last)
}

// Quotable makes one short printable line of text that a submission wrote.
func Quotable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if runes := []rune(text); len(runes) > errorLineLimit {
		text = string(runes[:errorLineLimit-1]) + "…"
	}
	return text
}

// sentence is a detail as another sentence, if there is one.
func sentence(detail string) string {
	if detail = Quotable(strings.TrimSpace(detail)); detail == "" {
		return ""
	}
	return " " + strings.TrimSuffix(detail, ".") + "."
}

// Seconds is a duration for people, e.g. "3.2 s".
func Seconds(ns int64) string {
	return fmt.Sprintf("%.1f s", time.Duration(ns).Seconds())
}

// Mebibytes is an amount of memory for people, e.g. "251 MiB".
func Mebibytes(bytes int64) string {
	return fmt.Sprintf("%d MiB", bytes>>20)
}
