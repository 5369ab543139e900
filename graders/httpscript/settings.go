package httpscript

import (
	_ "embed"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/condition"
	"github.com/assay-run/assay/graders/httpcheck"
	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/graders/stubs"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
)

//go:embed settings.schema.json
var ownSchema []byte

// SettingsSchema implements graders.Settings.
func (*Grader) SettingsSchema() []byte { return settingsSchema() }

// settingsSchema is the schema with the parts that are shared.
func settingsSchema() []byte { return httpcheck.SettingsSchema(ownSchema) }

// with is "with:" of a scenario.
type with struct {
	Steps     []step                    `json:"steps"`
	Env       map[string]string         `json:"env"`
	Heartbeat *beats                    `json:"heartbeat"`
	Upstreams map[string]stubs.Upstream `json:"upstreams"`
	Database  *backends.Settings        `json:"database"`
}

// beats is the heartbeat beside the steps.
type beats struct {
	Path string  `json:"path"`
	Hz   float64 `json:"hz"`
}

// step is one step as it is written. Exactly one of Request, Wait, Restart and Rounds is set.
type step struct {
	Name    string            `json:"name,omitempty"`
	Request string            `json:"request,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
	Within  string            `json:"within,omitempty"`
	Times   int               `json:"times,omitempty"`
	AtOnce  int               `json:"atOnce,omitempty"`
	Until   string            `json:"until,omitempty"`
	For     string            `json:"for,omitempty"`
	Capture map[string]string `json:"capture,omitempty"`
	Expect  *httpcheck.Expect `json:"expect,omitempty"`
	Weight  float64           `json:"weight,omitempty"`
	Code    string            `json:"code,omitempty"`
	Wait    string            `json:"wait,omitempty"`
	Restart string            `json:"restart,omitempty"`
	Rounds  int               `json:"rounds,omitempty"`
	Steps   []step            `json:"steps,omitempty"`
	// Round is the number of the round that the step is of; 0 outside of rounds.
	Round int `json:"round,omitempty"`
}

// Bounds beyond those of the schema.
const (
	maxSteps    = 1000 // with all rounds
	maxRequests = 5000
)

// Defaults.
const (
	defaultWithin = 5 * time.Second
	defaultFor    = 5 * time.Second
	maxWait       = time.Minute
	maxFor        = time.Minute
)

// what is the request of a step.
func (s *step) what() httpcheck.Request {
	return httpcheck.Request{Line: s.Request, Headers: s.Headers, Body: s.Body}
}

func (s *step) within() time.Duration { return settings.Duration(s.Within, defaultWithin) }
func (s *step) times() int            { return max(s.Times, 1) }
func (s *step) atOnce() int           { return min(max(s.AtOnce, 1), s.times()) }

func (s *step) weight() float64 {
	if s.Weight > 0 {
		return s.Weight
	}
	return 1
}

// read reads settings that fit the schema.
func read(settled map[string]any) (with, error) {
	var w with
	if err := settings.Decode(Name, settingsSchema(), settled, &w); err != nil {
		return with{}, err
	}
	if w.Heartbeat != nil {
		if w.Heartbeat.Path == "" {
			w.Heartbeat.Path = "/healthz"
		}
		if w.Heartbeat.Hz == 0 {
			w.Heartbeat.Hz = 100
		}
	}
	return w, nil
}

// unroll writes rounds out.
func unroll(steps []step) []step {
	var out []step
	for _, s := range steps {
		if s.Rounds == 0 {
			out = append(out, s)
			continue
		}
		for round := range s.Rounds {
			for _, inner := range unroll(s.Steps) {
				inner.Round = round + 1
				out = append(out, inner)
			}
			if len(out) > maxSteps {
				return out
			}
		}
	}
	return out
}

// Check implements graders.Grader.
func (*Grader) Check(settled map[string]any) error {
	w, err := read(settled)
	if err != nil {
		return err
	}
	c := checker{known: map[string]bool{}, captured: map[string]bool{}, named: map[string]bool{}}
	c.steps(w.Steps, settings.At("steps"), false)
	if !c.Failed() {
		all, requests := unroll(w.Steps), 0
		for _, s := range all {
			requests += s.times()
		}
		if len(all) > maxSteps || requests > maxRequests {
			c.Wrong(settings.At("steps"), "with all rounds and repetitions there are %d steps and %d requests; at most %d and %d are allowed", len(all), requests, maxSteps, maxRequests)
		}
	}
	return errors.Join(c.Err(), stubs.Check(w.Upstreams, settings.At("upstreams")))
}

// checker collects mistakes in steps.
type checker struct {
	httpcheck.Checker
	known    map[string]bool // captured so far
	captured map[string]bool // the same in the list of steps that is looked at
	named    map[string]bool // names of steps so far
}

func (c *checker) steps(list []step, at []any, inRound bool) {
	for i := range list {
		c.step(&list[i], httpcheck.Under(at, i), inRound)
	}
}

func (c *checker) step(s *step, at []any, inRound bool) {
	kinds := 0
	for _, set := range []bool{s.Request != "", s.Wait != "", s.Restart != "", s.Rounds > 0} {
		if set {
			kinds++
		}
	}
	if s.Name != "" && c.named[s.Name] {
		c.Wrong(httpcheck.Under(at, "name"), "there are two steps called %s; reports could not tell them apart", schemas.Quote(s.Name))
	}
	c.named[s.Name] = true
	switch {
	case kinds != 1:
		c.Wrong(at, "a step has exactly one of request, wait, restart and rounds; this one has %d of them", kinds)
	case s.Rounds > 0 && inRound:
		c.Wrong(httpcheck.Under(at, "rounds"), "rounds within rounds are not allowed")
	case s.Rounds > 0 && len(s.Steps) == 0:
		c.Wrong(at, "rounds need steps")
	case s.Rounds > 0:
		// A value may go from round to round: what was captured before the rounds may be captured anew in them.
		outside := c.captured
		c.captured = map[string]bool{}
		c.steps(s.Steps, httpcheck.Under(at, "steps"), true)
		maps.Copy(c.captured, outside)
	case len(s.Steps) > 0:
		c.Wrong(httpcheck.Under(at, "steps"), "steps are for rounds")
	case s.Wait != "" && settings.Duration(s.Wait, 0) > maxWait:
		c.Wrong(httpcheck.Under(at, "wait"), "%s is too long; at most %s is allowed", s.Wait, maxWait)
	case s.Request != "":
		c.request(s, at, inRound)
	default:
		if s.Expect != nil || s.Capture != nil || s.Until != "" {
			c.Wrong(at, "only a request has an answer to expect or capture something from")
		}
	}
}

func (c *checker) request(s *step, at []any, inRound bool) {
	if (s.Until != "") != (s.For != "") {
		c.Wrong(at, "until and for belong together: what is waited for, and how long at most")
	}
	if s.Until != "" && s.Times > 1 {
		c.Wrong(httpcheck.Under(at, "times"), "a request is repeated until something holds, or a number of times, not both")
	}
	if s.Expect != nil && s.Expect.All != "" && s.times() == 1 {
		c.Wrong(httpcheck.Under(at, "expect", "all"), "all judges the answers of a repeated request together: add times, or use that")
	}
	if settings.Duration(s.For, 0) > maxFor {
		c.Wrong(httpcheck.Under(at, "for"), "%s is too long; at most %s is allowed", s.For, maxFor)
	}
	if _, ok := evidence.LookupCode(s.Code); s.Code != "" && !ok {
		var codes []string
		for _, d := range evidence.Codes() {
			codes = append(codes, d.Code)
		}
		c.Wrong(httpcheck.Under(at, "code"), "%s is not a reason code%s; `assay codes` explains all", schemas.Quote(s.Code), schemas.Choices(s.Code, codes))
	}
	names := slices.Collect(maps.Keys(c.known))
	names = append(names, httpcheck.VarRun)
	if s.times() > 1 {
		names = append(names, httpcheck.VarI)
	}
	if inRound {
		names = append(names, httpcheck.VarRound)
	}
	c.Checker.Request(s.what(), at, names)
	vars := c.Vars(names)
	c.Expression(condition.Bool, s.Until, httpcheck.Under(at, "until"), vars)
	c.Expect(s.Expect, httpcheck.Under(at, "expect"), names)
	for _, name := range slices.Sorted(maps.Keys(s.Capture)) {
		if httpcheck.Reserved(name) {
			c.Wrong(httpcheck.Under(at, "capture", name), "%s has a meaning in expressions; choose another name", schemas.Quote(name))
		}
		if c.captured[name] {
			c.Wrong(httpcheck.Under(at, "capture", name), "%s is captured in a step above already; choose another name", schemas.Quote(name))
		}
		c.Expression(condition.Value, s.Capture[name], httpcheck.Under(at, "capture", name), vars)
	}
	for name := range s.Capture {
		c.known[name], c.captured[name] = true, true
	}
}

// CheckFiles implements graders.Settings.
func (*Grader) CheckFiles(settled map[string]any, files fs.FS) ([]string, error) {
	w, err := read(settled)
	if err != nil {
		return nil, err
	}
	var used []string
	err = readSchemas(w.Steps, settings.At("steps"), files, &used)
	name, dberr := w.Database.File(files)
	if dberr != nil {
		err = errors.Join(err, settings.Wrong(settings.At("database", "sql"), "%v", dberr))
	} else if name != "" {
		used = append(used, name)
	}
	return used, err
}

// readSchemas puts schemas that are files in their places, and notes their names.
func readSchemas(steps []step, at []any, files fs.FS, used *[]string) error {
	var errs []error
	for i := range steps {
		s := &steps[i]
		switch name, err := s.Expect.SchemaFile(files); {
		case err != nil:
			errs = append(errs, settings.Wrong(httpcheck.Under(at, i, "expect", "schema"), "%v", err))
		case name != "":
			*used = append(*used, name)
		}
		errs = append(errs, readSchemas(s.Steps, httpcheck.Under(at, i, "steps"), files, used))
	}
	return errors.Join(errs...)
}
