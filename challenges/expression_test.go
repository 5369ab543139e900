package challenges

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/evidence"
)

func testScope(compared bool) Scope {
	docs := []evidence.MetricDoc{{Name: "exact"}, {Name: "mem.peak"}, {Name: "hb.p99"}, {Name: "hb.answered"}, {Name: "cpu.perGiB"}}
	return Scope{Scenarios: map[string][]evidence.MetricDoc{"main": docs, "medium": docs}, Compared: compared}
}

func number(v float64) *float64 { return &v }

func TestEvalNumber(t *testing.T) {
	t.Parallel()
	env := Env{
		Metrics:   map[string]map[string]float64{"main": {"mem.peak": 100 << 20, "hb.p99": 4e6, "exact": 1}},
		Value:     number(200),
		Reference: number(100),
		Codes:     map[string]bool{"OOM_HEAP": true},
	}
	tests := map[string]float64{
		"value":                                  200,
		"value / reference":                      2,
		"1 / 2":                                  0.5,
		"main.mem.peak / MiB":                    100,
		"main.hb.p99 / ms":                       4,
		"(medium.exact ?? 1) + 1":                2,
		"medium.exact ?? main.exact":             1,
		"ratio(value, reference, 2, 8)":          1,
		"ratio(value, reference, 1, 4)":          0.5,
		"ratio(value, reference, 1, 2)":          0,
		"ratio(value, reference, 1, 4, 200)":     1,
		"ratio(value, reference, 1, 2, 100*KiB)": 1,
		"rate(reference, value, 1, 4)":           0.5,
		"rate(value, reference, 1.25, 4)":        1,
		"linear(value, 100, 300)":                0.5,
		"linear(value, 300, 100)":                0.5,
		"linear(value, 500, 300)":                0,
		"clamp(value, 0, 1)":                     1,
		"min(value, reference, 3)":               3,
		"max(value, reference)":                  200,
		"-value + 1":                             -199,
		`code("OOM_HEAP") ? 1 : 0`:               1,
		"value > 100 ? 0.25 : 1.0":               0.25,
		"us + ms + s":                            1.001001e9,
	}
	for source, want := range tests {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			e, err := CompileNumber(source, testScope(true))
			require.NoError(t, err)
			got, err := e.EvalNumber(env)
			require.NoError(t, err)
			assert.InDelta(t, want, got, 1e-9)
		})
	}
}

