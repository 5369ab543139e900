package fileio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/condition"
	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/internal/schemas"
)

// with is "with:" of a scenario.
type with struct {
	Cases   string             `json:"cases"`
	Env     map[string]string  `json:"env"`
	Weights map[string]float64 `json:"weights"`
	Each    []each             `json:"each"`
	rules
}

// each is an exception for the cases of a pattern.
type each struct {
	Cases  string  `json:"cases"`
	Weight float64 `json:"weight"`
	rules
}

// rules are what may differ between cases. What is not set has the value around it.
type rules struct {
	Compare   string   `json:"compare,omitempty"`
	Tolerance *float64 `json:"tolerance,omitempty"`
	Check     string   `json:"check,omitempty"`
	Args      []string `json:"args,omitempty"`
	Time      string   `json:"time,omitempty"`
}

const (
	defaultCases     = "cases"
	defaultTolerance = 1e-6
	defaultTime      = 10 * time.Second
)

// Placeholders of arguments.
const (
	placeInput  = "{input}"
	placeOutput = "{output}"
)

// over returns r with what o sets.
func (r rules) over(o rules) rules {
	if o.Compare != "" {
		r.Compare = o.Compare
	}
	if o.Tolerance != nil {
		r.Tolerance = o.Tolerance
	}
	if o.Check != "" {
		r.Check = o.Check
	}
	if o.Args != nil {
		r.Args = o.Args
	}
	if o.Time != "" {
		r.Time = o.Time
	}
	return r
}

// places says whether a placeholder is in the arguments or in the environment.
func (r rules) places(env map[string]string, placeholder string) bool {
	return strings.Contains(strings.Join(slices.Concat(r.Args, slices.Collect(maps.Values(env))), " "), placeholder)
}

// defaults are the rules where nothing is said.
func (g *Grader) defaults() rules {
	tolerance := defaultTolerance
	r := rules{Compare: compareText, Tolerance: &tolerance, Time: defaultTime.String()}
	if g.files() {
		r.Args = []string{placeInput, placeOutput}
	}
	return r
}

// read reads settings that fit the schema.
func (g *Grader) read(settled map[string]any) (with, error) {
	w := with{Cases: defaultCases}
	if err := settings.Decode(g.name, schema, settled, &w); err != nil {
		return with{}, err
	}
	w.rules = g.defaults().over(w.rules)
	return w, nil
}

// SettingsSchema implements graders.Settings.
func (*Grader) SettingsSchema() []byte { return bytes.Clone(schema) }

// Check implements graders.Grader.
func (g *Grader) Check(settled map[string]any) error {
	w, err := g.read(settled)
	if err != nil {
		return err
	}
	errs := []error{g.checkRules(w.rules, w.Env, nil)}
	const idle = "the expression is used with compare: check only"
	if w.Check != "" && w.Compare != compareCheck && !slices.ContainsFunc(w.Each, each.takesCheck) {
		errs = append(errs, settings.Wrong(settings.At("check"), idle))
	}
	for i, e := range w.Each {
		at := settings.At("each", i)
		if _, err := path.Match(e.Cases, ""); err != nil {
			errs = append(errs, settings.Wrong(append(at, "cases"), "%s is not a pattern; write names with * and ?", schemas.Quote(e.Cases)))
		}
		if e.Check != "" && w.over(e.rules).Compare != compareCheck {
			errs = append(errs, settings.Wrong(append(slices.Clip(at), "check"), idle))
		}
		errs = append(errs, g.checkRules(w.over(e.rules), w.Env, at))
	}
	return errors.Join(errs...)
}

// takesCheck says whether an exception uses the expression around it.
func (e each) takesCheck() bool { return e.Compare == compareCheck && e.Check == "" }

// looksAt says whether the expression decides and names a variable. An expression that other rules leave behind decides nothing.
func (r rules) looksAt(name string) bool { return r.Compare == compareCheck && uses(r.Check, name) }

// checkRules checks what rules say together; at leads to them.
func (g *Grader) checkRules(r rules, env map[string]string, at []any) error {
	var errs []error
	under := func(key string) []any { return append(slices.Clip(at), key) }
	if r.Compare == compareCheck && r.Check == "" {
		errs = append(errs, settings.Wrong(under("compare"), "compare: check needs the expression: add check"))
	}
	if r.Check != "" {
		var wrong *condition.SyntaxError
		if _, err := condition.Bool(r.Check, checkEnv("", "", "")); errors.As(err, &wrong) {
			errs = append(errs, &settings.Error{Path: under("check"), Offset: wrong.Offset, Message: wrong.Message})
		} else if !uses(r.Check, "output") {
			errs = append(errs, settings.Wrong(under("check"), "the expression never looks at output, so it says the same of every submission"))
		}
	}
	if takes := r.places(env, placeInput); g.files() != takes {
		message := "{input} is for file-in-file-out; the input is the standard input here"
		if g.files() {
			message = "{input}, the path of the input file, must be in the arguments; for a program that reads standard input use the workload stdin-stdout"
		}
		errs = append(errs, settings.Wrong(under("args"), "%s", message))
	}
	return errors.Join(errs...)
}

// CheckFiles implements graders.Settings.
func (g *Grader) CheckFiles(settled map[string]any, files fs.FS) ([]string, error) {
	w, err := g.read(settled)
	if err != nil {
		return nil, err
	}
	found, err := w.find(files)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, c := range found {
		paths = append(paths, c.files()...)
	}
	return paths, w.sizes(files, found)
}

// LintFiles implements graders.Linter: what is expected must be right by the rules of its own case.
func (g *Grader) LintFiles(settled map[string]any, files fs.FS) error {
	w, err := g.read(settled)
	if err != nil {
		return err
	}
	list, err := w.find(files)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range list {
		if c.expected == "" {
			continue
		}
		r, _ := w.rulesOf(c)
		expected, err := text(files, c)
		if err != nil {
			return err
		}
		var input []byte
		if r.looksAt("input") {
			if input, err = settings.ReadFile(files, c.input, maxInputBytes); err != nil {
				return err
			}
		}
		if lost := differ(r, string(input), expected, expected); lost != "" {
			errs = append(errs, settings.Wrong(settings.At("cases"), "%s would not count as right itself: %s", c.expected, lost))
		}
	}
	return errors.Join(errs...)
}

// rulesOf are the rules and the weight of a case.
func (w with) rulesOf(c found) (rules, float64) {
	r, weight := w.rules, 1.0
	if v, ok := w.Weights[c.group]; ok {
		weight = v
	}
	for _, e := range w.Each {
		if ok, _ := path.Match(e.Cases, c.name); !ok { // the pattern was checked
			continue
		}
		r = r.over(e.rules)
		if e.Weight > 0 {
			weight = e.Weight
		}
	}
	return r, weight
}

// must is for what has been checked before.
func must(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("fileio: encode %T: %v", v, err))
	}
	return data
}
