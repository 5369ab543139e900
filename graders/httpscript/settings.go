package httpscript

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/condition"
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
func settingsSchema() []byte {
	var s struct {
		Defs map[string]any `json:"$defs"`
	}
	var whole map[string]any
	if err := errors.Join(json.Unmarshal(ownSchema, &whole), json.Unmarshal(ownSchema, &s)); err != nil {
		panic(err) // it is part of the binary
	}
	maps.Copy(s.Defs, stubs.Defs())
	whole["$defs"] = s.Defs
	data, err := json.Marshal(whole)
	if err != nil {
		panic(err)
	}
	return data
}

// with is "with:" of a scenario.
type with struct {
	Steps     []step                    `json:"steps"`
	Env       map[string]string         `json:"env"`
	Heartbeat *beats                    `json:"heartbeat"`
	Upstreams map[string]stubs.Upstream `json:"upstreams"`
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
	Expect  *expect           `json:"expect,omitempty"`
	Weight  float64           `json:"weight,omitempty"`
	Code    string            `json:"code,omitempty"`
	Wait    string            `json:"wait,omitempty"`
	Restart string            `json:"restart,omitempty"`
	Rounds  int               `json:"rounds,omitempty"`
	Steps   []step            `json:"steps,omitempty"`
	// Round is the number of the round that the step is of; 0 outside of rounds.
	Round int `json:"round,omitempty"`
}

// expect is what an answer must be.
type expect struct {
	Status  any               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	JSON    any               `json:"json,omitempty"`
	Schema  any               `json:"schema,omitempty"`
	That    string            `json:"that,omitempty"`
	All     string            `json:"all,omitempty"`
}

// Bounds beyond those of the schema.
const (
	maxSteps    = 1000 // with all rounds
	maxRequests = 5000
	maxSchema   = 256 << 10 // bytes of a schema's file
)

// Defaults.
const (
	defaultWithin = 5 * time.Second
	defaultFor    = 5 * time.Second
	maxWait       = time.Minute
	maxFor        = time.Minute
)

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
	c := checker{known: map[string]bool{}}
	c.steps(w.Steps, settings.At("steps"), false)
	if len(c.errs) == 0 {
		all, requests := unroll(w.Steps), 0
		for _, s := range all {
			requests += s.times()
		}
		if len(all) > maxSteps || requests > maxRequests {
			c.wrong(settings.At("steps"), "with all rounds and repetitions there are %d steps and %d requests; at most %d and %d are allowed", len(all), requests, maxSteps, maxRequests)
		}
	}
	return errors.Join(errors.Join(c.errs...), stubs.Check(w.Upstreams, settings.At("upstreams")))
}

// checker collects mistakes in steps.
type checker struct {
	errs  []error
	known map[string]bool // captured so far
}

func (c *checker) wrong(at []any, format string, args ...any) {
	c.errs = append(c.errs, settings.Wrong(at, format, args...))
}

func under(at []any, steps ...any) []any { return append(slices.Clip(at), steps...) }

func (c *checker) steps(list []step, at []any, inRound bool) {
	for i := range list {
		c.step(&list[i], under(at, i), inRound)
	}
}

func (c *checker) step(s *step, at []any, inRound bool) {
	kinds := 0
	for _, set := range []bool{s.Request != "", s.Wait != "", s.Restart != "", s.Rounds > 0} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		c.wrong(at, "a step has exactly one of request, wait, restart and rounds; this one has %d of them", kinds)
	case s.Rounds > 0 && inRound:
		c.wrong(under(at, "rounds"), "rounds within rounds are not allowed")
	case s.Rounds > 0 && len(s.Steps) == 0:
		c.wrong(at, "rounds need steps")
	case s.Rounds > 0:
		c.steps(s.Steps, under(at, "steps"), true)
	case len(s.Steps) > 0:
		c.wrong(under(at, "steps"), "steps are for rounds")
	case s.Wait != "" && settings.Duration(s.Wait, 0) > maxWait:
		c.wrong(under(at, "wait"), "%s is too long; at most %s is allowed", s.Wait, maxWait)
	case s.Request != "":
		c.request(s, at, inRound)
	default:
		if s.Expect != nil || s.Capture != nil || s.Until != "" {
			c.wrong(at, "only a request has an answer to expect or capture something from")
		}
	}
}

