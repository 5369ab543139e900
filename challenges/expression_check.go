package challenges

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
)

// checkExpression parses source, refuses whatever is outside the language, and finds the metrics it names. The types
// are checked later, by the expression library.
func checkExpression(source string, scope Scope) (*Expression, error) {
	config := conf.CreateNew()
	for _, option := range languageOptions(scope) {
		option(config)
	}
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		return nil, expressionError(source, err)
	}
	c := checker{source: source, scope: scope, metrics: map[string]MetricRef{}}
	if err := c.node(tree.Node, false); err != nil {
		return nil, err
	}
	c.out.metrics = slices.SortedFunc(maps.Values(c.metrics), func(a, b MetricRef) int {
		return cmp.Compare(a.String(), b.String())
	})
	return &c.out, nil
}

// checker walks one expression.
type checker struct {
	source  string
	scope   Scope
	metrics map[string]MetricRef
	out     Expression
}

func (c *checker) fail(n ast.Node, format string, args ...any) error {
	return &ExpressionError{Expression: c.source, Offset: n.Location().From, Message: fmt.Sprintf(format, args...)}
}

// node checks n. optional says that a "??" stands ready should n be nil.
func (c *checker) node(n ast.Node, optional bool) error {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return nil
	case *ast.ChainNode:
		return c.node(n.Node, optional)
	case *ast.IdentifierNode:
		return c.name(n, optional)
	case *ast.MemberNode:
		return c.metric(n, optional)
	case *ast.UnaryNode:
		return c.node(n.Node, false)
	case *ast.BinaryNode:
		return c.binary(n, optional)
	case *ast.ConditionalNode:
		return c.all(false, n.Cond, n.Exp1, n.Exp2)
	case *ast.CallNode:
		return c.call(n)
	default:
		return c.fail(n, "%s is not part of the expression language; use numbers, metrics, operators and %s",
			n.String(), strings.Join(functionNames(), ", "))
	}
}

func (c *checker) all(optional bool, nodes ...ast.Node) error {
	for _, n := range nodes {
		if err := c.node(n, optional); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) binary(n *ast.BinaryNode, optional bool) error {
	switch n.Operator {
	case "??":
		if err := c.node(n.Left, true); err != nil {
			return err
		}
		return c.node(n.Right, optional)
	case "+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "&&", "or", "||":
		return c.all(false, n.Left, n.Right)
	default:
		return c.fail(n, "operator %q is not part of the expression language; use + - * / < <= > >= == != and or not ?? ?:", n.Operator)
	}
}

// name checks a lone name: value, reference, a constant, or a mistake.
func (c *checker) name(n *ast.IdentifierNode, optional bool) error {
	if _, ok := constants()[n.Value]; ok {
		return nil
	}
	if n.Value == "value" || n.Value == "reference" {
		if !c.scope.Compared {
			return c.fail(n, "%s has no meaning here; it exists only in score and codes of a criterion", n.Value)
		}
		c.out.usesReference = c.out.usesReference || n.Value == "reference"
		c.out.needsValue = c.out.needsValue || (n.Value == "value" && !optional)
		c.out.needsReference = c.out.needsReference || (n.Value == "reference" && !optional)
		return nil
	}
	if docs, ok := c.scope.Scenarios[n.Value]; ok {
		return c.fail(n, "%s is a scenario, not a number; name one of its metrics%s", n.Value, example(n.Value, docs))
	}
	known := slices.Concat(slices.Collect(maps.Keys(c.scope.Scenarios)), slices.Collect(maps.Keys(constants())))
	if c.scope.Compared {
		known = append(known, "value", "reference")
	}
	return c.fail(n, "%s is not known%s", n.Value, schemas.Choices(n.Value, known))
}

// metric checks a chain of names: scenario.metric.
func (c *checker) metric(n *ast.MemberNode, optional bool) error {
	chain, ok := members(n)
	if !ok {
		return c.fail(n, "%s is not a metric; write scenario.metric, e.g. main.mem.peak", n.String())
	}
	if len(c.scope.Scenarios) == 0 {
		return c.fail(root(n), "%s: metrics are not known here, only value and reference", n.String())
	}
	scenario, name := chain[0], strings.Join(chain[1:], ".")
	docs, ok := c.scope.Scenarios[scenario]
	if !ok {
		known := slices.Collect(maps.Keys(c.scope.Scenarios))
		return c.fail(root(n), "there is no scenario %q%s", scenario, schemas.Choices(scenario, known))
	}
	if !slices.ContainsFunc(docs, func(d evidence.MetricDoc) bool { return d.Name == name }) {
		known := make([]string, 0, len(docs))
		for _, d := range docs {
			known = append(known, d.Name)
		}
		return c.fail(root(n), "scenario %s has no metric %q%s", scenario, name, schemas.Choices(name, known))
	}
	ref := MetricRef{Scenario: scenario, Metric: name, Optional: optional}
	if before, ok := c.metrics[ref.String()]; ok {
		ref.Optional = ref.Optional && before.Optional
	}
	c.metrics[ref.String()] = ref
	return nil
}

// call checks a function, the number of its arguments, and what is constant among them.
func (c *checker) call(n *ast.CallNode) error {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.fail(n, "%s cannot be called", n.Callee.String())
	}
	f, ok := functions()[callee.Value]
	if !ok {
		return c.fail(n, "there is no function %q%s", callee.Value, schemas.Choices(callee.Value, functionNames()))
	}
	if len(n.Arguments) < f.least || (f.most >= 0 && len(n.Arguments) > f.most) {
		return c.fail(n, "%s takes %s; it got %d arguments", callee.Value, f.usage, len(n.Arguments))
	}
	if callee.Value == "code" {
		return c.code(n)
	}
	if err := c.all(false, n.Arguments...); err != nil {
		return err
	}
	return c.thresholds(n, callee.Value)
}

