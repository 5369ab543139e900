package challenges

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/types"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
)

// errMissing is what a function answers when an argument was not measured.
var errMissing = errors.New("an argument was not measured")

// function is one function of the expression language.
type function struct {
	usage       string
	least, most int // arguments; most is -1 for any number
	apply       func(args []float64) (float64, error)
	signatures  []any
}

// functions are the functions over numbers, and code, which is bound to its run.
func functions() map[string]function {
	return map[string]function{
		"ratio": {
			"value, reference, full, zero and optionally floor", 4, 5, ratio,
			[]any{new(func(v, ref, full, zero float64) float64), new(func(v, ref, full, zero, floor float64) float64)},
		},
		"rate": {
			"value, reference, full and zero", 4, 4, rate,
			[]any{new(func(v, ref, full, zero float64) float64)},
		},
		"linear": {
			"value, full and zero", 3, 3, linear,
			[]any{new(func(v, full, zero float64) float64)},
		},
		"clamp": {
			"value, low and high", 3, 3, func(a []float64) (float64, error) { return min(max(a[0], a[1]), a[2]), nil },
			[]any{new(func(v, low, high float64) float64)},
		},
		"min": {
			"one number or more", 1, -1, func(a []float64) (float64, error) { return slices.Min(a), nil },
			[]any{new(func(...float64) float64)},
		},
		"max": {
			"one number or more", 1, -1, func(a []float64) (float64, error) { return slices.Max(a), nil },
			[]any{new(func(...float64) float64)},
		},
		"code": {usage: `one reason code, e.g. "OOM_HEAP"`, least: 1, most: 1},
	}
}

func functionNames() []string { return slices.Sorted(maps.Keys(functions())) }

// constants are the units of the expression language: bytes and nanoseconds.
func constants() map[string]any {
	return map[string]any{
		"KiB": 1024.0, "MiB": 1024.0 * 1024, "GiB": 1024.0 * 1024 * 1024,
		"us": 1e3, "ms": 1e6, "s": 1e9,
	}
}

// ratio scores a number of which less is better against the reference's: 1 up to full times the reference, 0 from zero
// times on, and linear in the logarithm between (catalogue, "Notation"). Value and reference are raised to floor first,
// so that a tiny reference does not exaggerate.
func ratio(a []float64) (float64, error) {
	value, reference, full, zero := a[0], a[1], a[2], a[3]
	if len(a) == 5 {
		value, reference = max(value, a[4]), max(reference, a[4])
	}
	return logScore(value, reference, full, zero)
}

// rate scores a number of which more is better, as ratio does with value and reference exchanged.
func rate(a []float64) (float64, error) {
	return logScore(a[1], a[0], a[2], a[3])
}

// logScore scores more/less: 1 at full and below, 0 at zero and above.
func logScore(more, less, full, zero float64) (float64, error) {
	if full < 1 || zero <= full {
		return 0, fmt.Errorf("1 <= full < zero does not hold for full %v and zero %v", full, zero)
	}
	switch {
	case more <= full*less:
		return 1, nil
	case less <= 0, more >= zero*less:
		return 0, nil
	}
	return 1 - math.Log(more/less/full)/math.Log(zero/full), nil
}

// linear is 1 at full and beyond, 0 at zero and beyond, and a straight line between; full may be above or below zero.
func linear(a []float64) (float64, error) {
	value, full, zero := a[0], a[1], a[2]
	if full == zero {
		return 0, fmt.Errorf("both thresholds are %v", full)
	}
	return min(max((value-zero)/(full-zero), 0), 1), nil
}

// languageOptions describe the expression language to the expression library.
func languageOptions(scope Scope) []expr.Option {
	options := []expr.Option{
		expr.Env(environment(scope)),
		expr.DisableAllBuiltins(),
		expr.MaxNodes(maxExpressionNodes),
		expr.Patch(floats{}),
	}
	for name, f := range functions() {
		if f.apply != nil {
			options = append(options, expr.Function(name, overNumbers(f.apply), f.signatures...))
		}
	}
	return options
}

// floats turns every whole number into a floating-point one, so that there is one kind of number: the library would
// call "main.exact ?? 1" a mixture.
type floats struct{}

// Visit implements ast.Visitor.
func (floats) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.IntegerNode); ok {
		ast.Patch(node, &ast.FloatNode{Value: float64(n.Value)})
	}
}

// environment is the typed shape of what an expression may name.
func environment(scope Scope) types.Map {
	env := types.Map{"code": types.TypeOf(func(string) bool { return false })}
	for name := range constants() {
		env[name] = types.Float64
	}
	if scope.Compared {
		env["value"], env["reference"] = types.Float64, types.Float64
	}
	for scenario, docs := range scope.Scenarios {
		tree := types.Map{}
		for _, d := range docs {
			addMetric(tree, strings.Split(d.Name, "."))
		}
		env[scenario] = tree
	}
	return env
}

func addMetric(tree types.Map, path []string) {
	for _, part := range path[:len(path)-1] {
		next, ok := tree[part].(types.Map)
		if !ok {
			next = types.Map{}
			tree[part] = next
		}
		tree = next
	}
	tree[path[len(path)-1]] = types.Float64
}

// checkMetricNames refuses documentation in which one metric's name is the beginning of another's, e.g. "mem" beside
// "mem.peak": in an expression one name cannot be both a number and a group of numbers.
func checkMetricNames(docs []evidence.MetricDoc) error {
	for _, a := range docs {
		for _, b := range docs {
			if strings.HasPrefix(b.Name, a.Name+".") {
				return fmt.Errorf("metric %q is also the beginning of %q", a.Name, b.Name)
			}
		}
	}
	return nil
}

// overNumbers adapts a function over numbers to the expression library.
func overNumbers(apply func([]float64) (float64, error)) func(...any) (any, error) {
	return func(params ...any) (any, error) {
		args := make([]float64, 0, len(params))
		for _, p := range params {
			switch p := p.(type) {
			case float64:
				args = append(args, p)
			case nil:
				return nil, errMissing
			default:
				return nil, fmt.Errorf("%T is not a number", p)
			}
		}
		return apply(args)
	}
}

// checkCode returns what is wrong with a reason code, or nothing.
func checkCode(name string) string {
	if _, ok := evidence.LookupCode(name); ok {
		return ""
	}
	docs := evidence.Codes()
	known := make([]string, 0, len(docs))
	for _, d := range docs {
		known = append(known, d.Code)
	}
	return fmt.Sprintf("%s is not a reason code%s", schemas.Quote(name), schemas.Choices(name, known)) + "; `assay codes` explains all"
}