func (c *checker) request(s *step, at []any, inRound bool) {
	if (s.Until != "") != (s.For != "") {
		c.wrong(at, "until and for belong together: what is waited for, and how long at most")
	}
	if s.Until != "" && s.Times > 1 {
		c.wrong(under(at, "times"), "a request is repeated until something holds, or a number of times, not both")
	}
	if settings.Duration(s.For, 0) > maxFor {
		c.wrong(under(at, "for"), "%s is too long; at most %s is allowed", s.For, maxFor)
	}
	if _, ok := evidence.LookupCode(s.Code); s.Code != "" && !ok {
		var codes []string
		for _, d := range evidence.Codes() {
			codes = append(codes, d.Code)
		}
		c.wrong(under(at, "code"), "%s is not a reason code%s", schemas.Quote(s.Code), schemas.Choices(s.Code, codes))
	}
	names := slices.Collect(maps.Keys(c.known))
	names = append(names, varRun)
	if s.times() > 1 {
		names = append(names, varI)
	}
	if inRound {
		names = append(names, varRound)
	}
	c.placeholders(s.Request, under(at, "request"), names)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		c.placeholders(s.Headers[name], under(at, "headers", name), names)
	}
	c.values(s.Body, under(at, "body"), names)
	vars := c.vars(names)
	c.expression(condition.Bool, s.Until, under(at, "until"), vars)
	if s.Expect != nil {
		c.expect(s, under(at, "expect"), names, vars)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Capture)) {
		if reserved(name) {
			c.wrong(under(at, "capture", name), "%s has a meaning in expressions; choose another name", schemas.Quote(name))
		}
		c.expression(condition.Value, s.Capture[name], under(at, "capture", name), vars)
	}
	for name := range s.Capture {
		c.known[name] = true
	}
}

func (c *checker) expect(s *step, at []any, names []string, vars map[string]any) {
	e := s.Expect
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		if pattern, ok := regular(e.Headers[name]); ok {
			if _, err := regexp.Compile(pattern); err != nil {
				c.wrong(under(at, "headers", name), "%s is not a regular expression: %v", schemas.Quote(pattern), err)
			}
			continue
		}
		c.placeholders(e.Headers[name], under(at, "headers", name), names)
	}
	c.values(e.JSON, under(at, "json"), names)
	c.expression(condition.Bool, e.That, under(at, "that"), vars)
	if e.All != "" {
		all := maps.Clone(vars)
		all["answers"] = []map[string]any{}
		c.expression(condition.Bool, e.All, under(at, "all"), all)
	}
	if inline, ok := e.Schema.(map[string]any); ok {
		if _, err := compileSchema(inline); err != nil {
			c.wrong(under(at, "schema"), "%v", err)
		}
	}
}

func (c *checker) expression(compile func(string, map[string]any) (*condition.Expression, error), source string, at []any, vars map[string]any) {
	if source == "" {
		return
	}
	var syntax *condition.SyntaxError
	if _, err := compile(source, vars); errors.As(err, &syntax) {
		c.errs = append(c.errs, &settings.Error{Path: at, Offset: syntax.Offset, Message: syntax.Message})
	}
}

// vars are the variables of an expression, with values of their types.
func (c *checker) vars(names []string) map[string]any {
	vars := answerVars(nil, nil, nil)
	for _, name := range names {
		vars[name] = any(nil)
	}
	return vars
}

// placeholders refuses a {{name}} that nothing fills in.
func (c *checker) placeholders(text string, at []any, known []string) {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(known, m[1]) {
			c.wrong(at, "{{%s}} is not captured in a step above%s", m[1], schemas.Choices(m[1], known))
		}
	}
}

// values does that for all texts of a JSON value.
func (c *checker) values(v any, at []any, known []string) {
	switch v := v.(type) {
	case string:
		c.placeholders(v, at, known)
	case []any:
		for i, item := range v {
			c.values(item, under(at, i), known)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c.values(v[key], under(at, key), known)
		}
	}
}

// CheckFiles implements graders.Settings.
func (*Grader) CheckFiles(settled map[string]any, files fs.FS) ([]string, error) {
	w, err := read(settled)
	if err != nil {
		return nil, err
	}
	var used []string
	err = schemaFiles(w.Steps, settings.At("steps"), func(e *expect, name string, at []any) error {
		if _, err := readSchema(files, name); err != nil {
			return settings.Wrong(at, "%v", err)
		}
		used = append(used, name)
		return nil
	})
	return used, err
}

// schemaFiles calls f with each schema that is a file.
func schemaFiles(steps []step, at []any, f func(e *expect, name string, at []any) error) error {
	var errs []error
	for i := range steps {
		s := &steps[i]
		if s.Expect != nil {
			if name, ok := s.Expect.Schema.(string); ok {
				errs = append(errs, f(s.Expect, name, under(at, i, "expect", "schema")))
			}
		}
		errs = append(errs, schemaFiles(s.Steps, under(at, i, "steps"), f))
	}
	return errors.Join(errs...)
}

// readSchema reads a JSON Schema from the challenge's folder.
func readSchema(files fs.FS, name string) (map[string]any, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%s is not a file of the challenge's folder; write it with / and without ..", schemas.Quote(name))
	}
	data, err := settings.ReadFile(files, name, maxSchema)
	if err != nil {
		return nil, err
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		return nil, fmt.Errorf("%s is not JSON: %w", name, err)
	}
	if _, err := compileSchema(schema); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return schema, nil
}

func compileSchema(schema map[string]any) (*schemas.Schema, error) {
	data, err := json.Marshal(schema)
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	compiled, err := schemas.Compile("answer.schema.json", data)
	if err != nil {
		line := strings.Join(strings.Fields(err.Error()), " ")
		return nil, errors.New(line)
	}
	return compiled, nil
}

// regular returns the regular expression of /…/.
func regular(text string) (string, bool) {
	if len(text) > 2 && strings.HasPrefix(text, "/") && strings.HasSuffix(text, "/") {
		return text[1 : len(text)-1], true
	}
	return "", false
}
