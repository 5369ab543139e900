package challenges

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/assay-run/assay/internal/evidence"
)

// maxExpressionNodes bounds the size of one expression.
const maxExpressionNodes = 200

// Expression is a judgement of challenge.yaml, parsed, checked against the documented metrics and compiled when the
// challenge is loaded. It is immutable: it may be evaluated from several goroutines.
//
// The language is arithmetic (+ - * /), comparison, and/or/not, "a ? b : c" and "a ?? b" over
//
//   - scenario.metric, e.g. main.hb.p99: a number of the submission, in the metric's own unit;
//   - value and reference, where the field compares: the criterion's value for the submission and for the reference;
//   - KiB MiB GiB (bytes) and us ms s (nanoseconds), e.g. 60 * MiB;
//   - ratio, rate, linear, min, max, clamp, and code("X"): whether the submission got that finding.
//
// A number that was not measured is nil. "??" replaces it; everything else that meets it is not measured either.
type Expression struct {
	source  string
	program *vm.Program
	metrics []MetricRef
	// needsValue and needsReference say that the name is used without a "??".
	needsValue, needsReference bool
	usesReference              bool
	floor                      float64
}

// MetricRef names one metric of one scenario.
type MetricRef struct {
	Scenario string
	Metric   string // dotted, as documented by the workload
	// Optional says that every use has a "??" to fall back on.
	Optional bool
}

// String returns the name as an expression has it.
func (r MetricRef) String() string { return r.Scenario + "." + r.Metric }

// Scope is what an expression may name.
type Scope struct {
	// Scenarios are the documented metrics, by scenario id.
	Scenarios map[string][]evidence.MetricDoc
	// Compared defines value and reference.
	Compared bool
}

// Env is what an expression is evaluated over. The zero Env has nothing measured.
type Env struct {
	// Metrics are the submission's numbers: scenario id, then metric name. What is absent was not measured.
	Metrics map[string]map[string]float64
	// Value and Reference are the criterion's value for the submission and the reference; nil when not measured.
	Value, Reference *float64
	// Codes are the reason codes the submission got.
	Codes map[string]bool
}

// NotMeasuredError says that an expression has no answer: a number it needs is missing, or it divides by nothing.
type NotMeasuredError struct {
	Expression string
	// Missing are the numbers that were not measured, e.g. "main.hb.p99", "reference"; empty when all were and the
	// result is not a finite number.
	Missing []string
}

// Error names the missing numbers.
func (e *NotMeasuredError) Error() string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("evaluate %q: the result is not a finite number", e.Expression)
	}
	return fmt.Sprintf("evaluate %q: not measured: %s", e.Expression, strings.Join(e.Missing, ", "))
}

// ExpressionError says where an expression is wrong.
type ExpressionError struct {
	Expression string
	Offset     int // characters before the mistake, from 0
	Message    string
}

// Error gives the mistake and its column within the expression.
func (e *ExpressionError) Error() string {
	return fmt.Sprintf("%q, character %d: %s", e.Expression, e.Offset+1, e.Message)
}

// CompileBool compiles an expression that must yield true or false. Its error is an *ExpressionError.
func CompileBool(source string, scope Scope) (*Expression, error) {
	return compile(source, scope, expr.AsBool(), expr.WarnOnAny())
}

// CompileNumber compiles an expression that must yield a number. Its error is an *ExpressionError.
func CompileNumber(source string, scope Scope) (*Expression, error) {
	return compile(source, scope, expr.AsFloat64(), expr.WarnOnAny())
}

func compile(source string, scope Scope, result ...expr.Option) (*Expression, error) {
	checked, err := checkExpression(source, scope)
	if err != nil {
		return nil, err
	}
	program, err := expr.Compile(source, append(languageOptions(scope), result...)...)
	if err != nil {
		return nil, expressionError(source, err)
	}
	checked.source, checked.program = source, program
	return checked, nil
}

