package challenges

import (
	"errors"
	"io/fs"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
)

// check applies the rules that a schema cannot express.
func (l *loader) check(ch *Challenge, folder string) {
	if folder != "." && folder != ch.ID {
		l.fail(at("id"), "id is %s, but the folder is %s; they must be the same", schemas.Quote(ch.ID), schemas.Quote(folder))
	}
	l.fileExists(Brief, nil)
	l.folderExists("starter", nil)
	l.folderExists(ch.Reference, at("reference"))
	l.scenarios(ch)
	l.control(ch)
	l.gates(ch)
	l.criteria(ch)
	l.fixtures(ch)
}

func (l *loader) fileExists(name string, where []any) {
	if info, err := fs.Stat(l.files, name); err != nil || !info.Mode().IsRegular() {
		l.fail(where, "there is no file %s in the challenge's folder", name)
	}
}

func (l *loader) folderExists(name string, where []any) {
	if info, err := fs.Stat(l.files, name); err != nil || !info.IsDir() {
		l.fail(where, "there is no folder %s in the challenge's folder", name)
	}
}

// unique refuses a second use of a name in a list.
func (l *loader) unique(seen map[string]bool, name string, where []any) {
	if seen[name] {
		l.fail(where, "%s is there twice", schemas.Quote(name))
	}
	seen[name] = true
}

func (l *loader) code(name string, where []any) {
	if message := checkCode(name); message != "" {
		l.fail(where, "%s", message)
	}
}

func (l *loader) scenarios(ch *Challenge) {
	seen, used := map[string]bool{}, map[string]bool{}
	reserved := slices.Concat(functionNames(), slices.Collect(maps.Keys(constants())), []string{
		"value", "reference", "not", "in", "and", "or", "true", "false", "nil", "let", "if", "else", "matches", "contains",
	})
	for i, s := range ch.Scenarios {
		l.unique(seen, s.ID, at("scenarios", i, "id"))
		if slices.Contains(reserved, s.ID) {
			l.fail(at("scenarios", i, "id"), "%s has a meaning in expressions; choose another id", schemas.Quote(s.ID))
		}
		kind, known := l.kinds[s.Workload]
		if !known {
			l.unknownMetrics = true
			l.fail(at("scenarios", i, "workload"), "there is no workload %s%s",
				schemas.Quote(s.Workload), schemas.Choices(s.Workload, slices.Collect(maps.Keys(l.kinds))))
		}
		for name, mode := range s.Modes {
			used[name] = true
			l.scenarioMode(ch, s, name, mode, kind, at("scenarios", i, "modes", name))
		}
	}
	for name := range ch.Modes {
		if !used[name] {
			l.fail(at("modes", name), "no scenario runs in mode %s", name)
		}
	}
}

func (l *loader) scenarioMode(ch *Challenge, s Scenario, name string, mode ScenarioMode, kind Kind, where []any) {
	if _, ok := ch.Modes[name]; !ok {
		l.fail(where, "mode %s is not among the modes of the challenge%s", name, schemas.Choices(name, slices.Collect(maps.Keys(ch.Modes))))
	}
	if s.Measured && mode.Pairs == 0 {
		l.fail(where, "a measured scenario needs pairs: how often candidate and reference alternate")
	}
	if !s.Measured && mode.Pairs != 0 {
		l.fail(append(where, "pairs"), "only a measured scenario has pairs; add measured: true or leave pairs out")
	}
	l.settings(s, mode, kind, where)
}

func (l *loader) control(ch *Challenge) {
	l.folderExists(ch.Control.Solution, at("control", "solution"))
	for i, code := range ch.Control.Codes {
		l.code(code, at("control", "codes", i))
	}
	i := slices.IndexFunc(ch.Scenarios, func(s Scenario) bool { return s.ID == ch.Control.Scenario })
	if i < 0 {
		l.fail(at("control", "scenario"), "there is no scenario %s%s",
			schemas.Quote(ch.Control.Scenario), schemas.Choices(ch.Control.Scenario, scenarioIDs(ch)))
		return
	}
	for _, mode := range slices.Sorted(maps.Keys(ch.Modes)) {
		if _, ok := ch.Scenarios[i].Modes[mode]; !ok {
			l.fail(at("control", "scenario"), "scenario %s does not run in mode %s, and the control is run in every mode", ch.Control.Scenario, mode)
		}
	}
}

