package grading

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
)

// DiagnosisReport is what a run after the grading showed of the code behind lost event-loop or memory points. It never
// changes a score: it comes from inside the process and could be forged.
type DiagnosisReport struct {
	Scenario  string             `json:"scenario"`
	Execution string             `json:"execution"`
	Skills    []string           `json:"skills"`
	Headline  string             `json:"headline"`       // what it showed, in one or two sentences
	Memory    string             `json:"memory"`         // where memory came from, in one or two sentences; empty when it was not asked
	Note      string             `json:"note,omitempty"` // what is missing, and why
	Stalls    []StallReport      `json:"stalls"`
	Sites     []AllocationReport `json:"allocations"`
}

// StallReport is a time in which nothing else could run, and the line that did not give way.
type StallReport struct {
	Number    int                 `json:"number"` // as it is marked on the curve, from 1
	AtSeconds float64             `json:"atSeconds"`
	LatencyNs int64               `json:"latencyNs"`
	Cause     evidence.StallCause `json:"cause"`
	Sentence  string              `json:"sentence"`
	Function  string              `json:"function"`
	File      string              `json:"file"` // empty when no line is to blame
	Line      int                 `json:"line"`
	Stack     []string            `json:"stack"` // innermost first: "function, file:line"
}

// AllocationReport is a place that allocated what was alive when most was.
type AllocationReport struct {
	Function string  `json:"function"`
	File     string  `json:"file"`
	Line     int     `json:"line"`
	Via      string  `json:"via"` // what it called that allocated; empty when it did itself
	Bytes    int64   `json:"bytes"`
	Share    float64 `json:"share"`
}

// diagnosisReport puts a diagnosis into words; nil when there was none.
func diagnosisReport(d *evidence.Diagnosis) *DiagnosisReport {
	if d == nil {
		return nil
	}
	r := &DiagnosisReport{
		Scenario: d.Scenario, Execution: d.Execution, Skills: append([]string{}, d.Skills...), Note: d.Note,
		Headline: diagnosisHeadline(d), Memory: memoryHeadline(d), Stalls: []StallReport{}, Sites: []AllocationReport{},
	}
	for i, s := range d.Stalls {
		v := StallReport{
			Number: i + 1, AtSeconds: round(s.From, 3), LatencyNs: s.LatencyNs, Cause: s.Cause, Sentence: stallSentence(s),
			Stack: []string{},
		}
		if s.Blame != nil {
			v.Function, v.File, v.Line = s.Blame.Function, s.Blame.File, s.Blame.Line
		}
		for _, f := range s.Stack {
			v.Stack = append(v.Stack, PlaceText(f.Place))
		}
		r.Stalls = append(r.Stalls, v)
	}
	for _, a := range d.Allocations {
		r.Sites = append(r.Sites, AllocationReport{
			Function: a.Function, File: a.File, Line: a.Line, Via: a.Via, Bytes: a.Bytes, Share: round(a.Share, 4),
		})
	}
	return r
}

// PlaceText is a line of code as people write it: "parseAll, src/main.mjs:31".
func PlaceText(p evidence.Place) string {
	at := p.File
	if p.Line > 0 && at != "" {
		at = fmt.Sprintf("%s:%d", at, p.Line)
	}
	switch {
	case at == "":
		return cmp.Or(p.Function, "native code")
	case p.Function == "":
		return at
	default:
		return p.Function + ", " + at
	}
}

func diagnosisHeadline(d *evidence.Diagnosis) string {
	switch {
	case d.Samples == 0:
		return "Nothing was seen of what the program did."
	case d.StallCount == 0:
		return fmt.Sprintf("No wait of 50 ms or more was seen in this run. The loop was free %s of the time: what took long was "+
			"waited for, not computed.", FormatValue(d.IdleShare, "share"))
	}
	s := fmt.Sprintf("%s of 50 ms or more; the longest took %s.", count(d.StallCount, "wait"), span(d.Stalls[0].LatencyNs))
	if d.GCShare >= 0.1 {
		s += fmt.Sprintf(" Over the whole run, %s of the time went into garbage collection.", FormatValue(d.GCShare, "share"))
	}
	return s
}

