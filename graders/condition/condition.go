// Package condition evaluates expressions over what a submission answered: conditions that an answer must meet, and values that are taken
// from it. They are written by whoever writes a challenge; what they are evaluated over is written by a submission, so no answer can
// make one fail in any other way than being false or having no value.
package condition

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/assay-run/assay/internal/schemas"
)

const (
	// maxNodes bounds the size of one expression.
	maxNodes = 500
	// budget bounds the values that one evaluation makes: enough for some lists of a million.
	budget = 50_000_000
)

// Expression is a compiled expression. It is immutable.
type Expression struct {
	source  string
	program *vm.Program
}

// SyntaxError says where an expression is wrong.
type SyntaxError struct {
	Offset  int // characters before the mistake
	Message string
	// Unknown is the name that has no meaning, when that is the mistake.
	Unknown string
}

// Error is the message.
func (e *SyntaxError) Error() string { return e.Message }

// Bool compiles a condition over the variables of env, of which the types count; nil stands for one of any type. Its error is a
// *SyntaxError.
func Bool(source string, env map[string]any) (*Expression, error) {
	return compile(source, env, expr.AsBool())
}

// Value compiles an expression that yields any value.
func Value(source string, env map[string]any) (*Expression, error) {
	return compile(source, env)
}

func compile(source string, env map[string]any, more ...expr.Option) (*Expression, error) {
	shape := types.Map{}
	for name, v := range env {
		shape[name] = types.Any
		if v != nil {
			shape[name] = types.TypeOf(v)
		}
	}
	shape[stepName] = types.TypeOf(step(0))
	options := []expr.Option{expr.Env(shape), expr.MaxNodes(maxNodes), expr.DisableBuiltin("now"), expr.DisableBuiltin("repeat"), expr.Patch(stepping{})}
	program, err := expr.Compile(source, append(options, more...)...)
	if err == nil {
		return &Expression{source, program}, nil
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	offset := 0
	var located *file.Error
	if errors.As(err, &located) {
		message, offset = located.Message, located.From
	}
	message = strings.NewReplacer("expected bool, but got", "it must be true or false, but is", "interface {}", "unknown").Replace(message)
	message = token.ReplaceAllString(message, "$1 is not expected here")
	wrong := &SyntaxError{Offset: offset, Message: message}
	if name, ok := strings.CutPrefix(message, "unknown name "); ok {
		wrong.Unknown = name
		if near := schemas.Nearest(name, slices.Concat(slices.Collect(maps.Keys(env)), builtin.Names)); near != "" {
			wrong.Message += "; did you mean " + near + "?"
		} else {
			wrong.Message += fmt.Sprintf("; there are %s, and the functions of the language", strings.Join(slices.Sorted(maps.Keys(env)), ", "))
		}
	}
	if offset > 0 {
		wrong.Message += fmt.Sprintf(" (character %d, at %s)", offset+1, excerpt(source, offset))
	}
	return nil, wrong
}

// token is how the library names what it does not expect.
var token = regexp.MustCompile(`unexpected token [A-Za-z]+\((".*")\)`)

// excerpt quotes the text of an expression from a character on.
func excerpt(source string, from int) string {
	const most = 20
	runes := []rune(source)
	rest := runes[min(from, len(runes)):]
	if len(rest) == 0 {
		return "its end"
	}
	return schemas.Quote(string(rest[:min(most, len(rest))]))
}

// String returns the source.
func (e *Expression) String() string { return e.source }

// Holds evaluates a condition; why says what kept it from having an answer, which makes it false.
func (e *Expression) Holds(vars map[string]any) (yes bool, why string) {
	out, why := e.Get(vars)
	yes, ok := out.(bool)
	if why == "" && !ok {
		why = fmt.Sprintf("it is %T instead of true or false", out)
	}
	return yes && ok, why
}

// Get evaluates an expression; why says what kept it from having a value.
func (e *Expression) Get(vars map[string]any) (value any, why string) { return e.within(longest, vars) }

// within evaluates for so long at most.
func (e *Expression) within(limit time.Duration, vars map[string]any) (value any, why string) {
	all := make(map[string]any, len(vars)+1)
	maps.Copy(all, vars)
	all[stepName] = step(limit)
	machine := vm.VM{MemoryBudget: budget}
	out, err := machine.Run(e.program, all)
	if err != nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		return nil, message
	}
	return out, ""
}
