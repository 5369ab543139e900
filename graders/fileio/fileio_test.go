package fileio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
	"github.com/assay-run/assay/internal/workload"
)

// pod plays submissions that are functions.
type pod struct {
	stdin   string // folder of the standard inputs
	paths   workload.Paths
	program func(c workload.Command, input string) (output string, e evidence.Execution)
	seen    []workload.Command
}

func (p *pod) Paths() workload.Paths      { return p.paths }
func (*pod) Report(workload.Progress)     {}
func (p *pod) ClearOutput() error         { return nil }
func (p *pod) read(name string) []byte    { data, _ := os.ReadFile(name); return data }
func (*process) Started() time.Time       { return time.Time{} }
func (*process) Done() <-chan struct{}    { return nil }
func (*process) Kill() error              { return nil }
func (*process) Stolen() []workload.Pause { return nil }
func (*process) ReadBytes() int64         { return 0 }

func (*process) Began(_, _, _ time.Time) (time.Time, bool) { return time.Time{}, false }

func (p *pod) ReadOutput(name string, limit int64) evidence.File {
	data, err := os.ReadFile(filepath.Join(p.paths.Out, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return evidence.File{Name: name, State: evidence.FileMissing}
	case int64(len(data)) > limit:
		return evidence.File{Name: name, State: evidence.FileTooLarge, Bytes: int64(len(data))}
	}
	return evidence.File{Name: name, State: evidence.FileOK, Bytes: int64(len(data)), Content: string(data)}
}

func (p *pod) Start(_ context.Context, c workload.Command) (workload.Process, error) {
	p.seen = append(p.seen, c)
	input, out := "", ""
	if c.Stdin != "" {
		input = string(p.read(filepath.Join(p.stdin, c.Stdin)))
	}
	for _, text := range slices.Concat(c.Args, slices.Collect(maps.Values(c.Env))) {
		switch filepath.Dir(text) {
		case p.paths.Data:
			input = string(p.read(text))
		case p.paths.Out:
			out = text
		}
	}
	output, e := p.program(c, input)
	e.Name = c.Name
	if e.Exit.Status == "" {
		e.Exit.Status = evidence.Exited
	}
	if e.DurationNs == 0 {
		e.DurationNs = 5e7
	}
	e.Usage.MemoryPeakBytes = 40 << 20
	if out == "" {
		kept := min(int64(len(output)), c.OutputBytes)
		e.Stdout = evidence.Log{Text: output[:kept], Bytes: int64(len(output)), Dropped: int64(len(output)) - kept}
	} else if output != "none" {
		if err := os.WriteFile(out, []byte(output), 0o644); err != nil {
			return nil, err
		}
	}
	return &process{e}, nil
}

type process struct{ e evidence.Execution }

func (p *process) Wait(context.Context) (evidence.Execution, error) { return p.e, nil }

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func upperCases() fstest.MapFS {
	return fstest.MapFS{
		"cases/samples/1.in": file("ada\n"), "cases/samples/1.out": file("ADA\n"),
		"cases/edge/empty.in": file(""), "cases/edge/empty.out": file(""),
		"cases/plain/in.txt": file("x"), "cases/plain/out.txt": file("X\n"),
		"cases/README.md": file("what these are"),
	}
}

func upper(_ workload.Command, input string) (string, evidence.Execution) {
	return strings.ToUpper(input), evidence.Execution{Usage: evidence.Usage{CPUNs: 1e7}}
}

// judged prepares, drives and measures; everything goes through its stored form.
func judged(t *testing.T, g *Grader, with map[string]any, files fs.FS, program func(workload.Command, string) (string, evidence.Execution)) (evidence.Measures, *pod) {
	t.Helper()
	require.NoError(t, g.Check(with))
	prepared, err := g.Prepare(t.Context(), graders.Preparation{
		Scenario: "main", With: with, Seed: bytes.Repeat([]byte{1}, 32), Timeout: time.Minute, CacheDir: t.TempDir(), Files: files,
		MemoryBytes: 256 << 20,
	})
	require.NoError(t, err)
	defer prepared.Release()
	p := &pod{stdin: prepared.StdinDir, paths: workload.Paths{Data: prepared.DataDir, Out: t.TempDir()}, program: program}
	executions, err := g.Drive(t.Context(), p, prepared.Params)
	require.NoError(t, err)
	m, err := g.Measure(evidence.Run{Scenario: "main", Executions: executions}, prepared.Truth)
	require.NoError(t, err)
	assertDocumented(t, g, m)
	return m, p
}

func assertDocumented(t *testing.T, g *Grader, m evidence.Measures) {
	t.Helper()
	known := map[string]bool{}
	for _, d := range g.Metrics() {
		known[d.Name] = true
	}
	for name := range m.Values {
		assert.True(t, known[name], "%s is not documented", name)
	}
}

func codes(m evidence.Measures) []string {
	list := []string{}
	for _, f := range m.Findings {
		list = append(list, f.Code)
	}
	return list
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	ends := func(x evidence.Exit, cpu int64) func(workload.Command, string) (string, evidence.Execution) {
		return func(c workload.Command, input string) (string, evidence.Execution) {
			if input == "" {
				return "", evidence.Execution{Exit: x, DurationNs: 2e9, Usage: evidence.Usage{CPUNs: cpu}}
			}
			return upper(c, input)
		}
	}
	for _, tt := range []struct {
		name                        string
		program                     func(workload.Command, string) (string, evidence.Execution)
		codes                       []string
		right, edge, timeout, crash float64
		lost                        string
	}{
		{"good", upper, []string{}, 1, 1, 0, 0, ""},
		{"wrong", func(_ workload.Command, in string) (string, evidence.Execution) { return in, evidence.Execution{} }, []string{"WRONG_OUTPUT"}, 1.0 / 3, 1, 0, 0, `Line 1 is "ada", expected "ADA".`},
		{"computes on many cores", ends(evidence.Exit{Status: evidence.CPULimit, Code: 137}, 22e8), []string{"SLOW"}, 2.0 / 3, 0, 1, 0, "It was not done when it had computed for 2.2 s."},
		{"slow", ends(evidence.Exit{Status: evidence.TimedOut, Code: 137}, 19e8), []string{"SLOW"}, 2.0 / 3, 0, 1, 0, "It was not done within 2s; it computed for 1.9 s of that."},
		{"slow, on a core that others have", func(c workload.Command, input string) (string, evidence.Execution) {
			return "", evidence.Execution{Exit: evidence.Exit{Status: evidence.TimedOut}, DurationNs: 2e9, Usage: evidence.Usage{CPUNs: 6e8, RunDelayNs: 13e8}}
		}, []string{"SLOW"}, 0, 0, 3, 0, ""},
		{"hangs", ends(evidence.Exit{Status: evidence.TimedOut, Code: 137}, 1e8), []string{"HANG"}, 2.0 / 3, 0, 1, 0, "it waited for something"},
		{"crashes", ends(evidence.Exit{Status: evidence.Exited, Code: 3}, 1e8), []string{"CRASH"}, 2.0 / 3, 0, 0, 1, "exit code 3"},
		{"out of memory", ends(evidence.Exit{Status: evidence.OOMKilled, Code: 137}, 1e8), []string{"OOM_CGROUP"}, 2.0 / 3, 0, 0, 1, "memory limit"},
		{"floods", func(workload.Command, string) (string, evidence.Execution) {
			return strings.Repeat("x", 9<<20), evidence.Execution{}
		}, []string{"WRONG_OUTPUT"}, 0, 0, 0, 0, "many times what is expected"},
	} {
		for _, g := range []*Grader{NewStdio(), NewFiles()} {
			t.Run(tt.name+" "+g.Name(), func(t *testing.T) {
				t.Parallel()
				m, p := judged(t, g, map[string]any{"time": "2s"}, upperCases(), tt.program)
				assert.Equal(t, tt.codes, codes(m), "%+v", m.Findings)
				assert.InDelta(t, tt.right, m.Values["cases.right"], 1e-9)
				assert.InDelta(t, tt.edge, m.Values["edge.right"], 1e-9)
				assert.InDelta(t, tt.timeout, m.Values["cases.timeout"], 0)
				assert.InDelta(t, tt.crash, m.Values["cases.crashed"], 0)
				assert.NotContains(t, m.Values, "large.right", "there are none")
				assert.Len(t, m.Cases, 3)
				if tt.lost != "" {
					assert.True(t, slices.ContainsFunc(m.Cases, func(c evidence.Case) bool { return strings.Contains(c.Detail, tt.lost) }), "%+v", m.Cases)
				}
				_, clean := m.Values["cpu.total"]
				assert.Equal(t, tt.timeout+tt.crash == 0, clean, "absent unless every program ended well")
				for _, c := range p.seen {
					assert.Equal(t, 2*time.Second, c.Timeout)
					assert.Positive(t, c.OutputBytes)
				}
			})
		}
	}
}

func TestNoOutputFile(t *testing.T) {
	t.Parallel()
	m, _ := judged(t, NewFiles(), nil, upperCases(), func(workload.Command, string) (string, evidence.Execution) { return "none", evidence.Execution{} })
	assert.Equal(t, []string{"WRONG_OUTPUT"}, codes(m))
	assert.Contains(t, m.Findings[0].Detail, "3 of 3 cases. The first, edge/empty: It did not write the output file.")
}

// TestMixtures has programs that read a file and write standard output, the other way round, and names in the environment.
func TestMixtures(t *testing.T) {
	t.Parallel()
	m, p := judged(t, NewFiles(), map[string]any{"args": []any{"{input}"}}, upperCases(), upper)
	assert.InDelta(t, 1, m.Values["cases.right"], 0, "%+v", m.Cases)
	assert.Empty(t, p.seen[0].Stdin)
	assert.Len(t, p.seen[0].Args, 1)

	m, p = judged(t, NewStdio(), map[string]any{"args": []any{"--out", "{output}"}}, upperCases(), upper)
	assert.InDelta(t, 1, m.Values["cases.right"], 0, "%+v", m.Cases)
	assert.NotEmpty(t, p.seen[0].Stdin)

	m, p = judged(t, NewFiles(), map[string]any{"args": []any{"run"}, "env": map[string]any{"INPUT_PATH": "{input}"}}, upperCases(), upper)
	assert.InDelta(t, 1, m.Values["cases.right"], 0, "%+v", m.Cases)
	assert.True(t, strings.HasSuffix(p.seen[0].Env["INPUT_PATH"], "001.in"))
	assert.Equal(t, []string{"run"}, p.seen[0].Args)
}

// TestTimeUsedUp leaves cases out when the scenario has no time left for them.
func TestTimeUsedUp(t *testing.T) {
	t.Parallel()
	g := NewStdio()
	prepared, err := g.Prepare(t.Context(), graders.Preparation{CacheDir: t.TempDir(), Files: upperCases(), Timeout: 300 * time.Millisecond})
	require.NoError(t, err)
	defer prepared.Release()
	p := &pod{stdin: prepared.StdinDir, program: func(c workload.Command, in string) (string, evidence.Execution) {
		time.Sleep(200 * time.Millisecond)
		return upper(c, in)
	}}
	executions, err := g.Drive(t.Context(), p, prepared.Params)
	require.NoError(t, err)
	assert.Len(t, executions, 1)
	m, err := g.Measure(evidence.Run{Scenario: "main", Executions: executions}, prepared.Truth)
	require.NoError(t, err)
	assert.InDelta(t, 2, m.Values["cases.wrong"], 0)
	assert.Contains(t, m.Cases[1].Detail, "It was not run")
	assert.Empty(t, m.Findings, "what was not run shows nothing")
	_, err = g.Measure(evidence.Run{Scenario: "main", Executions: []evidence.Execution{{Name: "other"}}}, prepared.Truth)
	require.Error(t, err)
}

// TestExpectedStaysOnTheHost holds that the driver is told nothing of what is expected.
func TestExpectedStaysOnTheHost(t *testing.T) {
	t.Parallel()
	for _, g := range []*Grader{NewStdio(), NewFiles()} {
		files := fstest.MapFS{"cases/a.in": file("question"), "cases/a.out": file("the-secret-answer")}
		prepared, err := g.Prepare(t.Context(), graders.Preparation{CacheDir: t.TempDir(), Files: files, Timeout: time.Minute})
		require.NoError(t, err)
		assert.NotContains(t, string(prepared.Params), "secret")
		assert.Contains(t, string(prepared.Truth), "secret")
		assert.Equal(t, g.files(), prepared.DataDir != "", "what is standard input is not mounted")
		require.NoError(t, filepath.WalkDir(prepared.DataDir+prepared.StdinDir, func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				data, err := os.ReadFile(name)
				require.NoError(t, err)
				assert.Equal(t, "question", string(data))
			}
			return err
		}))
		prepared.Release()
	}
}

