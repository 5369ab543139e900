package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

const (
	aroundLine   = 2   // lines shown before and after the one to blame
	maxCodeLine  = 240 // characters of one of them
	diagnosisKey = "diagnosis"
)

// diagnosisView is the section about the run that was not scored.
type diagnosisView struct {
	Title, About, Headline, Memory, Note string
	Chart                                *chartView
	Stalls                               []stallView
	Sites                                []siteView
}

// stallView is a wait, with the code to blame and the stack.
type stallView struct {
	Number   int
	Sentence string
	File     string
	When     string
	Code     []codeLine
	Stack    []frameView
}

// codeLine is a line of the submission; Here marks the one to blame.
type codeLine struct {
	Number int
	Text   string
	Here   bool
}

type frameView struct{ Place, Whose, Share string }

type siteView struct{ Place, Via, Bytes, Share string }

// diagnosisTitle is the heading of the section: what was asked.
func diagnosisTitle(d *grading.DiagnosisReport) string {
	if len(d.Stalls) == 0 && len(d.Sites) > 0 {
		return "Where memory came from"
	}
	return "Where it was blocked"
}

// diagnosisAbout says how far to trust it.
const diagnosisAbout = "One more run of the same work, after the verdict and not scored, with a profiler inside the process. It " +
	"explains; it earns and costs no points."

// newDiagnosis makes the section of what the report says and of the curves, stacks and files in the evidence; nil when
// there was no diagnosis.
func newDiagnosis(rep *grading.Report, ev *evidence.Grading) *diagnosisView {
	if rep.Diagnosis == nil {
		return nil
	}
	d := rep.Diagnosis
	v := &diagnosisView{Title: diagnosisTitle(d), About: diagnosisAbout, Headline: d.Headline, Memory: d.Memory, Note: d.Note}
	for _, s := range d.Stalls {
		v.Stalls = append(v.Stalls, stallView{
			Number: s.Number, Sentence: s.Sentence, File: s.File,
			When: fmt.Sprintf("from %s on", seconds(s.AtSeconds)),
		})
	}
	for _, a := range d.Sites {
		place := grading.PlaceText(evidence.Place{Function: a.Function, File: a.File, Line: a.Line})
		v.Sites = append(v.Sites, siteView{place, a.Via, quantity(float64(a.Bytes), "bytes"), quantity(a.Share, "share")})
	}
	if ev == nil || ev.Diagnosis == nil {
		return v
	}
	v.Chart = diagnosisChart(ev.Diagnosis)
	for i, s := range ev.Diagnosis.Stalls {
		if i >= len(v.Stalls) {
			break
		}
		if s.Blame != nil {
			v.Stalls[i].Code = codeAround(ev.Submission.Files, *s.Blame)
		}
		for _, f := range s.Stack {
			v.Stalls[i].Stack = append(v.Stalls[i].Stack, frameView{
				grading.PlaceText(f.Place), whose(f.Kind), quantity(f.Share, "share"),
			})
		}
	}
	return v
}

func whose(k evidence.FrameKind) string {
	switch k {
	case evidence.FrameOwn:
		return "submission"
	case evidence.FramePackage:
		return "package"
	case evidence.FrameNode:
		return "Node"
	case evidence.FrameNative:
		return "native"
	case evidence.FrameOutside:
		return "outside"
	}
	return ""
}

// codeAround shows a line of the submission with those around it; nil when the file or the line is not in the evidence.
func codeAround(files []evidence.SourceFile, at evidence.Place) []codeLine {
	for _, f := range files {
		if f.Path != at.File || f.Text == "" {
			continue
		}
		lines := strings.Split(strings.TrimSuffix(f.Text, "\n"), "\n")
		if at.Line < 1 || at.Line > len(lines) {
			return nil
		}
		var out []codeLine
		for n := max(at.Line-aroundLine, 1); n <= min(at.Line+aroundLine, len(lines)); n++ {
			out = append(out, codeLine{n, boundLine(lines[n-1], maxCodeLine), n == at.Line})
		}
		return out
	}
	return nil
}

// diagnosisChart is the curve of waiting in the diagnostic run with the worst waits marked by their numbers.
func diagnosisChart(d *evidence.Diagnosis) *chartView {
	own := &evidence.Execution{DurationNs: d.DurationNs, Series: d.Series}
	k := chartKind{key: diagnosisKey, title: "How long a request waited in this run", unit: "ns", log: true, upper: true,
		wide: true, band: true, about: "The numbers are those of the list below. Logarithmic scale.",
		lines: []lineKind{{evidence.Candidate, evidence.SeriesHeartbeat, ownLabel, "own"}}}
	curves := k.draw(own, nil, maxPoints)
	length := float64(d.DurationNs) / 1e9
	if curves.empty(k) || length <= 0 {
		return nil
	}
	var marks []event
	for i, s := range d.Stalls {
		marks = append(marks, event{s.From, strconv.Itoa(i + 1)})
	}
	view := &chartView{ID: diagnosisKey, Title: k.title, About: k.about, Wide: true, Legend: k.lines}
	view.Plot = newPlot(k, curves, k.axis([]drawn{curves}, 0), length, 0, marks)
	view.Plot.Peak = nil // the marks say it
	view.Caption = k.caption(curves, nil, nil, 0)
	view.Table = k.figures(curves, length)
	return view
}

// diagnosisLines is the section as text: what it showed, and a line for each wait and each place.
func diagnosisLines(d *grading.DiagnosisReport) (lead []string, stalls, sites []string) {
	for _, s := range []string{d.Headline, d.Memory, d.Note} {
		if s != "" {
			lead = append(lead, s)
		}
	}
	for _, s := range d.Stalls {
		stalls = append(stalls, s.Sentence)
	}
	for _, a := range d.Sites {
		line := fmt.Sprintf("%s (%s): %s", quantity(float64(a.Bytes), "bytes"), quantity(a.Share, "share"),
			grading.PlaceText(evidence.Place{Function: a.Function, File: a.File, Line: a.Line}))
		if a.Via != "" {
			line += ", by " + a.Via
		}
		sites = append(sites, line)
	}
	return lead, stalls, sites
}
