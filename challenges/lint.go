package challenges

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/assay-run/assay/internal/forms"
	"github.com/assay-run/assay/internal/schemas"
)

// maxListedFiles bounds how many unused files are named.
const maxListedFiles = 5

// Lint checks a challenge as Load does, and beyond that what makes it worth giving to somebody: that its solutions prove that it can
// tell good from bad, and that nothing lies around unused. A mistake is an error of type schemas.Problems.
func Lint(fsys fs.FS, dir string, kinds Kinds) (*Challenge, error) {
	l, ch, err := read(fsys, dir, kinds)
	if err != nil {
		return nil, err
	}
	l.lintFixtures(ch)
	l.lintScenarios(ch)
	l.lintBrief()
	l.lintManifests(ch, path.Clean(dir))
	l.lintFiles(ch)
	l.lintSettings(ch)
	if err := l.problems.OrNil(); err != nil {
		return nil, err
	}
	return Load(fsys, dir, kinds)
}

// failKey notes a mistake at the key of a value.
func (l *loader) failKey(key string, format string, args ...any) {
	l.problems = append(l.problems, l.doc.Problem(l.doc.KeyAt(key), format, args...))
}

// lintFixtures asks for solutions that show what the challenge can tell apart.
func (l *loader) lintFixtures(ch *Challenge) {
	kinds, names := map[string]bool{}, map[string]bool{}
	for _, f := range ch.Fixtures {
		kinds[f.Kind] = true
		names[path.Join("solutions", f.Name)] = true
	}
	if !kinds["reference"] {
		l.failKey("fixtures", "no fixture is the reference: add one of kind reference, with the score it must get")
	}
	if !kinds["flawed"] {
		l.failKey("fixtures", "no fixture is flawed: add a solution with a typical mistake and the reason codes it must get; a challenge that nobody fails proves nothing")
	}
	for _, folder := range []struct {
		name string
		at   []any
	}{{ch.Reference, at("reference")}, {ch.Control.Solution, at("control", "solution")}} {
		if !names[folder.name] {
			l.fail(folder.at, "%s is no fixture: name it under fixtures, with what it must get", folder.name)
		}
	}
	l.lintExpectations(ch)
	for _, folder := range l.solutionFolders() {
		if !names[folder] && folder != ch.Reference && folder != ch.Control.Solution {
			l.failKey("fixtures", "%s is no fixture: name it here, with what it must get", folder)
		}
	}
}

// lintExpectations refuses what no grading could fulfil, or what proves nothing.
func (l *loader) lintExpectations(ch *Challenge) {
	for i, f := range ch.Fixtures {
		for _, key := range slices.Sorted(maps.Keys(f.Expect)) {
			e, where := f.Expect[key], at("fixtures", i, "expect", key)
			switch {
			case e.Verdict == "pass" && e.MaxScore < ch.PassMark:
				l.fail(where, "verdict pass needs a score of %v (passMark), but maxScore is %v", ch.PassMark, e.MaxScore)
			case e.Verdict == "fail" && e.MinScore >= ch.PassMark:
				l.fail(where, "verdict fail needs a score below %v (passMark), but minScore is %v", ch.PassMark, e.MinScore)
			case f.Kind == "reference" && e.MinScore == 0:
				l.fail(where, "the reference needs a minScore, such as 90: what your own solution does not get, nobody can")
			}
		}
		if path.Join("solutions", f.Name) != ch.Control.Solution {
			continue
		}
		for _, mode := range slices.Sorted(maps.Keys(ch.Modes)) {
			codes := strings.Split(strings.Join(f.Expected(mode).Codes, "|"), "|")
			if !slices.ContainsFunc(codes, func(code string) bool { return slices.Contains(ch.Control.Codes, code) }) {
				l.fail(at("control", "codes"), "%s must get one of these as the control, but in mode %s its fixture must get none of them", f.Name, mode)
			}
		}
	}
}

// solutionFolders are the folders of solutions, as told by the files that describe one.
func (l *loader) solutionFolders() []string {
	var list []string
	l.walk("solutions", func(name string) {
		if base := path.Base(name); base == "assay.json" || base == "package.json" || base == forms.SolutionFile {
			list = append(list, path.Dir(name))
		}
	})
	slices.Sort(list)
	return slices.Compact(list)
}

// lintScenarios asks that every scenario is there for something.
func (l *loader) lintScenarios(ch *Challenge) {
	used := map[string]bool{}
	note := func(e *Expression) {
		if e != nil {
			for _, ref := range e.Metrics() {
				used[ref.Scenario] = true
			}
		}
	}
	for _, g := range ch.Gates {
		note(g.WhenExpr)
	}
	for _, c := range ch.Criteria {
		note(c.ValueExpr)
		for _, e := range c.CodeExprs {
			note(e)
		}
	}
	for i, s := range ch.Scenarios {
		if !used[s.ID] && len(l.problems) == 0 { // what could not be read may be what uses it
			l.fail(at("scenarios", i, "id"), "no gate and no criterion looks at scenario %s", s.ID)
		}
	}
}