func TestExceptions(t *testing.T) {
	t.Parallel()
	files := upperCases()
	with := map[string]any{
		"weights": map[string]any{"samples": 2.0}, "args": []any{"--all"}, "env": map[string]any{"MODE": "x"},
		"each": []any{map[string]any{"cases": "edge/*", "weight": 5.0, "time": "7s", "args": []any{"--edge"}}},
	}
	m, p := judged(t, NewStdio(), with, files, upper)
	assert.Equal(t, []float64{5, 1, 2}, []float64{m.Cases[0].Weight, m.Cases[1].Weight, m.Cases[2].Weight})
	assert.Equal(t, []string{"--edge"}, p.seen[0].Args)
	assert.Equal(t, 7*time.Second, p.seen[0].Timeout)
	assert.Equal(t, []string{"--all"}, p.seen[1].Args)
	assert.Equal(t, map[string]string{"MODE": "x"}, p.seen[1].Env)
}

// TestExceptionsFromACheck have another comparison: the expression around them is left aside, and its bounds with it.
func TestExceptionsFromACheck(t *testing.T) {
	t.Parallel()
	check := "len(trim(output)) == len(trim(input)) and output != input"
	for _, with := range []map[string]any{
		{"compare": "check", "check": check, "each": []any{map[string]any{"cases": "edge/*", "compare": "text"}}},
		{"check": check, "each": []any{map[string]any{"cases": "samples/*", "compare": "check"}, map[string]any{"cases": "plain", "compare": "check"}}},
	} {
		m, _ := judged(t, NewStdio(), with, upperCases(), upper)
		assert.InDelta(t, 1, m.Values["cases.right"], 0)
		m, _ = judged(t, NewStdio(), with, upperCases(), func(_ workload.Command, input string) (string, evidence.Execution) {
			return input, evidence.Execution{}
		})
		assert.InDelta(t, 1.0/3, m.Values["cases.right"], 1e-9, "only the empty one is right")
	}
	w, err := NewStdio().read(map[string]any{"compare": "check", "check": check, "each": []any{map[string]any{"cases": "*", "compare": "text"}}})
	require.NoError(t, err)
	r, _ := w.rulesOf(found{name: "a"})
	assert.False(t, r.looksAt("input"))
}