func TestEvalBool(t *testing.T) {
	t.Parallel()
	env := Env{Metrics: map[string]map[string]float64{"main": {"exact": 0.5, "hb.answered": 0}}, Codes: map[string]bool{"OOM_HEAP": true}}
	tests := map[string]bool{
		"main.exact < 1 or (medium.exact ?? 1) < 1": true,
		"(medium.exact ?? 1) < 1":                   false,
		`code("OOM_HEAP") or code("OOM_CGROUP")`:    true,
		`not code("OOM_HEAP")`:                      false,
		"main.hb.answered == 0":                     true,
		"main.hb.answered != 0 and main.exact < 1":  false,
		// The right side is not needed, so it does not matter that it was not measured.
		"main.exact < 1 or medium.exact < 1": true,
	}
	for source, want := range tests {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			e, err := CompileBool(source, testScope(false))
			require.NoError(t, err)
			got, err := e.EvalBool(env)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

func TestNotMeasured(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"medium.exact":                           {"medium.exact"},
		"medium.exact + main.hb.p99":             {"main.hb.p99", "medium.exact"},
		"(medium.exact ?? main.exact) * 2":       {"main.exact"},
		"ratio(value, reference, 1, 2)":          {"value", "reference"},
		"ratio(value ?? 1, reference, 1, 2, ms)": {"reference"},
		"1 / 0":                                  nil,
		"-(main.exact ?? 1) / 0":                 nil,
		"min(main.exact, 1)":                     {"main.exact"},
	}
	for source, missing := range tests {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			e, err := CompileNumber(source, testScope(true))
			require.NoError(t, err)
			_, err = e.EvalNumber(Env{})
			var notMeasured *NotMeasuredError
			require.ErrorAs(t, err, &notMeasured)
			assert.Equal(t, missing, notMeasured.Missing)
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		source  string
		boolean bool
		want    string
	}{
		{"main.mem.peek", false, `"main.mem.peek", character 1: scenario main has no metric "mem.peek"; did you mean mem.peak? (allowed: cpu.perGiB, exact, hb.answered, hb.p99, mem.peak)`},
		{"man.mem.peak", false, `"man.mem.peak", character 1: there is no scenario "man"; did you mean main? (allowed: main, medium)`},
		{"main", false, `"main", character 1: main is a scenario, not a number; name one of its metrics, e.g. main.exact`},
		{"reference2", false, `"reference2", character 1: reference2 is not known; did you mean reference? (allowed: GiB, KiB, MiB, main, medium, ms, reference, s, us, value)`},
		{"vlaue", false, `"vlaue", character 1: vlaue is not known; did you mean value? (allowed: GiB, KiB, MiB, main, medium, ms, reference, s, us, value)`},
		{"main.exact < 1", false, `"main.exact < 1", character 1: expected a number, but got true or false`},
		{"main.exact", true, `"main.exact", character 1: expected true or false, but got a number`},
		{"1 +", false, `"1 +", character 3: unexpected token EOF`},
		{"", false, `"", character 1: unexpected token EOF`},
		{"ratoi(value, reference, 1, 2)", false, `"ratoi(value, reference, 1, 2)", character 1: there is no function "ratoi"; did you mean ratio? (allowed: clamp, code, linear, max, min, rate, ratio)`},
		{"ratio(value, reference)", false, `"ratio(value, reference)", character 1: ratio takes value, reference, full, zero and optionally floor; it got 2 arguments`},
		{"ratio(value, reference, 4, 2)", false, `"ratio(value, reference, 4, 2)", character 1: ratio needs 1 <= full < zero; it got full 4 and zero 2`},
		{"ratio(value, reference, 0.5, 2)", false, `"ratio(value, reference, 0.5, 2)", character 1: ratio needs 1 <= full < zero; it got full 0.5 and zero 2`},
		{"ratio(value, reference, 1, 2, value)", false, `"ratio(value, reference, 1, 2, value)", character 31: the floor must be a constant of at least 0, e.g. 10 * ms`},
		{"linear(value, 2, 1 + 1)", false, `"linear(value, 2, 1 + 1)", character 1: linear needs two different thresholds; both are 2`},
		{`code("OOM_HEEP")`, true, `"code(\"OOM_HEEP\")", character 6: "OOM_HEEP" is not a reason code; did you mean OOM_HEAP? (allowed: ACK_TIMEOUT, AUTH_BYPASS, BACKPRESSURE_MISSING, BAD_ERRORS, BOUNDARY_LOSS, BOUNDARY_TRUST, CARDINALITY, CJS_BROKEN, CONN_STORM, CRASH, DIVERGENCE, DOUBLE_ASSIGN and 53 more)` + allCodes},
		{"code(value)", true, `"code(value)", character 1: code takes a reason code in quotes, e.g. code("OOM_HEAP")`},
		{`"text"`, false, `"\"text\"", character 1: "text" is not part of the expression language; use numbers, metrics, operators and clamp, code, linear, max, min, rate, ratio`},
		{"[1, 2][0]", false, `"[1, 2][0]", character 7: [1, 2][0] is not a metric; write scenario.metric, e.g. main.mem.peak`},
		{"filter([1], # > 0)", false, `"filter([1], # > 0)", character 1: filter([1], # > 0) is not part of the expression language; use numbers, metrics, operators and clamp, code, linear, max, min, rate, ratio`},
		{"value ** 2", false, `"value ** 2", character 7: operator "**" is not part of the expression language; use + - * / < <= > >= == != and or not ?? ?:`},
		{"value % 2", false, `"value % 2", character 7: operator "%" is not part of the expression language; use + - * / < <= > >= == != and or not ?? ?:`},
		{"main?.exact", false, `"main?.exact", character 7: main?.exact is not a metric; write scenario.metric, e.g. main.mem.peak`},
		{"let x = 1; x", false, `"let x = 1; x", character 5: let x = 1; x is not part of the expression language; use numbers, metrics, operators and clamp, code, linear, max, min, rate, ratio`},
		{"value | abs()", false, `"value | abs()", character 9: there is no function "abs"; allowed: clamp, code, linear, max, min, rate, ratio`},
		{"now()", false, `"now()", character 1: there is no function "now"; allowed: clamp, code, linear, max, min, rate, ratio`},
		{"code('OOM_HEAP') + 1", false, `"code('OOM_HEAP') + 1", character 18: invalid operation: + (mismatched types bool and number)`},
		{"main.exact and true", true, `"main.exact and true", character 12: invalid operation: and (mismatched types number and bool)`},
		{"$env", false, `"$env", character 1: $env is not known; allowed: GiB, KiB, MiB, main, medium, ms, reference, s, us, value`},
		{"main.exact.more", false, `"main.exact.more", character 1: scenario main has no metric "exact.more"; allowed: cpu.perGiB, exact, hb.answered, hb.p99, mem.peak`},
		{"main()", false, `"main()", character 1: there is no function "main"; did you mean min? (allowed: clamp, code, linear, max, min, rate, ratio)`},
		{"min(value > 1)", false, `"min(value > 1)", character 11: cannot use bool as argument (type number) to call min`},
		{"medium.exact ?? 1 < 1", true, `"medium.exact ?? 1 < 1", character 19: Operator (<) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses.`},
		{"nil", false, `"nil", character 1: nil is not part of the expression language; use numbers, metrics, operators and clamp, code, linear, max, min, rate, ratio`},
		{"value ?? code('OOM_HEAP')", false, `"value ?? code('OOM_HEAP')", character 1: both sides of ?? or : must be of one kind: numbers, or true and false`},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			t.Parallel()
			compile := CompileNumber
			if tt.boolean {
				compile = CompileBool
			}
			_, err := compile(tt.source, testScope(true))
			var wrong *ExpressionError
			require.ErrorAs(t, err, &wrong)
			assert.Equal(t, tt.want, err.Error())
		})
	}
}

