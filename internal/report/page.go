package report

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

// page is everything the template shows, already in words.
type page struct {
	inline
	Title   string
	Of      string // whose submission it is
	Back    Link
	Data    template.JS // curves for the script
	Rep     *grading.Report
	Kind    string // "Official run, standard mode"
	Date    string
	About   string // submission, Node, level, minutes
	Verdict string
	Band    string
	Scored  bool
	Passed  bool
	Score   string
	Likely  string
	Scale   scale
	Notices []string
	Notes   []string
	Cap     string

	Criteria   []criterionView
	Total, Max string
	Sets       []chartSet
	SetsLeft   string
	Findings   []findingView
	Diagnosis  *diagnosisView
	Runs       []runGroup
	Build      []stepView
	BuildNote  string
	Outputs    []outputGroup
	Files      []sourceView
	FilesLeft  string
	Facts      []fact
	Words      []word
	Evidence   bool
}

// scale is the score on a line from 0 to 100, positions in percent of its width.
type scale struct {
	Label                string // for those who cannot see it
	Low, Width, Dot      string
	Mark, MarkLabel      string
	MarkAnchor           string
	Reference, RefAnchor string // empty when unknown
}

// criterionView is a row of “Where the points went”.
type criterionView struct {
	grading.CriterionResult
	ValueText, RefText, RatioText string
	PointsText, MaxText           string
	Track, Fill                   string // widths in percent of the column, in one scale for all rows
	Likely                        string // the interval in points, where it is wide enough to matter
}

// stepView is a build step.
type stepView struct {
	Command, Ended, Took string
	Refused              []string
	Output               outputView
}

// findingView is a reason code with what was seen.
type findingView struct {
	Code, Recruiter, Engineer string
	Seen                      []seenView
}

// seenView is a finding and where it was seen.
type seenView struct{ Detail, Where string }

func findingViews(rep *grading.Report) []findingView {
	out := make([]findingView, 0, len(rep.Codes))
	for _, c := range rep.Codes {
		v := findingView{Code: c.Code, Recruiter: c.Recruiter, Engineer: c.Engineer}
		for _, f := range c.Findings {
			where := scenarioTitle(rep, f.Scenario)
			if f.Execution != "" && f.Execution != f.Scenario {
				where += ", " + f.Execution
			}
			if f.AtSeconds > 0 {
				where += ", at " + seconds(f.AtSeconds)
			}
			v.Seen = append(v.Seen, seenView{f.Detail, where})
		}
		out = append(out, v)
	}
	return out
}

func newPage(rep *grading.Report, ev *evidence.Grading, opts Options) (*page, error) {
	in, err := newInline()
	if err != nil {
		return nil, err
	}
	if opts.Recompute == "" {
		opts.Recompute = "assay report report.json"
	}
	p := &page{
		inline: in, Rep: rep, Kind: runKind(rep), Date: day(rep.Started), About: about(rep), Verdict: verdictWord(rep),
		Band: bandWord(rep), Scored: scored(rep), Passed: rep.Verdict == grading.Pass, Score: points(rep.Score),
		Likely: likely(rep), Notices: notices(rep), Notes: keepInMind(rep), Cap: capSentence(rep), Criteria: criterionViews(rep.Criteria),
		Runs: runGroups(rep, ev), Facts: facts(rep, Visible(opts.Recompute)), Words: glossary(), Evidence: ev != nil,
	}
	p.Title, p.Of, p.Back = title(rep), Visible(opts.Of), opts.Back
	if p.Of == "" {
		p.Of = rep.Submission.Name
	}
	p.Diagnosis = newDiagnosis(rep, ev)
	p.Scale = newScale(rep, opts.ReferenceScore)
	p.Total, p.Max = total(rep.Criteria)
	sets, data, left := chartSets(rep, ev)
	p.Sets, p.Findings = sets, findingViews(rep)
	if left > 0 {
		p.SetsLeft = plural(left, "more execution is", "more executions are") + " in the evidence and not drawn here."
	}
	encoded, err := chartJSON(data)
	if err != nil {
		return nil, err
	}
	p.Data = template.JS(encoded) //nolint:gosec // JSON with <, > and & escaped
	if ev != nil {
		p.Build, p.BuildNote = buildViews(ev.Build)
		p.Outputs = outputViews(func(id string) string { return scenarioTitle(rep, id) }, ev)
		files, more := sourceViews(ev.Submission.Files)
		p.Files = files
		if more > 0 {
			p.FilesLeft = plural(more, "more file is", "more files are") + " in the evidence."
		}
	}
	return p, nil
}