func TestLintFiles(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"cases/a.in": file("3\n"), "cases/a.out": file("6\n"), "cases/b.in": file("4\n"), "cases/b.out": file("9\n"), "cases/c.in": file("1")}
	with := map[string]any{"compare": "check", "check": "int(trim(output)) == 2 * int(trim(input))"}
	_, err := NewStdio().CheckFiles(with, files)
	require.NoError(t, err)
	err = NewStdio().LintFiles(with, files)
	require.ErrorContains(t, err, `with.cases: cases/b.out would not count as right itself: The check of the challenge does not accept the output`)
	assert.NotContains(t, err.Error(), "a.out")
	require.ErrorContains(t, NewStdio().LintFiles(map[string]any{"compare": "json"}, fstest.MapFS{"cases/a.in": file(""), "cases/a.out": file("{")}), "is not JSON")
	require.NoError(t, NewStdio().LintFiles(nil, upperCases()))
}

func TestRole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rel, name string
		input, ok bool
	}{
		{"1.in", "1", true, true}, {"1.out", "1", false, true}, {"1.ans", "1", false, true}, {"a/1.expected", "a/1", false, true},
		{"one/in.txt", "one", true, true}, {"samples/one/output.json", "samples/one", false, true}, {"one/in", "one", true, true},
		{"in/one.txt", "one", true, true}, {"out/one.json", "one", false, true}, {"samples/in/2.csv", "samples/2", true, true},
		{"notes.txt", "", false, false}, {"in.txt", "", false, false}, {"a/b.txt", "", false, false}, {".in", "", false, false},
	} {
		name, input, ok := role(tt.rel)
		assert.Equal(t, tt.ok, ok, tt.rel)
		if ok {
			assert.Equal(t, tt.name, name, tt.rel)
			assert.Equal(t, tt.input, input, tt.rel)
		}
	}
}