func memoryHeadline(d *evidence.Diagnosis) string {
	if d.HeapBytes == 0 && d.BufferBytes == 0 {
		return ""
	}
	s := fmt.Sprintf("At its largest, the heap held %s more than at the start.", FormatValue(float64(d.HeapBytes), "bytes"))
	if d.BufferBytes > max(d.HeapBytes, 8<<20) {
		s += fmt.Sprintf(" Most memory lay in buffers beside it, up to %s: look at what is read or joined as a whole.",
			FormatValue(float64(d.BufferBytes), "bytes"))
	}
	return s
}

// stallSentence says what ran while nothing else could.
func stallSentence(s evidence.Stall) string {
	var b strings.Builder
	took := span(s.LatencyNs)
	at := ""
	if s.Blame != nil {
		at = PlaceText(*s.Blame)
	}
	switch {
	case s.Cause == evidence.CauseWaiting:
		fmt.Fprintf(&b, "For %s a request was not answered, but the loop was free: it waited for something else, such as a file, "+
			"the network, a timer or another process.", took)
	case s.Cause == evidence.CauseUnknown:
		fmt.Fprintf(&b, "For %s a request was not answered; what ran then was not recorded.", took)
	case s.Slices:
		fmt.Fprintf(&b, "For %s nothing else ran: many short callbacks of process.nextTick or of promises followed each other "+
			"without a turn of the loop%s.", took, mostIn(at))
	case s.Turning:
		fmt.Fprintf(&b, "For %s requests waited in line: the loop turned, but one piece of work followed the other%s.", took, mostIn(at))
	default:
		fmt.Fprintf(&b, "For %s nothing else ran: %s.", took, stallCause(s, at))
	}
	if s.Hot != nil {
		part := "A large part of that time"
		if s.HotShare >= 0.5 {
			part = "Most of that time"
		}
		fmt.Fprintf(&b, " %s (%s) went to %s.", part, FormatValue(s.HotShare, "share"), PlaceText(*s.Hot))
	}
	if s.Call != "" && s.Cause == evidence.CauseOwnCode {
		fmt.Fprintf(&b, " In it, %s was called, which does not give way either.", s.Call)
	}
	if s.Cause != evidence.CauseGC && s.GCShare >= 0.15 {
		fmt.Fprintf(&b, " Garbage collection took %s of it.", FormatValue(s.GCShare, "share"))
	}
	if s.Alike > 1 {
		fmt.Fprintf(&b, " %s like it, %s together.", count(s.Alike, "wait"), span(s.AlikeNs))
	}
	return b.String()
}

// stallCause is what ran, without the time.
func stallCause(s evidence.Stall, at string) string {
	switch s.Cause {
	case evidence.CauseGC:
		return fmt.Sprintf("V8 was freeing memory (garbage collection, %s)%s", FormatValue(s.GCShare, "share"), whileIn(at))
	case evidence.CauseSyncIO:
		return fmt.Sprintf("%s waited in %s", cmp.Or(at, "the program"), s.Call)
	case evidence.CauseSyncWork:
		return fmt.Sprintf("%s computed in %s", cmp.Or(at, "the program"), s.Call)
	case evidence.CausePackage:
		return fmt.Sprintf("the package %s%s", s.Package, calledFrom(at))
	case evidence.CauseNode:
		return "Node itself was at work, with no function of the submission on the stack"
	case evidence.CauseOwnCode:
		return cmp.Or(at, "the submission's own code")
	default:
		if at != "" {
			return "native code of Node or V8, begun from " + at
		}
		return "native code of Node or V8, without a stack"
	}
}

func mostIn(at string) string     { return prefixed(", most of them in ", at) }
func whileIn(at string) string    { return prefixed(" for what was allocated in ", at) }
func calledFrom(at string) string { return prefixed(", called from ", at) }

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func span(ns int64) string { return FormatValue(float64(ns), "ns") }
