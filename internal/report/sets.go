package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

// Bounds of the charts, so that the page stays small whatever was measured.
const (
	maxSets       = 8
	maxPerTitle   = 3      // executions of one scenario
	maxRunChoices = 7      // runs to switch between
	maxPoints     = 1000   // of one curve
	minPoints     = 30     // of one curve, when there are very many
	pointBudget   = 40_000 // of all curves together; a point is about 20 bytes
	tableRows     = 12     // of the figures below a chart
)

// chartSet is the charts of one execution of one scenario.
type chartSet struct {
	ID        string // unique in the page
	Title     string
	Execution string // named only where a scenario has several
	Runs      []runChoice
	Chosen    string // which run is drawn, in words
	Open      bool
	Charts    []chartView
}

// runChoice is one entry of the list to choose a run from.
type runChoice struct {
	Index    int
	Label    string
	Selected bool
}

// chartView is one chart as the template shows it.
type chartView struct {
	Index        int // in the data for the script
	ID           string
	Title, About string
	Wide         bool
	Legend       []lineKind
	Plot         plot
	Caption      string
	Table        figures
}

// figures is the text form of a chart: the range of every curve in equal stretches of time.
type figures struct {
	Columns []string
	Rows    []figureRow
}

type figureRow struct {
	When  string
	Cells []string
}

// event is a finding with a moment.
type event struct {
	At    float64 `json:"at"` // seconds
	Label string  `json:"label"`
}

// chartData is what the script gets of one chart.
type chartData struct {
	Unit       string     `json:"unit"`
	Log        bool       `json:"log"`
	Upper      bool       `json:"upper"`
	Wide       bool       `json:"wide"`
	Band       bool       `json:"band"`
	Min        float64    `json:"min"`
	Max        float64    `json:"max"`
	Length     float64    `json:"length"` // seconds
	Ticks      []tick     `json:"ticks"`
	Limit      float64    `json:"limit"` // 0 where there is none
	LimitLabel string     `json:"limitLabel"`
	Lines      []lineData `json:"lines"`
	Runs       []chartRun `json:"runs"`
	Chosen     int        `json:"chosen"`
}

type lineData struct {
	Label string `json:"label"`
	Class string `json:"class"`
}

// chartRun is one run of a chart. Curves are in the order of the lines; null where nothing was recorded.
type chartRun struct {
	Caption   string   `json:"caption"`
	PeakAt    float64  `json:"peakAt"`
	Peak      float64  `json:"peak"`
	PeakLabel string   `json:"peakLabel"` // empty: no peak is marked
	Events    []event  `json:"events"`
	Curves    []*curve `json:"curves"`
}

// subject is one execution of one scenario in all its runs.
type subject struct {
	scenario, execution string
	several             bool            // the scenario has more than one execution
	runs                []evidence.Run  // of the submission
	references          []*evidence.Run // the reference run of the same pair; nil where there was none
	chosen              int             // index into runs
}

// chartSets draws everything worth drawing and returns the data for the script with it. left counts executions that
// were left out.
func chartSets(rep *grading.Report, ev *evidence.Grading) (sets []chartSet, data []chartData, left int) {
	if ev == nil {
		return nil, nil, 0
	}
	all, left := subjects(ev.Last())
	curves := 0
	for _, s := range all {
		curves += len(s.runs) * 12
	}
	limit := min(maxPoints, max(minPoints, pointBudget/max(curves, 1)))
	for i, s := range all {
		set := s.set(rep, fmt.Sprintf("set%d", i))
		for _, k := range chartKinds() {
			view, d, ok := s.chart(k, rep, limit)
			if !ok {
				continue
			}
			view.Index, view.ID = len(data), fmt.Sprintf("%s-%s", set.ID, k.key)
			set.Charts = append(set.Charts, view)
			data = append(data, d)
		}
		if len(set.Charts) > 0 {
			set.Open = len(sets) == 0
			sets = append(sets, set)
		}
	}
	return sets, data, left
}

// subjects lists what to draw, by scenario, and counts the executions that it leaves out.
func subjects(a evidence.Attempt) (out []subject, left int) {
	var scenarios []string
	for _, r := range a.Runs {
		if r.Role == evidence.Candidate && !slices.Contains(scenarios, r.Scenario) {
			scenarios = append(scenarios, r.Scenario)
		}
	}
	for _, sc := range scenarios {
		runs := runsOf(a, evidence.Candidate, sc)
		if len(runs) > maxRunChoices {
			runs = runs[:maxRunChoices]
		}
		refs := runsOf(a, evidence.Reference, sc)
		chosen := nearestMedian(runs)
		names := worthDrawing(runs[chosen], samePair(refs, runs[chosen].Pair))
		for i, name := range names {
			if i >= maxPerTitle || len(out) >= maxSets {
				left++
				continue
			}
			s := subject{scenario: sc, execution: name, several: len(names) > 1, runs: runs, chosen: chosen}
			for _, r := range runs {
				s.references = append(s.references, samePair(refs, r.Pair))
			}
			out = append(out, s)
		}
	}
	return out, left
}

// worthDrawing names the executions of a run, those first that ended otherwise than the reference's: a program that is
// asked to refuse a damaged file ends with another code than 0 and is right.
func worthDrawing(r evidence.Run, ref *evidence.Run) []string {
	ex := slices.Clone(r.Executions)
	rank := func(e evidence.Execution) int {
		want := evidence.Exit{Status: evidence.Exited}
		if x := executionOf(ref, e.Name); x != nil {
			want = x.Exit
		}
		if e.Exit.Status != want.Status || e.Exit.Code != want.Code {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(ex, func(a, b evidence.Execution) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.DurationNs, a.DurationNs))
	})
	var names []string
	for _, e := range ex {
		if len(e.Series) > 0 && !slices.Contains(names, e.Name) {
			names = append(names, e.Name)
		}
	}
	return names
}

