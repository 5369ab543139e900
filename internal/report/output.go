package report

import (
	"strings"

	"github.com/assay-run/assay/internal/evidence"
)

// Bounds of the output that is shown, in bytes.
const (
	maxLogText  = 16 << 10  // of one stream
	maxLogsText = 128 << 10 // of all together
)

// outputGroup is what the submission printed in one scenario.
type outputGroup struct {
	Title   string
	Streams []outputView
}

// outputView is one stream of one process.
type outputView struct {
	Title string
	Text  string
	Note  string
}

// outputViews collects the output of the submission in the drawn run of each scenario; empty output is left out.
func outputViews(title func(string) string, ev *evidence.Grading) []outputGroup {
	var out []outputGroup
	left := maxLogsText
	seen := map[string]bool{}
	for _, r := range ev.Last().Runs {
		if r.Role != evidence.Candidate || seen[r.Scenario] {
			continue
		}
		seen[r.Scenario] = true
		runs := runsOf(ev.Last(), evidence.Candidate, r.Scenario)
		chosen := runs[nearestMedian(runs)]
		g := outputGroup{Title: title(r.Scenario)}
		for _, e := range chosen.Executions {
			for _, s := range streams(e) {
				if len(chosen.Executions) > 1 {
					s.name = e.Name + ", " + s.name
				}
				v := logView(s.name, shorten(s.log, max(left, 0)))
				left -= len(v.Text)
				g.Streams = append(g.Streams, v)
			}
		}
		if len(g.Streams) > 0 {
			out = append(out, g)
		}
	}
	return out
}

type stream struct {
	name string
	log  evidence.Log
}

func streams(e evidence.Execution) []stream {
	var out []stream
	for _, s := range []stream{{"standard output", e.Stdout}, {"standard error", e.Stderr}} {
		if s.log.Text != "" || s.log.Bytes > 0 {
			out = append(out, s)
		}
	}
	return out
}

// shorten keeps the head and the tail of a log, together at most limit bytes, and counts what it drops.
func shorten(l evidence.Log, limit int) evidence.Log {
	if len(l.Text) <= limit {
		return l
	}
	head := cutText(l.Text, limit/2)
	tail := strings.ToValidUTF8(l.Text[len(l.Text)-limit/2:], "")
	l.Dropped += int64(len(l.Text) - len(head) - len(tail))
	l.Text = head + "\n…\n" + tail
	return l
}

// logView says beside a log how much there was and what is missing.
func logView(title string, l evidence.Log) outputView {
	v := outputView{Title: title, Text: l.Text, Note: quantity(float64(l.Bytes), "bytes")}
	if l.Dropped > 0 {
		v.Note += ", of which " + quantity(float64(l.Dropped), "bytes") + " are not shown"
	}
	return v
}