func TestExpressionMetricsAndFloor(t *testing.T) {
	t.Parallel()
	e, err := CompileNumber("ratio(main.hb.p99, medium.hb.p99 ?? main.hb.p99, 2, 20, 10 * ms)", testScope(false))
	require.NoError(t, err)
	assert.Equal(t, []MetricRef{
		{Scenario: "main", Metric: "hb.p99"},
		{Scenario: "medium", Metric: "hb.p99", Optional: true},
	}, e.Metrics())
	assert.InDelta(t, 10e6, e.Floor(), 0)
}

// A score is a number from 0 to 1 whatever is measured, and never grows when the value gets worse.
func TestScoresAreBoundedAndMonotone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Float64Range(0, 1e15)
		reference, floor := number.Draw(t, "reference"), number.Draw(t, "floor")
		full := rapid.Float64Range(1, 10).Draw(t, "full")
		zero := full + rapid.Float64Range(0.01, 100).Draw(t, "gap")
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		better, worse := min(a, b), max(a, b)

		good, err := ratio([]float64{better, reference, full, zero, floor})
		require.NoError(t, err)
		bad, err := ratio([]float64{worse, reference, full, zero, floor})
		require.NoError(t, err)
		assertScores(t, good, bad)

		good, err = rate([]float64{worse, reference, full, zero})
		require.NoError(t, err)
		bad, err = rate([]float64{better, reference, full, zero})
		require.NoError(t, err)
		assertScores(t, good, bad)

		good, err = linear([]float64{better, full, zero})
		require.NoError(t, err)
		bad, err = linear([]float64{worse, full, zero})
		require.NoError(t, err)
		assertScores(t, good, bad)
	})
}

func assertScores(t require.TestingT, good, bad float64) {
	require.False(t, math.IsNaN(good) || math.IsNaN(bad))
	require.GreaterOrEqual(t, good, bad)
	require.GreaterOrEqual(t, bad, 0.0)
	require.LessOrEqual(t, good, 1.0)
}

func FuzzCompile(f *testing.F) {
	for _, source := range []string{"main.exact < 1", "ratio(value, reference, 1, 2, 10 * ms)", "a ?? b", `code("OOM_HEAP")`, "main.mem.peak / MiB"} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := CompileNumber(source, testScope(true))
		if err != nil {
			var wrong *ExpressionError
			require.ErrorAs(t, err, &wrong)
			return
		}
		got, err := e.EvalNumber(Env{Value: number(1), Reference: number(2)})
		if err == nil {
			assert.False(t, math.IsNaN(got) || math.IsInf(got, 0))
		}
	})
}