func samePair(refs []evidence.Run, pair int) *evidence.Run {
	for i := range refs {
		if refs[i].Pair == pair {
			return &refs[i]
		}
	}
	return nil
}

func (s subject) set(rep *grading.Report, id string) chartSet {
	set := chartSet{ID: id, Title: scenarioTitle(rep, s.scenario)}
	if s.several {
		set.Execution = s.execution
	}
	for i := range s.runs {
		label := fmt.Sprintf("Run %d of %d", i+1, len(s.runs))
		if e := executionOf(&s.runs[i], s.execution); e != nil {
			label += fmt.Sprintf(": %s, %s", quantity(float64(e.DurationNs), "ns"), exitText(e.Exit))
		}
		if i == s.chosen && len(s.runs) > 1 {
			set.Chosen = fmt.Sprintf("Run %d of %d, the one nearest the median.", i+1, len(s.runs))
			label += " (nearest the median)"
		}
		set.Runs = append(set.Runs, runChoice{Index: i, Label: label, Selected: i == s.chosen})
	}
	return set
}

// chart draws one kind; ok is false when the chosen run has no such curve.
func (s subject) chart(k chartKind, rep *grading.Report, limit int) (chartView, chartData, bool) {
	var runs []drawn
	var length float64
	for i := range s.runs {
		own, ref := s.pair(i)
		runs = append(runs, k.draw(own, ref, limit))
		for _, e := range []*evidence.Execution{own, ref} {
			if e != nil {
				length = max(length, float64(e.DurationNs)/1e9)
			}
		}
	}
	if runs[s.chosen].empty(k) || length <= 0 {
		return chartView{}, chartData{}, false
	}
	line := 0.0
	if k.key == "memory" {
		line = float64(rep.Environment.MemoryBytes)
	}
	a := k.axis(runs, line)
	data := chartData{Unit: k.unit, Log: k.log, Upper: k.upper, Wide: k.wide, Band: k.band, Min: a.Min, Max: a.Max, Length: length,
		Ticks: a.Ticks, Limit: line, Chosen: s.chosen}
	if line > 0 {
		data.LimitLabel = "limit " + quantity(line, k.unit)
	}
	view := chartView{Title: k.title, About: k.about, Wide: k.wide}
	for _, l := range k.lines {
		data.Lines = append(data.Lines, lineData{l.Label, l.Class})
	}
	for i, d := range runs {
		data.Runs = append(data.Runs, s.run(k, d, i, rep, line))
	}
	d := runs[s.chosen]
	for i, l := range k.lines {
		if d[i] != nil {
			view.Legend = append(view.Legend, l)
		}
	}
	view.Plot = newPlot(k, d, a, length, line, data.Runs[s.chosen].Events)
	view.Caption = data.Runs[s.chosen].Caption
	view.Table = k.figures(d, length)
	return view, data, true
}

func (s subject) pair(i int) (own, ref *evidence.Execution) {
	return executionOf(&s.runs[i], s.execution), executionOf(s.references[i], s.execution)
}

func (s subject) run(k chartKind, d drawn, i int, rep *grading.Report, limit float64) chartRun {
	own, ref := s.pair(i)
	r := chartRun{Caption: k.caption(d, own, ref, limit)}
	for _, c := range d {
		if c != nil {
			c = c.round()
		}
		r.Curves = append(r.Curves, c)
	}
	if t, v, ok := d[0].peak(); ok && k.upper && k.wide {
		r.PeakAt, r.Peak, r.PeakLabel = t, v, quantity(v, k.unit)
	}
	if i == s.chosen && k.wide {
		r.Events = events(rep, s.scenario, s.execution, k.key)
	}
	return r
}

// events are the findings that have a moment in this execution. Those about memory belong on the memory chart, the
// others on the chart of waiting. A finding does not say which run it was seen in, so only the run nearest the
// median shows them.
func events(rep *grading.Report, scenario, execution, key string) []event {
	const most = 4
	memory := []string{"OOM_CGROUP", "OOM_HEAP", "MEM_UNBOUNDED", "LEAK"}
	var out []event
	for _, c := range rep.Codes {
		if slices.Contains(memory, c.Code) != (key == "memory") {
			continue
		}
		for _, f := range c.Findings {
			if f.Scenario == scenario && f.Execution == execution && f.AtSeconds >= 0 && len(out) < most {
				out = append(out, event{f.AtSeconds, f.Code})
			}
		}
	}
	return out
}

// figures is the chart as a table.
func (k chartKind) figures(d drawn, length float64) figures {
	var f figures
	for i, l := range k.lines {
		if d[i] != nil {
			f.Columns = append(f.Columns, l.Label)
		}
	}
	for i := range tableRows {
		from, to := length*float64(i)/tableRows, length*float64(i+1)/tableRows
		row := figureRow{When: fmt.Sprintf("%s – %s", seconds(from), seconds(to))}
		for _, c := range d {
			if c == nil {
				continue
			}
			cell := "–"
			if lo, hi, ok := c.between(from, to); ok {
				cell = quantity(lo, k.unit)
				if top := quantity(hi, k.unit); top != cell {
					cell += " to " + top
				}
			}
			row.Cells = append(row.Cells, cell)
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

// chartJSON encodes the data for a script element: <, > and & are escaped by encoding/json.
func chartJSON(data []chartData) (string, error) {
	if len(data) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("encode curves: %w", err)
	}
	return string(b), nil
}