// expressionError turns an error of the expression library into one with an offset.
func expressionError(source string, err error) *ExpressionError {
	message, _, _ := strings.Cut(err.Error(), "\n")
	offset := 0
	var located *file.Error
	if errors.As(err, &located) {
		message, offset = located.Message, located.From
	}
	message = strings.TrimSpace(strings.NewReplacer(
		"float64, but got bool", "a number, but got true or false",
		"bool, but got float64", "true or false, but got a number",
		"float64", "number",
	).Replace(message))
	if strings.HasSuffix(message, "but got unknown") {
		message = "both sides of ?? or : must be of one kind: numbers, or true and false"
	}
	return &ExpressionError{Expression: source, Offset: offset, Message: message}
}

// String returns the source.
func (e *Expression) String() string { return e.source }

// Metrics are the metrics that the expression names, sorted.
func (e *Expression) Metrics() []MetricRef { return slices.Clone(e.metrics) }

// Floor is the floor of the expression's first ratio(), in the unit of its value, or 0. Below it two values count as
// equal, so a check that compares two runs of the reference applies it as well.
func (e *Expression) Floor() float64 { return e.floor }

// EvalBool evaluates an expression made by CompileBool. The error is a *NotMeasuredError when a number is missing.
func (e *Expression) EvalBool(env Env) (bool, error) {
	out, err := e.run(env)
	if err != nil {
		return false, err
	}
	answer, ok := out.(bool)
	if !ok {
		return false, fmt.Errorf("evaluate %q: %T instead of true or false", e.source, out)
	}
	return answer, nil
}

// EvalNumber evaluates an expression made by CompileNumber. The result is finite. The error is a *NotMeasuredError
// when a number is missing or the result would not be finite.
func (e *Expression) EvalNumber(env Env) (float64, error) {
	out, err := e.run(env)
	if err != nil {
		return 0, err
	}
	number, ok := out.(float64)
	if !ok {
		return 0, fmt.Errorf("evaluate %q: %T instead of a number", e.source, out)
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return 0, &NotMeasuredError{Expression: e.source}
	}
	return number, nil
}

// run evaluates the program. In a checked expression only a missing number makes an operator fail, so when one is
// missing and the program fails, that is the reason.
func (e *Expression) run(env Env) (any, error) {
	vars, missing := e.variables(env)
	out, err := expr.Run(e.program, vars)
	if err == nil && out != nil {
		return out, nil
	}
	if len(missing) > 0 {
		return nil, &NotMeasuredError{Expression: e.source, Missing: missing}
	}
	if err == nil {
		err = errors.New("no result")
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	return nil, fmt.Errorf("evaluate %q: %s", e.source, message)
}

// variables builds the environment from what the expression names, and lists what is missing in it.
func (e *Expression) variables(env Env) (vars map[string]any, missing []string) {
	vars = constants()
	vars["code"] = func(name string) bool { return env.Codes[name] }
	for _, ref := range e.metrics {
		value, ok := env.Metrics[ref.Scenario][ref.Metric]
		if !ok {
			setPath(vars, ref, nil)
			if !ref.Optional {
				missing = append(missing, ref.String())
			}
			continue
		}
		setPath(vars, ref, value)
	}
	slices.Sort(missing)
	vars["value"], vars["reference"] = nil, nil
	if env.Value != nil {
		vars["value"] = *env.Value
	} else if e.needsValue {
		missing = append(missing, "value")
	}
	if env.Reference != nil {
		vars["reference"] = *env.Reference
	} else if e.needsReference {
		missing = append(missing, "reference")
	}
	return vars, missing
}

// setPath puts a value at scenario.a.b in nested maps.
func setPath(vars map[string]any, ref MetricRef, value any) {
	parts := append([]string{ref.Scenario}, strings.Split(ref.Metric, ".")...)
	at := vars
	for _, part := range parts[:len(parts)-1] {
		next, ok := at[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[part] = next
		}
		at = next
	}
	at[parts[len(parts)-1]] = value
}