func (l *loader) lintBrief() {
	const least = 100
	if data, err := fs.ReadFile(l.files, Brief); err == nil && len(strings.TrimSpace(string(data))) < least {
		l.problems = append(l.problems, schemas.Problem{
			File: path.Join(path.Dir(l.doc.File), Brief), Position: schemas.Position{Line: 1, Column: 1},
			Message: "the brief says almost nothing: write what is asked, with an example, and how it is graded",
		})
	}
}

// lintManifests checks that starter and solutions are for this challenge.
func (l *loader) lintManifests(ch *Challenge, dir string) {
	shape, err := schemas.Load(schemas.Assay)
	if err != nil {
		l.problems = append(l.problems, l.doc.Problem(l.doc.At(), "%v", err))
		return
	}
	check := func(name string) {
		if path.Base(name) != "assay.json" {
			return
		}
		data, err := readBounded(l.files, name, maxManifestBytes)
		if err != nil {
			l.problems = append(l.problems, l.doc.Problem(l.doc.At(), "%s cannot be read: %v", name, err))
			return
		}
		doc, err := schemas.ParseJSON(path.Join(dir, name), data)
		if err == nil {
			err = shape.Check(doc)
		}
		var problems schemas.Problems
		if errors.As(err, &problems) {
			l.note(problems...)
			return
		}
		if id, ok := field(doc.Value, "challenge").(string); ok && id != ch.ID {
			l.note(doc.Problem(doc.At("challenge"), "it is for challenge %s, and this is %s", schemas.Quote(id), schemas.Quote(ch.ID)))
		}
		if entry := entryFile(doc.Value); entry != "" && !l.hasFile(path.Join(path.Dir(name), entry)) {
			l.note(doc.Problem(doc.At("start"), "there is no file %s in %s, and nothing builds it", schemas.Quote(entry), path.Dir(name)))
		}
	}
	l.walk("starter", check)
	l.walk("solutions", check)
}

// entryFile is the file that a manifest starts with Node, "" where that cannot be said: a build may make it, or options may come first.
func entryFile(manifest any) string {
	start, _ := field(manifest, "start").([]any)
	if field(manifest, "build") != nil || len(start) < 2 || start[0] != "node" {
		return ""
	}
	entry, _ := start[1].(string)
	if ending := path.Ext(entry); strings.HasPrefix(entry, "-") || path.IsAbs(entry) || !slices.Contains([]string{".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"}, ending) {
		return ""
	}
	return entry
}

func (l *loader) hasFile(name string) bool {
	info, err := fs.Stat(l.files, path.Clean(name))
	return err == nil && info.Mode().IsRegular()
}

func field(v any, name string) any {
	m, _ := v.(map[string]any)
	return m[name]
}

// lintFiles asks that every file is there for something.
func (l *loader) lintFiles(ch *Challenge) {
	if len(l.problems) > 0 {
		return // scenarios that could not be read may be what uses them
	}
	var unused []string
	l.walk(".", func(name string) {
		top, _, _ := strings.Cut(name, "/")
		switch {
		case top == "starter", top == "solutions", top == Manifest, strings.HasPrefix(path.Base(name), "."), strings.EqualFold(path.Ext(name), ".md"):
		case !slices.Contains(ch.Used, name):
			unused = append(unused, name)
		}
	})
	for i, name := range unused {
		if i == maxListedFiles {
			l.failKey("scenarios", "and %d more files are used by no scenario", len(unused)-i)
			return
		}
		l.failKey("scenarios", "no scenario uses the file %s; name its folder in a scenario, or remove it", name)
	}
}

// lintSettings lets workloads look closer at settings in which nothing is wrong so far.
func (l *loader) lintSettings(ch *Challenge) {
	if len(l.problems) > 0 {
		return
	}
	for i, s := range ch.Scenarios {
		look := l.kinds[s.Workload].Lint
		if look == nil {
			continue
		}
		for _, mode := range slices.Sorted(maps.Keys(s.Modes)) {
			if err := look(s.Modes[mode].With, l.files); err != nil {
				l.setting(l.settingsOf(at("scenarios", i, "modes", mode)), s.Workload, err)
			}
		}
	}
}

// walk calls f with every file below dir. What cannot be read is told elsewhere.
func (l *loader) walk(dir string, f func(name string)) {
	_ = fs.WalkDir(l.files, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == "node_modules" {
			return fs.SkipDir
		}
		if !entry.IsDir() {
			f(name)
		}
		return nil
	})
}