func scenarioIDs(ch *Challenge) []string {
	ids := make([]string, 0, len(ch.Scenarios))
	for _, s := range ch.Scenarios {
		ids = append(ids, s.ID)
	}
	return ids
}

// scope is what expressions over metrics may name.
func (l *loader) scope(ch *Challenge) Scope {
	scope := Scope{Scenarios: map[string][]evidence.MetricDoc{}}
	for _, s := range ch.Scenarios {
		scope.Scenarios[s.ID] = l.kinds[s.Workload].Metrics
	}
	return scope
}

func (l *loader) gates(ch *Challenge) {
	seen := map[string]bool{}
	for i := range ch.Gates {
		g := &ch.Gates[i]
		for j, need := range g.Needs {
			if !seen[need] {
				l.fail(at("gates", i, "needs", j), "there is no gate %s above this one%s",
					schemas.Quote(need), schemas.Choices(need, slices.Collect(maps.Keys(seen))))
			}
		}
		l.unique(seen, g.ID, at("gates", i, "id"))
		if g.Code != "" {
			l.code(g.Code, at("gates", i, "code"))
		}
		l.placeholders(g.Lost, nil, at("gates", i, "lost"))
		where := at("gates", i, "when")
		g.WhenExpr = l.expression(CompileBool, g.When, l.scope(ch), where)
		l.runsInEveryMode(ch, g.WhenExpr, where)
	}
}

// runsInEveryMode refuses a gate that could not be judged in some mode: it would neither hold nor fail.
func (l *loader) runsInEveryMode(ch *Challenge, e *Expression, where []any) {
	if e == nil {
		return
	}
	for _, ref := range e.Metrics() {
		i := slices.Index(scenarioIDs(ch), ref.Scenario)
		for _, mode := range slices.Sorted(maps.Keys(ch.Modes)) {
			if _, runs := ch.Scenarios[i].Modes[mode]; !runs && !ref.Optional {
				l.fail(where, "scenario %s does not run in mode %s; say what holds then, e.g. (%s ?? 1)", ref.Scenario, mode, ref)
			}
		}
	}
}

// expression compiles one and places its error in the file.
func (l *loader) expression(compile func(string, Scope) (*Expression, error), source string, scope Scope, where []any) *Expression {
	if l.unknownMetrics && !scope.Compared {
		return nil
	}
	e, err := compile(source, scope)
	if err == nil {
		return e
	}
	var wrong *ExpressionError
	if errors.As(err, &wrong) {
		position := l.doc.TextAt(wrong.Offset, where...)
		l.problems = append(l.problems, l.doc.Problem(position, "%s", wrong.Message))
		return nil
	}
	l.fail(where, "%v", err)
	return nil
}

func (l *loader) criteria(ch *Challenge) {
	seen, gates := map[string]bool{}, map[string]bool{}
	for _, g := range ch.Gates {
		gates[g.ID] = true
	}
	total := 0.0
	for i := range ch.Criteria {
		c := &ch.Criteria[i]
		total += c.Points
		l.unique(seen, c.ID, at("criteria", i, "id"))
		for j, need := range c.Needs {
			if !gates[need] {
				l.fail(at("criteria", i, "needs", j), "there is no gate %s%s",
					schemas.Quote(need), schemas.Choices(need, slices.Collect(maps.Keys(gates))))
			}
		}
		l.judgements(ch, c, i)
		for key, text := range map[string]string{"kept": c.Says.Kept, "lost": c.Says.Lost, "why": c.Says.Why, "ask": c.Says.Ask} {
			l.placeholders(text, []string{"value", "reference", "ratio"}, at("criteria", i, "says", key))
		}
	}
	if math.Abs(total-100) > 1e-9 {
		where := l.doc.KeyAt("criteria")
		l.problems = append(l.problems, l.doc.Problem(where, "the points of the criteria add up to %v; they must add up to 100", total))
	}
}

