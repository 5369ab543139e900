package challenges

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
)

func tinyKinds() Kinds {
	return Kinds{"lines": {
		Metrics: []evidence.MetricDoc{{Name: "exact"}, {Name: "mem.peak"}, {Name: "hb.p99"}},
		Check: func(with map[string]any) error {
			if _, ok := with["size"].(string); !ok {
				return errors.New("size is missing")
			}
			return nil
		},
	}}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	ch, err := Load(os.DirFS("testdata"), "tiny", tinyKinds())
	require.NoError(t, err)

	assert.Equal(t, "tiny", ch.ID)
	assert.Equal(t, Limits{MemoryBytes: 128 << 20, Pids: 64, FileSizeBytes: 1 << 30}, ch.Limits)
	assert.Equal(t, Control{Solution: "solutions/flawed/hoard", Scenario: "main", Codes: []string{"OOM_HEAP", "OOM_CGROUP"}}, ch.Control)
	assert.Equal(t, Mode{Name: "standard", Title: "Official run", Official: true, MaxExtraPairs: 4, Repeats: 2}, ch.Modes["standard"])
	assert.Equal(t, []string{"Small files prove little."}, ch.Modes["quick"].Notes)
	assert.Equal(t, ScenarioMode{Pairs: 1, Timeout: 30 * time.Second, With: map[string]any{"size": "1MiB", "lines": 10.0}}, ch.Scenarios[0].Modes["quick"])
	assert.Equal(t, []string{"postgres", "redis"}, (&Challenge{Scenarios: []Scenario{
		{Services: []string{"redis", "postgres"}}, {}, {Services: []string{"postgres"}},
	}}).Services())
	assert.Equal(t, 40*time.Minute, ch.Scenarios[0].Modes["standard"].Timeout)
	assert.NotContains(t, ch.Scenarios[1].Modes, "quick")
	assert.Equal(t, []string{"exact"}, ch.Gates[1].Needs)
	assert.True(t, ch.Criteria[0].Relative, "its score uses reference")
	assert.False(t, ch.Criteria[1].Relative)
	assert.InDelta(t, 60<<20, ch.Criteria[0].ScoreExpr.Floor(), 0)
	assert.Equal(t, "Only {value}.", ch.Criteria[1].Says.Lost)
	assert.Equal(t, Expectation{Verdict: "pass", MinScore: 90, MaxScore: 100}, ch.Fixtures[0].Expected("quick"))
	assert.Equal(t, []string{"OOM_HEAP|OOM_CGROUP", "WRONG_OUTPUT"}, ch.Fixtures[1].Expected("standard").Codes)
	assert.Equal(t, []string{"MEM_UNBOUNDED"}, ch.Fixtures[1].Expected("quick").Codes)

	failed, err := ch.Gates[0].WhenExpr.EvalBool(Env{Metrics: map[string]map[string]float64{"main": {"exact": 1}}})
	require.NoError(t, err)
	assert.False(t, failed)
	unbounded, err := ch.Criteria[0].CodeExprs["MEM_UNBOUNDED"].EvalBool(Env{Value: number(9), Reference: number(2)})
	require.NoError(t, err)
	assert.True(t, unbounded)
}