func TestDiffer(t *testing.T) {
	t.Parallel()
	half := 0.5
	for _, tt := range []struct {
		rules                   rules
		input, output, expected string
		lost                    string
	}{
		{rules{Compare: "exact"}, "", "a\n", "a\n", ""},
		{rules{Compare: "exact"}, "", "a", "a\n", "white space"},
		{rules{Compare: "exact"}, "", "b\n", "a\n", `Line 1 is "b", expected "a".`},
		{rules{Compare: "text"}, "", "a  \r\nb\n\n\n", "a\nb", ""},
		{rules{Compare: "text"}, "", " a", "a", `Line 1 is " a"`},
		{rules{Compare: "text"}, "", "a\n\nb", "a\nb", `Line 2 is ""`},
		{rules{Compare: "text"}, "", "", "a", "The output is empty."},
		{rules{Compare: "text"}, "", "a\nb\nc", "a\nb", "It has 3 lines, expected 2."},
		{rules{Compare: "tokens"}, "", "1\n2   3", "1 2 3\n", ""},
		{rules{Compare: "tokens"}, "", "1 2", "1 3", `Word 2 is "2", expected "3".`},
		{rules{Compare: "tokens"}, "", "1.0", "1", `Word 1`},
		{rules{Compare: "numbers"}, "", "1.0 yes 0.33333334", "1 yes 0.3333333333", ""},
		{rules{Compare: "numbers"}, "", "1.1", "1", `Word 1 is "1.1"`},
		{rules{Compare: "numbers", Tolerance: &half}, "", "149 0.4", "100 0", ""},
		{rules{Compare: "numbers", Tolerance: &half}, "", "151", "100", "Word 1"},
		{rules{Compare: "numbers"}, "", "nan", "1", "Word 1"},
		{rules{Compare: "numbers", Tolerance: &half}, "", "0x1p0 inf 1_0", "1 1 10", "Word 1"},
		{rules{Compare: "lines"}, "", "b\na\n", "a\nb", ""},
		{rules{Compare: "lines"}, "", "a\na", "a\nb", "The line \"a\" is not expected, or not as often."},
		{rules{Compare: "lines"}, "", "a", "a\nb", "The line \"b\" is missing."},
		{rules{Compare: "json"}, "", ` {"b": [1.0], "a": null}`, `{"a":null,"b":[1]}`, ""},
		{rules{Compare: "json"}, "", `{"a":1,"c":2}`, `{"a":1}`, `$ has "c", which is not expected.`},
		{rules{Compare: "json"}, "", `{}`, `{"a":1}`, `$ has no "a".`},
		{rules{Compare: "json"}, "", `{"a":[1,2]}`, `{"a":[1,3]}`, `$.a[1] is 2, expected 3.`},
		{rules{Compare: "json"}, "", `{"a":[1]}`, `{"a":[1,3]}`, `$.a has 1 entries, expected 2.`},
		{rules{Compare: "json"}, "", `[] x`, `[]`, "not JSON"},
		{rules{Compare: "json"}, "", `9007199254740993`, `9007199254740993`, ""},
		{rules{Compare: "check", Check: `int(trim(output)) * 2 == int(trim(input))`}, "8\n", "4\n", "", ""},
		{rules{Compare: "check", Check: `int(trim(output)) * 2 == int(trim(input))`}, "8\n", "5\n", "", "The check of the challenge does not accept the output, which begins with \"5 \"."},
		{rules{Compare: "check", Check: `int(trim(output)) * 2 == int(trim(input))`}, "8\n", "many", "", "does not have the form"},
	} {
		lost := differ(tt.rules, tt.input, tt.output, tt.expected)
		if tt.lost == "" {
			assert.Empty(t, lost, "%+v", tt)
			continue
		}
		assert.Contains(t, lost, tt.lost, "%+v", tt)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		g    *Grader
		with map[string]any
		want string
	}{
		"unknown":          {NewStdio(), map[string]any{"case": "x"}, `unknown key "case"; did you mean cases?`},
		"compare":          {NewStdio(), map[string]any{"compare": "token"}, "did you mean tokens?"},
		"check missing":    {NewStdio(), map[string]any{"compare": "check"}, "with.compare: compare: check needs the expression"},
		"check unused":     {NewStdio(), map[string]any{"check": "true"}, "with.check: the expression is used with compare: check only"},
		"check wrong":      {NewStdio(), map[string]any{"compare": "check", "check": "outptu == expected"}, "with.check: unknown name outptu"},
		"check no bool":    {NewStdio(), map[string]any{"compare": "check", "check": "len(output)"}, "with.check: it must be true or false"},
		"args of stdin":    {NewStdio(), map[string]any{"args": []any{"{input}"}}, "with.args: {input} is for file-in-file-out"},
		"args of a file":   {NewFiles(), map[string]any{"args": []any{"{output}"}}, "with.args: {input}, the path of the input file, must be in the arguments"},
		"pattern":          {NewStdio(), map[string]any{"each": []any{map[string]any{"cases": "[", "weight": 1.0}}}, "with.each[0].cases"},
		"time":             {NewStdio(), map[string]any{"time": "2"}, "expected the time limit of one case"},
		"check of nothing": {NewStdio(), map[string]any{"compare": "check", "check": "expected != input"}, "with.check: the expression never looks at output"},
		"exception unused": {NewStdio(), map[string]any{"each": []any{map[string]any{"cases": "a", "compare": "tokens", "check": "output == ''"}}}, "with.each[0].check: the expression is used with compare: check only"},
		"check place":      {NewStdio(), map[string]any{"compare": "check", "check": "output == == expected"}, `with.check: "==" is not expected here (character 11, at "== expected")`},
		"check near":       {NewStdio(), map[string]any{"compare": "check", "check": "integer(output) == 3"}, "with.check: unknown name integer; there are expected, input, output, and the functions of the language"},
		"time number":      {NewStdio(), map[string]any{"time": 2.0}, "time is 2 (a number) instead of text: add a unit, 2s; expected the time limit of one case"},
		"exception wrong":  {NewStdio(), map[string]any{"each": []any{map[string]any{"cases": "a", "check": "true"}}}, "with.each[0].check"},
	} {
		err := tt.g.Check(tt.with)
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), tt.want, name)
	}
	for _, with := range []map[string]any{nil, {}, {"compare": "check", "check": "output matches '^[a-z]+$'"}} {
		require.NoError(t, NewStdio().Check(with))
	}
	require.NoError(t, NewFiles().Check(map[string]any{"args": []any{"--in={input}", "--out={output}"}}))
}