// judgements compiles the expressions of a criterion.
func (l *loader) judgements(ch *Challenge, c *Criterion, i int) {
	c.ValueExpr = l.expression(CompileNumber, c.Value, l.scope(ch), at("criteria", i, "value"))
	compared := Scope{Compared: true}
	c.ScoreExpr = l.expression(CompileNumber, c.Score, compared, at("criteria", i, "score"))
	// A code may look at more than the criterion's own number: which kind of stall it was, for example.
	wide := l.scope(ch)
	wide.Compared = true
	for _, reserved := range []string{"value", "reference"} {
		delete(wide.Scenarios, reserved) // refused elsewhere; here it would only make a second, odd complaint
	}
	c.CodeExprs = map[string]*Expression{}
	for code, source := range c.Codes {
		where := at("criteria", i, "codes", code)
		if message := checkCode(code); message != "" {
			l.problems = append(l.problems, l.doc.Problem(l.doc.KeyAt(where...), "%s", message))
		}
		c.CodeExprs[code] = l.expression(CompileBool, source, wide, where)
		l.runsInEveryMode(ch, c.CodeExprs[code], where)
	}
	if c.ScoreExpr == nil {
		return
	}
	relative := c.ScoreExpr.usesReference
	if l.doc.Has("criteria", i, "relative") && c.Relative != relative {
		uses := map[bool]string{true: "compares with", false: "does not use"}[relative]
		l.fail(at("criteria", i, "relative"), "relative is %t, but score %s reference", c.Relative, uses)
	}
	c.Relative = relative
}

// placeholders refuses a {name} that nothing fills in.
func (l *loader) placeholders(text string, allowed []string, where []any) {
	for _, match := range regexp.MustCompile(`\{([^{}]*)\}`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(allowed, match[1]) {
			l.fail(where, "{%s} is not filled in here%s", match[1], schemas.Choices(match[1], allowed))
		}
	}
}

func (l *loader) fixtures(ch *Challenge) {
	seen := map[string]bool{}
	kinds := map[string]string{}
	for _, f := range ch.Fixtures {
		kinds[f.Name] = f.Kind
	}
	for i, f := range ch.Fixtures {
		l.unique(seen, f.Name, at("fixtures", i, "name"))
		l.folderExists(path.Join("solutions", f.Name), at("fixtures", i, "name"))
		switch twin, ok := kinds[f.Twin]; {
		case f.Kind == "gaming" && f.Twin == "":
			l.fail(at("fixtures", i), "a gaming fixture needs a twin: the honest one it is compared with")
		case f.Kind != "gaming" && f.Twin != "":
			l.fail(at("fixtures", i, "twin"), "only a gaming fixture has a twin")
		case f.Twin != "" && (!ok || twin == "gaming"):
			l.fail(at("fixtures", i, "twin"), "there is no honest fixture %s%s", schemas.Quote(f.Twin), schemas.Choices(f.Twin, honest(ch)))
		}
		for _, mode := range slices.Sorted(maps.Keys(f.Expect)) {
			l.expectation(ch, f.Expect[mode], mode, at("fixtures", i, "expect", mode))
		}
		for _, mode := range slices.Sorted(maps.Keys(ch.Modes)) {
			if f.Expected(mode).Verdict == "" {
				l.fail(at("fixtures", i, "expect"), `nothing is expected in mode %s; name it, or add "" for all other modes`, mode)
			}
		}
	}
}

func (l *loader) expectation(ch *Challenge, e Expectation, mode string, where []any) {
	if _, ok := ch.Modes[mode]; !ok && mode != "" {
		l.fail(where, "mode %s is not among the modes of the challenge%s", mode, schemas.Choices(mode, slices.Collect(maps.Keys(ch.Modes))))
	}
	if e.MinScore > e.MaxScore {
		l.fail(where, "minScore %v is above maxScore %v", e.MinScore, e.MaxScore)
	}
	for i, codes := range e.Codes {
		for _, code := range strings.Split(codes, "|") {
			l.code(code, append(slices.Clip(where), "codes", i))
		}
	}
}

// honest lists the fixtures that do not game.
func honest(ch *Challenge) []string {
	var names []string
	for _, f := range ch.Fixtures {
		if f.Kind != "gaming" {
			names = append(names, f.Name)
		}
	}
	return names
}