// code checks that code("X") names a reason code.
func (c *checker) code(n *ast.CallNode) error {
	name, ok := n.Arguments[0].(*ast.StringNode)
	if !ok {
		return c.fail(n, `code takes a reason code in quotes, e.g. code("OOM_HEAP")`)
	}
	if message := checkCode(name.Value); message != "" {
		return c.fail(name, "%s", message)
	}
	return nil
}

// thresholds checks that constant thresholds are in an order that gives a score.
func (c *checker) thresholds(n *ast.CallNode, name string) error {
	args := n.Arguments
	if name == "linear" {
		full, okFull := constant(args[1])
		zero, okZero := constant(args[2])
		if okFull && okZero && full == zero {
			return c.fail(n, "linear needs two different thresholds; both are %v", full)
		}
		return nil
	}
	if name != "ratio" && name != "rate" {
		return nil
	}
	full, okFull := constant(args[2])
	zero, okZero := constant(args[3])
	if okFull && okZero && (full < 1 || zero <= full) {
		return c.fail(n, "%s needs 1 <= full < zero; it got full %v and zero %v", name, full, zero)
	}
	if len(args) == 5 {
		floor, ok := constant(args[4])
		if !ok || floor < 0 {
			return c.fail(args[4], "the floor must be a constant of at least 0, e.g. 10 * ms")
		}
		if c.out.floor == 0 {
			c.out.floor = floor
		}
	}
	return nil
}

// members returns the names of a.b.c, and false for anything that is not a plain chain of names.
func members(n *ast.MemberNode) ([]string, bool) {
	property, ok := n.Property.(*ast.StringNode)
	if !ok || n.Optional {
		return nil, false
	}
	switch base := n.Node.(type) {
	case *ast.IdentifierNode:
		return []string{base.Value, property.Value}, true
	case *ast.MemberNode:
		chain, ok := members(base)
		return append(chain, property.Value), ok
	default:
		return nil, false
	}
}

// root returns the first name of a chain: the library gives a member the position of its dot.
func root(n *ast.MemberNode) ast.Node {
	for {
		inner, ok := n.Node.(*ast.MemberNode)
		if !ok {
			return n.Node
		}
		n = inner
	}
}

// constant evaluates arithmetic over numbers and named constants; false when n holds anything else.
func constant(n ast.Node) (float64, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return float64(n.Value), true
	case *ast.FloatNode:
		return n.Value, true
	case *ast.IdentifierNode:
		value, ok := constants()[n.Value].(float64)
		return value, ok
	case *ast.UnaryNode:
		value, ok := constant(n.Node)
		return -value, ok && n.Operator == "-"
	case *ast.BinaryNode:
		left, okLeft := constant(n.Left)
		right, okRight := constant(n.Right)
		if !okLeft || !okRight {
			return 0, false
		}
		switch n.Operator {
		case "+":
			return left + right, true
		case "-":
			return left - right, true
		case "*":
			return left * right, true
		case "/":
			return left / right, true
		}
	}
	return 0, false
}

// example shows how a metric of the scenario is written.
func example(scenario string, docs []evidence.MetricDoc) string {
	if len(docs) == 0 {
		return ""
	}
	return ", e.g. " + scenario + "." + docs[0].Name
}