func TestCheckFiles(t *testing.T) {
	t.Parallel()
	used, err := NewStdio().CheckFiles(nil, upperCases())
	require.NoError(t, err)
	slices.Sort(used)
	assert.Equal(t, []string{"cases/edge/empty.in", "cases/edge/empty.out", "cases/plain/in.txt", "cases/plain/out.txt", "cases/samples/1.in", "cases/samples/1.out"}, used)
	for name, tt := range map[string]struct {
		files fstest.MapFS
		with  map[string]any
		want  string
	}{
		"no folder": {fstest.MapFS{}, nil, "there is no folder cases"},
		"no cases":  {fstest.MapFS{"cases/README.md": file("")}, nil, "the folder cases has no cases"},
		"no output": {fstest.MapFS{"cases/a.in": file("")}, nil, `case "a" has an input, cases/a.in, but no expected output`},
		"no input":  {fstest.MapFS{"cases/a.out": file("")}, nil, `case "a" has an expected output, cases/a.out, but no input`},
		"twice":     {fstest.MapFS{"cases/a.in": file(""), "cases/a/in.txt": file(""), "cases/a.out": file("")}, nil, `case "a" is there twice`},
		"no case":   {fstest.MapFS{"cases/a.txt": file("")}, nil, "cases/a.txt belongs to no case"},
		"each":      {upperCases(), map[string]any{"each": []any{map[string]any{"cases": "edgy/*", "weight": 2.0}}}, `"edgy/*" fits no case`},
	} {
		_, err := NewStdio().CheckFiles(tt.with, tt.files)
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), tt.want, name)
	}
	_, err = NewStdio().CheckFiles(map[string]any{"each": []any{map[string]any{"cases": "{samples,edge}/*", "weight": 2.0}}}, upperCases())
	require.ErrorContains(t, err, "there is no {a,b}")
	large := fstest.MapFS{"cases/a.in": file(strings.Repeat("x", maxInputBytes+1)), "cases/a.out": file(strings.Repeat("x", maxExpectedBytes+1)), "cases/b.in": file(""), "cases/b.out": file("\xff")}
	_, err = NewStdio().CheckFiles(map[string]any{"compare": "check", "check": "output != input"}, large)
	require.ErrorContains(t, err, "cases/a.in has 16384 KiB; at most 16384 KiB are allowed for an input")
	for _, name := range []string{"cases/c", "cases/d", "cases/e"} {
		large[name+".in"], large[name+".out"] = file(strings.Repeat("x", maxInputBytes)), file("")
	}
	_, err = NewStdio().CheckFiles(map[string]any{"compare": "check", "check": "output != input"}, large)
	require.ErrorContains(t, err, "the inputs that a check looks at take 64 MiB; at most 32 MiB are allowed together: give large cases another compare with each")
	require.ErrorContains(t, err, "cases/a.out is larger than 2048 KiB")
	require.ErrorContains(t, err, "cases/b.out is not UTF-8 text")
	for _, cases := range []int{1, 20, maxCases} {
		assert.GreaterOrEqual(t, keep(cases, maxExpectedBytes), int64(maxExpectedBytes), "what is expected fits")
		assert.LessOrEqual(t, int64(cases)*keep(cases, 0), int64(20<<20))
	}
	_, err = NewStdio().CheckFiles(map[string]any{"compare": "check", "check": "len(output) > len(input)"}, fstest.MapFS{"cases/a.in": file("")})
	require.NoError(t, err, "an expression may decide without an expected output")
}