func title(rep *grading.Report) string {
	name := rep.Challenge.Title
	if name == "" {
		name = "Grading"
	}
	result := strings.ToLower(verdictWord(rep))
	if scored(rep) {
		result = fmt.Sprintf("%s (%s)", points(rep.Score), interval(rep.Interval))
	}
	return fmt.Sprintf("%s · %s · Assay report", name, result)
}

func about(rep *grading.Report) string {
	var parts []string
	if n := strings.TrimPrefix(rep.Environment.Node, "v"); n != "" {
		parts = append(parts, "Node "+n)
	}
	if rep.Challenge.Level != "" {
		parts = append(parts, rep.Challenge.Level+" level")
	}
	if rep.Challenge.Minutes > 0 {
		parts = append(parts, plural(rep.Challenge.Minutes, "minute", "minutes"))
	}
	return strings.Join(parts, " · ")
}

func newScale(rep *grading.Report, reference *float64) scale {
	at := func(v float64) string { return percent(min(max(v, 0), 100) / 100) }
	s := scale{Low: at(rep.Interval.Low), Width: percent(max(rep.Interval.High-rep.Interval.Low, 0) / 100), Dot: at(rep.Score),
		Mark: at(rep.PassMark), MarkLabel: "pass mark " + points(rep.PassMark), MarkAnchor: "middle"}
	switch {
	case rep.PassMark > 85:
		s.MarkAnchor = "end"
	case rep.PassMark < 15:
		s.MarkAnchor = "start"
	}
	s.Label = fmt.Sprintf("%s of 100, %s. Pass mark %s.", points(rep.Score), likely(rep), points(rep.PassMark))
	if reference != nil {
		s.Reference, s.RefAnchor = at(*reference), "middle"
		if *reference > 85 {
			s.RefAnchor = "end"
		}
		s.Label += fmt.Sprintf(" Reference %s.", points(*reference))
	}
	return s
}

func criterionViews(results []grading.CriterionResult) []criterionView {
	most := 1.0
	for _, c := range results {
		most = max(most, c.MaxPoints)
	}
	out := make([]criterionView, 0, len(results))
	for _, c := range results {
		share := func(score float64) string { return percent(min(max(score, 0), 1) * c.MaxPoints / most) }
		c.Why = because(c.Why)
		v := criterionView{CriterionResult: c, ValueText: quantityPtr(c.Value, c.Unit), RefText: quantityPtr(c.Reference, c.Unit),
			RatioText: ratioText(c.Ratio), PointsText: points(c.Points), MaxText: points(c.MaxPoints),
			Track: share(1), Fill: share(c.Score)}
		if low, high := c.Low*c.MaxPoints, c.High*c.MaxPoints; c.Assessed && high-low >= 0.5 {
			v.Likely = fmt.Sprintf("Likely between %s and %s of %s points.", points(low), points(high), v.MaxText)
		}
		out = append(out, v)
	}
	return out
}

// because is why a criterion was not assessed, without the words that the reports have before it.
func because(why string) string { return strings.TrimPrefix(why, "Not assessed, because ") }

// total adds up what was earned and what could be, of the criteria that were assessed.
func total(results []grading.CriterionResult) (got, of string) {
	var earned, most float64
	for _, c := range results {
		if c.Assessed {
			earned += c.Points
			most += c.MaxPoints
		}
	}
	return points(earned), points(most)
}

func buildViews(b evidence.Build) (steps []stepView, note string) {
	if b.Skipped {
		return nil, "There was nothing to build. " + sentence(b.Reason)
	}
	for _, s := range b.Steps {
		steps = append(steps, stepView{Command: strings.Join(s.Argv, " "), Ended: exitText(s.Exit),
			Took: quantity(float64(s.DurationNs), "ns"), Refused: s.Refused, Output: logView("Output", s.Output)})
	}
	if b.Failed {
		note = "The build failed, so the submission could not be started."
	}
	return steps, note
}