// replaced is the tiny challenge with one piece of challenge.yaml exchanged.
func replaced(t *testing.T, old, with string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	require.NoError(t, copyInto(files, "testdata", "tiny"))
	text := string(files["tiny/challenge.yaml"].Data)
	require.Contains(t, text, old)
	files["tiny/challenge.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(text, old, with, 1))}
	return files
}

// allCodes ends a message about a code that does not exist.
const allCodes = "; `assay codes` explains all"

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, old, with string
		want            []string
	}{
		{"unknown key", "passMark: 60", "passMark: 60\npassmark: 70", []string{`tiny/challenge.yaml:10:1: unknown key "passmark"; did you mean passMark? (allowed: control, criteria, fixtures, gates, id, level, limits, minutes, modes, node, passMark, reference and 5 more)`}},
		{"unknown nested key", "detail: Peak of anonymous memory.", "details: Peak of anonymous memory.", []string{`tiny/challenge.yaml:49:5: unknown key "details"; did you mean detail? (allowed: better, codes, detail, id, needs, points, relative, says, score, skill, title, unit and 1 more)`}},
		{"missing key", "summary: Count the lines of a file, exactly and in little memory.\n", "", []string{`tiny/challenge.yaml:1:1: the file has no "summary": one sentence for lists and reports`}},
		{"duplicate key", "version: 3", "version: 3\nversion: 4", []string{`tiny/challenge.yaml:3:1: not valid YAML: mapping key "version" already defined at [2:1]`}},
		{"not YAML", "skills: [memory-streams, event-loop]", "skills: [memory-streams, event-loop", []string{"tiny/challenge.yaml:8:1: not valid YAML: ',' or ']' must be specified"}},
		{"tab", "level: junior", "\tlevel: junior", []string{"tiny/challenge.yaml:5:1: not valid YAML: found character '\t' that cannot start any token"}},
		{"alias", "level: junior", "level: &a junior", []string{"tiny/challenge.yaml:5:8: anchors and aliases are not allowed; write the value out"}},
		{"tag", "level: junior", "level: !!str junior", []string{"tiny/challenge.yaml:5:8: tags are not allowed; write the plain value"}},
		{"two documents", "gates:", "---\ngates:", []string{"tiny/challenge.yaml:33:1: a second YAML document; only one is allowed"}},
		{"service", "workload: lines", "workload: lines\n    services: [postgres, mysql]", []string{`tiny/challenge.yaml:22:26: scenarios[0].services[1] is "mysql"; allowed: postgres, redis`}},
		{"number as text", `node: "24"`, "node: 24", []string{`tiny/challenge.yaml:8:7: node is 24: put it in quotes, "24"`}},
		{"text as number", "version: 3", "version: three", []string{`tiny/challenge.yaml:2:10: version is "three" (text) instead of a whole number; expected a whole number from 1, raised with every change that can move a score`}},
		{"id with underscore", "id: tiny", "id: Tiny_One", []string{`tiny/challenge.yaml:1:5: id is "Tiny_One"; expected small letters, digits and single hyphens, such as "size-independence"`}},
		{"id is not the folder", "id: tiny", "id: tinier", []string{`tiny/challenge.yaml:1:5: id is "tinier", but the folder is "tiny"; they must be the same`}},
		{"level", "level: junior", "level: expert", []string{`tiny/challenge.yaml:5:8: level is "expert"; allowed: junior, mid, senior`}},
		{"pass mark too high", "passMark: 60", "passMark: 160", []string{"tiny/challenge.yaml:9:11: passMark is 160; at most 100 is allowed"}},
		{"skill", "skills: [memory-streams, event-loop]", "skills: [memory-stream, event-loop]", []string{`tiny/challenge.yaml:7:10: skills[0] is "memory-stream"; did you mean memory-streams? (allowed: api-design, async-errors, caching, correctness-under-concurrency, data-access, debugging, event-loop, memory-streams, modern-js-ts, operations, realtime, resilience and 2 more)`}},
		{"size", "memory: 128MiB", "memory: 128MB", []string{`tiny/challenge.yaml:10:18: limits.memory is "128MB"; expected a size: a whole number and B, KiB, MiB or GiB, such as 256MiB`}},
		{"size zero", "memory: 128MiB", "memory: 0MiB", []string{`tiny/challenge.yaml:10:18: size "0MiB" is out of range; it must be above 0 and at most 1024GiB`}},
		{"size too large", "memory: 128MiB", "memory: 999999999GiB", []string{`tiny/challenge.yaml:10:18: size "999999999GiB" is out of range; it must be above 0 and at most 1024GiB`}},
		{"duration", "timeout: 30s", "timeout: half an hour", []string{`tiny/challenge.yaml:24:34: scenarios[0].modes.quick.timeout is "half an hour"; expected a time: a whole number and s, m or h, such as 60s`}},
		{"duration too long", "timeout: 1h", "timeout: 5h", []string{`tiny/challenge.yaml:30:27: time "5h" is out of range; it must be above 0 and at most 4h`}},
		{"duration zero", "timeout: 1h", "timeout: 0s", []string{`tiny/challenge.yaml:30:27: time "0s" is out of range; it must be above 0 and at most 4h`}},
		{"folder leaves", "reference: solutions/reference", "reference: ../reference", []string{`tiny/challenge.yaml:11:12: reference is "../reference"; expected a folder of the challenge, with / and without .., such as solutions/reference`}},
		{"folder is missing", "reference: solutions/reference", "reference: solutions/referenz", []string{"tiny/challenge.yaml:11:12: there is no folder solutions/referenz in the challenge's folder"}},
		{"control folder", "{solution: solutions/flawed/hoard", "{solution: solutions/flawed/horde", []string{"tiny/challenge.yaml:12:21: there is no folder solutions/flawed/horde in the challenge's folder"}},
		{"control scenario", "scenario: main, codes", "scenario: mian, codes", []string{`tiny/challenge.yaml:12:55: there is no scenario "mian"; did you mean main? (allowed: main, odd)`}},
		{"control scenario not in a mode", "scenario: main, codes", "scenario: odd, codes", []string{"tiny/challenge.yaml:12:55: scenario odd does not run in mode quick, and the control is run in every mode"}},
		{"control code", "codes: [OOM_HEAP, OOM_CGROUP]}", "codes: [OOM_HEEP]}", []string{`tiny/challenge.yaml:12:69: "OOM_HEEP" is not a reason code; did you mean OOM_HEAP? (allowed: ACK_TIMEOUT, AUTH_BYPASS, BACKPRESSURE_MISSING, BAD_ERRORS, BOUNDARY_LOSS, BOUNDARY_TRUST, CARDINALITY, CJS_BROKEN, CONN_STORM, CRASH, DIVERGENCE, DOUBLE_ASSIGN and 53 more)` + allCodes}},
		{"unknown mode", "  quick: {title: Practice run", "  quickly: {title: Practice run", []string{`tiny/challenge.yaml:15:3: unknown key "quickly"; did you mean quick? (allowed: full, quick, standard)`}},
		{"mode without scenario", "      standard: {pairs: 3, timeout: 40m, with: {size: 1GiB}}\n", "", []string{
			"tiny/challenge.yaml:12:55: scenario main does not run in mode standard, and the control is run in every mode",
			"tiny/challenge.yaml:35:11: scenario main does not run in mode standard; say what holds then, e.g. (main.exact ?? 1)",
		}},
		{"mode never run", "  standard: {title: Official run,", "  full: {title: Full run}\n  standard: {title: Official run,", []string{
			"tiny/challenge.yaml:12:55: scenario main does not run in mode full, and the control is run in every mode",
			"tiny/challenge.yaml:16:9: no scenario runs in mode full",
			"tiny/challenge.yaml:37:11: scenario main does not run in mode full; say what holds then, e.g. (main.exact ?? 1)",
		}},
		{"scenario in a mode that is not there", "      standard: {timeout: 1h,", "      full: {timeout: 1h,", []string{"tiny/challenge.yaml:30:13: mode full is not among the modes of the challenge; allowed: quick, standard"}},
		{"scenario id with hyphen", "- id: odd", "- id: odd-one", []string{`tiny/challenge.yaml:26:9: scenarios[1].id is "odd-one"; expected a name of small letters and digits, because expressions use it, such as main`}},
		{"scenario id reserved", "- id: odd", "- id: value", []string{
			`tiny/challenge.yaml:26:9: "value" has a meaning in expressions; choose another id`,
			`tiny/challenge.yaml:36:30: there is no scenario "odd"; allowed: main, value`,
			`tiny/challenge.yaml:67:27: there is no scenario "odd"; allowed: main, value`,
		}},
		{"scenario twice", "- id: odd", "- id: main", []string{
			`tiny/challenge.yaml:26:9: "main" is there twice`,
			`tiny/challenge.yaml:36:30: there is no scenario "odd"; allowed: main`,
			`tiny/challenge.yaml:67:27: there is no scenario "odd"; allowed: main`,
		}},
		{"workload", "    workload: lines\n    measured", "    workload: line\n    measured", []string{`tiny/challenge.yaml:21:15: there is no workload "line"; did you mean lines? (allowed: lines)`}},
		{"settings", "with: {size: 4KiB}", "with: {sise: 4KiB}", []string{"tiny/challenge.yaml:30:37: workload lines does not accept these settings: size is missing"}},
		{"pairs missing", "quick: {pairs: 1, timeout", "quick: {timeout", []string{"tiny/challenge.yaml:24:14: a measured scenario needs pairs: how often candidate and reference alternate"}},
		{"pairs of an unmeasured scenario", "standard: {timeout: 1h,", "standard: {pairs: 2, timeout: 1h,", []string{"tiny/challenge.yaml:30:25: only a measured scenario has pairs; add measured: true or leave pairs out"}},
		{"gate kind", "kind: safety", "kind: saffety", []string{`tiny/challenge.yaml:41:11: gates[1].kind is "saffety"; did you mean safety? (allowed: core, safety)`}},
		{"gate metric", "when: main.exact < 1", "when: main.exakt < 1", []string{`tiny/challenge.yaml:36:11: scenario main has no metric "exakt"; did you mean exact? (allowed: exact, hb.p99, mem.peak)`}},
		{"gate second metric", "(odd.exact ?? 1)", "(odd.exakt ?? 1)", []string{`tiny/challenge.yaml:36:30: scenario odd has no metric "exakt"; did you mean exact? (allowed: exact, hb.p99, mem.peak)`}},
		{"gate without fallback", "(odd.exact ?? 1) < 1", "odd.exact < 1", []string{"tiny/challenge.yaml:36:11: scenario odd does not run in mode quick; say what holds then, e.g. (odd.exact ?? 1)"}},
		{"gate not boolean", "when: main.exact < 1 or (odd.exact ?? 1) < 1", "when: main.exact", []string{"tiny/challenge.yaml:36:11: expected true or false, but got a number"}},
		{"gate uses value", "when: main.exact < 1", "when: value < 1", []string{"tiny/challenge.yaml:36:11: value has no meaning here; it exists only in score and codes of a criterion"}},
		{"gate code", "code: WRONG_OUTPUT", "code: WRONG_OUTPUTS", []string{`tiny/challenge.yaml:37:11: "WRONG_OUTPUTS" is not a reason code; did you mean WRONG_OUTPUT? (allowed: ACK_TIMEOUT, AUTH_BYPASS, BACKPRESSURE_MISSING, BAD_ERRORS, BOUNDARY_LOSS, BOUNDARY_TRUST, CARDINALITY, CJS_BROKEN, CONN_STORM, CRASH, DIVERGENCE, DOUBLE_ASSIGN and 53 more)` + allCodes}},
		{"gate needs itself", "needs: [exact]\n", "needs: [survives]\n", []string{`tiny/challenge.yaml:43:13: there is no gate "survives" above this one; allowed: exact`}},
		{"gate needs unknown", "needs: [exact]\n", "needs: [exakt]\n", []string{`tiny/challenge.yaml:43:13: there is no gate "exakt" above this one; did you mean exact? (allowed: exact)`}},
		{"gate sentence", "lost: The count is wrong.", "lost: The count {value} is wrong.", []string{"tiny/challenge.yaml:38:11: {value} is not filled in here"}},
		{"points", "points: 62.5", "points: 60", []string{"tiny/challenge.yaml:46:1: the points of the criteria add up to 97.5; they must add up to 100"}},
		{"points zero", "points: 62.5", "points: 0", []string{"tiny/challenge.yaml:51:13: criteria[0].points is 0; more than 0 is needed"}},
		{"criterion twice", "- id: exactness", "- id: memory", []string{`tiny/challenge.yaml:63:9: "memory" is there twice`}},
		{"criterion value", "value: main.mem.peak", "value: main.mem.peek", []string{`tiny/challenge.yaml:52:12: scenario main has no metric "mem.peek"; did you mean mem.peak? (allowed: exact, hb.p99, mem.peak)`}},
		{"criterion value in quotes", "value: main.mem.peak", `value: "2 * main.mem.peek"`, []string{`tiny/challenge.yaml:52:17: scenario main has no metric "mem.peek"; did you mean mem.peak? (allowed: exact, hb.p99, mem.peak)`}},
		{"criterion value folded", "value: main.mem.peak", "value: >-\n      2 *\n      main.mem.peek", []string{`tiny/challenge.yaml:52:12: scenario main has no metric "mem.peek"; did you mean mem.peak? (allowed: exact, hb.p99, mem.peak)`}},
		{"criterion score", "score: ratio(value, reference, 1.3, 3, 60 * MiB)", "score: ratio(value, reference, 1.3, 1.3)", []string{"tiny/challenge.yaml:54:12: ratio needs 1 <= full < zero; it got full 1.3 and zero 1.3"}},
		{"criterion score over metrics", "score: value\n", "score: main.exact\n", []string{"tiny/challenge.yaml:69:12: main.exact: metrics are not known here, only value and reference"}},
		{"criterion score not a number", "score: value\n", "score: value > 1\n", []string{"tiny/challenge.yaml:69:12: expected a number, but got true or false"}},
		{"criterion unit", "unit: bytes", "unit: byte", []string{`tiny/challenge.yaml:53:11: criteria[0].unit is "byte"; did you mean bytes? (allowed: bytes, bytes/s, count, ns, ratio, share)`}},
		{"criterion relative", "relative: false", "relative: true", []string{"tiny/challenge.yaml:70:15: relative is true, but score does not use reference"}},
		{"criterion needs", "needs: [exact, survives]", "needs: [exact, survive]", []string{`tiny/challenge.yaml:56:20: there is no gate "survive"; did you mean survives? (allowed: exact, survives)`}},
		{"criterion code name", "{MEM_UNBOUNDED: value", "{MEM_UNBOUND: value", []string{`tiny/challenge.yaml:57:13: "MEM_UNBOUND" is not a reason code; did you mean MEM_UNBOUNDED? (allowed: ACK_TIMEOUT, AUTH_BYPASS, BACKPRESSURE_MISSING, BAD_ERRORS, BOUNDARY_LOSS, BOUNDARY_TRUST, CARDINALITY, CJS_BROKEN, CONN_STORM, CRASH, DIVERGENCE, DOUBLE_ASSIGN and 53 more)` + allCodes}},
		{"criterion code form", "{MEM_UNBOUNDED: value", "{mem: value", []string{`tiny/challenge.yaml:57:13: unknown key "mem"; expected a mapping of reason codes to expressions over value and reference`}},
		{"criterion code expression", "value > 4 * reference", "value > 4 * referenc", []string{"tiny/challenge.yaml:57:40: referenc is not known; did you mean reference? (allowed: GiB, KiB, MiB, main, ms, odd, reference, s, us, value)"}},
		{"criterion code with a metric that is not there", "value > 4 * reference", "odd.exakt > 4 * reference", []string{`tiny/challenge.yaml:57:28: scenario odd has no metric "exakt"; did you mean exact? (allowed: exact, hb.p99, mem.peak)`}},
		{"criterion sentence", "kept: It needs {value}.", "kept: It needs {valu}.", []string{"tiny/challenge.yaml:59:13: {valu} is not filled in here; did you mean value? (allowed: ratio, reference, value)"}},
		{"criterion without question", "      ask: What is kept?\n", "", []string{`tiny/challenge.yaml:59:7: criteria[0].says has no "ask": what to ask in the interview when points were lost`}},
		{"fixture folder", "name: flawed/hoard", "name: flawed/whored", []string{
			"tiny/challenge.yaml:76:11: there is no folder solutions/flawed/whored in the challenge's folder",
			`tiny/challenge.yaml:82:45: there is no honest fixture "flawed/hoard"; did you mean flawed/whored? (allowed: flawed/whored, reference)`,
		}},
		{"fixture twice", "name: flawed/hoard", "name: reference", []string{
			`tiny/challenge.yaml:76:11: "reference" is there twice`,
			`tiny/challenge.yaml:82:45: there is no honest fixture "flawed/hoard"; allowed: reference`,
		}},
		{"fixture kind", "kind: flawed", "kind: bad", []string{`tiny/challenge.yaml:77:11: fixtures[1].kind is "bad"; allowed: alternative, flawed, gaming, min, parity, reference`}},
		{"fixture without twin", "twin: flawed/hoard, ", "", []string{"tiny/challenge.yaml:82:5: a gaming fixture needs a twin: the honest one it is compared with"}},
		{"fixture twin unknown", "twin: flawed/hoard", "twin: flawed/hoards", []string{`tiny/challenge.yaml:82:45: there is no honest fixture "flawed/hoards"; did you mean flawed/hoard? (allowed: flawed/hoard, reference)`}},
		{"fixture twin not honest", "twin: flawed/hoard", "twin: gaming/liar", []string{`tiny/challenge.yaml:82:45: there is no honest fixture "gaming/liar"; allowed: flawed/hoard, reference`}},
		{"honest fixture with twin", "kind: flawed\n", "kind: flawed\n    twin: reference\n", []string{"tiny/challenge.yaml:78:11: only a gaming fixture has a twin"}},
		{"fixture code", "OOM_HEAP|OOM_CGROUP", "OOM_HEAP|OOM_GROUP", []string{`tiny/challenge.yaml:81:20: "OOM_GROUP" is not a reason code; did you mean OOM_CGROUP? (allowed: ACK_TIMEOUT, AUTH_BYPASS, BACKPRESSURE_MISSING, BAD_ERRORS, BOUNDARY_LOSS, BOUNDARY_TRUST, CARDINALITY, CJS_BROKEN, CONN_STORM, CRASH, DIVERGENCE, DOUBLE_ASSIGN and 53 more)` + allCodes}},
		{"fixture scores", "minScore: 10, maxScore: 50", "minScore: 60, maxScore: 50", []string{"tiny/challenge.yaml:80:14: minScore 60 is above maxScore 50"}},
		{"fixture verdict", "verdict: withheld", "verdict: withhold", []string{`tiny/challenge.yaml:82:130: fixtures[2].expect[""].verdict is "withhold"; did you mean withheld? (allowed: fail, pass, withheld)`}},
		{"fixture expects nothing in a mode", `"": {codes: [OOM_HEAP|OOM_CGROUP`, "full: {codes: [OOM_HEAP|OOM_CGROUP", []string{
			`tiny/challenge.yaml:80:7: nothing is expected in mode standard; name it, or add "" for all other modes`,
			"tiny/challenge.yaml:81:13: mode full is not among the modes of the challenge; allowed: quick, standard",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(replaced(t, tt.old, tt.with), "tiny", tinyKinds())
			var problems schemas.Problems
			require.ErrorAs(t, err, &problems)
			assert.Equal(t, tt.want, strings.Split(problems.Error(), "\n"))
		})
	}
}

// copyInto copies a folder of the disk into files.
func copyInto(files fstest.MapFS, root, dir string) error {
	disk := os.DirFS(root)
	return fs.WalkDir(disk, dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(disk, path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
}