func TestSchema(t *testing.T) {
	t.Parallel()
	_, err := schemas.Compile("settings", NewStdio().SettingsSchema())
	require.NoError(t, err)
	assert.True(t, json.Valid(NewFiles().SettingsSchema()))
}

// FuzzDiffer compares what submissions write with what is expected: what is said of it is one short printable line, and what is expected
// is always right.
func FuzzDiffer(f *testing.F) {
	f.Add("a\nb", "a\nb\n")
	f.Add(`{"a":[1,"x"]}`, `{"a":[1]}`)
	f.Add("1e999999 nan \x00\xff", "1 2 3")
	f.Fuzz(func(t *testing.T, output, expected string) {
		output, expected = strings.ToValidUTF8(output, "\uFFFD"), strings.ToValidUTF8(expected, "\uFFFD")
		for _, how := range []string{compareExact, compareText, compareTokens, compareNumbers, compareLines, compareJSON} {
			lost := differ(rules{Compare: how}, "", output, expected)
			assert.NotContains(t, lost, "\n")
			assert.Less(t, len(lost), 2000)
			if _, err := decode(expected); how != compareJSON || err == nil {
				assert.Empty(t, differ(rules{Compare: how}, "", expected, expected), "%s of %q", how, expected)
			}
		}
	})
}
