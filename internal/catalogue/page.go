// Package catalogue describes challenges and workloads for people who choose or write them: as text, as Markdown and as data. What it says
// is what candidates may know: solutions and their faults are no part of it.
package catalogue

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/evidence"
)

// Page is what there is to know about a challenge before it is begun.
type Page struct {
	ID        string     `json:"id"`
	Version   int        `json:"version"`
	Title     string     `json:"title"`
	Summary   string     `json:"summary"`
	Level     string     `json:"level"`
	Minutes   int        `json:"minutes"`
	Skills    []string   `json:"skills"`
	Node      string     `json:"node"`
	PassMark  float64    `json:"passMark"`
	Limits    Limits     `json:"limits"`
	Modes     []Mode     `json:"modes"`
	Scenarios []Scenario `json:"scenarios"`
	Gates     []Gate     `json:"gates"`
	Criteria  []Point    `json:"criteria"`
	Brief     string     `json:"brief"` // Markdown
}

// Limits are those of the submission's container; 0 stands for the default of every challenge.
type Limits struct {
	MemoryBytes   int64   `json:"memoryBytes,omitempty"`
	Pids          int64   `json:"pids,omitempty"`
	TmpBytes      int64   `json:"tmpBytes,omitempty"`
	FileSizeBytes int64   `json:"fileSizeBytes,omitempty"`
	CPUSeconds    float64 `json:"cpuSeconds,omitempty"`
}

// Mode is one way to run it.
type Mode struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Official bool     `json:"official"`
	Notes    []string `json:"notes,omitempty"`
	// Runs is how many runs a grading has without repeats and extra pairs, with those of the reference and the control.
	Runs int `json:"runs"`
	// MostSeconds is what its runs take when each uses up its time limit; mostly they take far less.
	MostSeconds float64 `json:"mostSeconds"`
}

// Scenario is one piece of work.
type Scenario struct {
	ID       string         `json:"id"`
	Title    string         `json:"title"`
	Workload string         `json:"workload"`
	Measured bool           `json:"measured"`
	Pairs    map[string]int `json:"pairs"` // by mode; 0 where each side runs once
}

// Gate is a condition that caps the score.
type Gate struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Kind  string `json:"kind"`
	Cap   int    `json:"cap"`
	Lost  string `json:"lost"`
}

// Point is what points are given for.
type Point struct {
	ID       string  `json:"id"`
	Title    string  `json:"title"`
	Skill    string  `json:"skill"`
	Points   float64 `json:"points"`
	Measures string  `json:"measures"`
	Relative bool    `json:"relative"` // compared with the reference on the same machine
}

// modeOrder is the order in which modes are told.
var modeOrder = []string{"quick", "standard", "full"}

// caps are the scores that gates cap at, by kind.
var caps = map[string]int{"core": 40, "safety": 25}

// Of makes the page of a challenge.
func Of(ch *challenges.Challenge) (Page, error) {
	brief, err := fs.ReadFile(ch.Files, challenges.Brief)
	if err != nil {
		return Page{}, fmt.Errorf("read brief of %s: %w", ch.ID, err)
	}
	p := Page{
		ID: ch.ID, Version: ch.Version, Title: ch.Title, Summary: ch.Summary, Level: ch.Level, Minutes: ch.Minutes, Skills: ch.Skills,
		Node: ch.Node, PassMark: ch.PassMark, Brief: string(brief), Gates: []Gate{},
		Limits: Limits{
			MemoryBytes: ch.Limits.MemoryBytes, Pids: ch.Limits.Pids, TmpBytes: ch.Limits.TmpBytes, FileSizeBytes: ch.Limits.FileSizeBytes,
			CPUSeconds: ch.Limits.CPUTime.Seconds(),
		},
	}
	for _, name := range modeOrder {
		if mode, ok := ch.Modes[name]; ok {
			p.Modes = append(p.Modes, modeOf(ch, mode))
		}
	}
	for _, s := range ch.Scenarios {
		out := Scenario{ID: s.ID, Title: s.Title, Workload: s.Workload, Measured: s.Measured, Pairs: map[string]int{}}
		for name, mode := range s.Modes {
			out.Pairs[name] = mode.Pairs
		}
		p.Scenarios = append(p.Scenarios, out)
	}
	for _, g := range ch.Gates {
		p.Gates = append(p.Gates, Gate{g.ID, g.Title, g.Kind, caps[g.Kind], g.Lost})
	}
	for _, c := range ch.Criteria {
		measures := c.Detail
		if measures == "" {
			measures = c.Title
		}
		p.Criteria = append(p.Criteria, Point{c.ID, c.Title, c.Skill, c.Points, measures, c.Relative})
	}
	return p, nil
}

// modeOf counts the runs of a mode: candidate and reference in turn, the reference once more where it is measured, and the control.
func modeOf(ch *challenges.Challenge, mode challenges.Mode) Mode {
	m := Mode{Name: mode.Name, Title: mode.Title, Official: mode.Official, Notes: mode.Notes}
	var most time.Duration
	for _, s := range ch.Scenarios {
		settled, ok := s.Modes[mode.Name]
		if !ok {
			continue
		}
		runs := 2
		if s.Measured {
			runs = 2*settled.Pairs + 1
		}
		if s.ID == ch.Control.Scenario {
			runs++
		}
		m.Runs += runs
		most += time.Duration(runs) * settled.Timeout
	}
	m.MostSeconds = most.Seconds()
	return m
}

// limits tells limits in words.
func (l Limits) words() []string {
	var out []string
	size := func(bytes int64, what string) {
		if bytes > 0 {
			out = append(out, fmt.Sprintf("%d MiB %s", bytes>>20, what))
		}
	}
	size(l.MemoryBytes, "of memory")
	size(l.TmpBytes, "in /tmp")
	size(l.FileSizeBytes, "for one file")
	if l.Pids > 0 {
		out = append(out, fmt.Sprintf("%d processes and threads", l.Pids))
	}
	if l.CPUSeconds > 0 {
		out = append(out, fmt.Sprintf("%.0f s of CPU time for one execution", l.CPUSeconds))
	}
	if len(out) == 0 {
		out = append(out, "those that every challenge has")
	}
	return out
}

// when tells in which modes a scenario runs.
func (s Scenario) when() string {
	var out []string
	for _, name := range modeOrder {
		pairs, ok := s.Pairs[name]
		switch {
		case !ok:
		case s.Measured && pairs == 1:
			out = append(out, name+" (1 pair)")
		case s.Measured:
			out = append(out, fmt.Sprintf("%s (%d pairs)", name, pairs))
		default:
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

// took tells what a mode takes.
func (m Mode) took() string {
	official := "practice"
	if m.Official {
		official = "official"
	}
	return fmt.Sprintf("%s, %d runs, %.0f min at most", official, m.Runs, max(1, m.MostSeconds/60))
}

// measured says what is measured, and with what it is compared where the author does not say so.
func (c Point) measured() string {
	if !c.Relative || strings.Contains(c.Measures, "compared with") {
		return c.Measures
	}
	return c.Measures + "; compared with our reference on the same machine"
}

// aboutRuns says what the number of runs counts.
const aboutRuns = "Runs are those of the submission, of our own solution and of a known bad one, which must fail. Mostly they take far less time than " +
	"the limit. A grading that is invalid is repeated, which comes on top."

// WorkloadDoc is what is documented of a workload.
type WorkloadDoc struct {
	Name     string
	Settings []byte // JSON Schema; nil when there is none
	Metrics  []evidence.MetricDoc
}

// sortedKeys are the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
