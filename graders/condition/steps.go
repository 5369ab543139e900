package condition

import (
	"errors"
	"time"

	"github.com/expr-lang/expr/ast"
)

const (
	// longest is how long one evaluation may take. What it is made over comes from a submission, so a loop within a loop could take for ever.
	longest = 5 * time.Second
	// stepsBetween is after how many steps of loops the clock is looked at.
	stepsBetween = 64
	// stepName is what the check of time is called within an expression; nobody can write it there.
	stepName = "a step"
)

var errTooLong = errors.New("it takes longer than 5 s over what was answered")

// stepping puts a check of time ahead of every predicate, which is what the loops of the language have in common.
type stepping struct{}

// Visit implements ast.Visitor.
func (stepping) Visit(node *ast.Node) {
	if p, ok := (*node).(*ast.PredicateNode); ok {
		p.Node = &ast.SequenceNode{Nodes: []ast.Node{&ast.CallNode{Callee: &ast.IdentifierNode{Value: stepName}}, p.Node}}
	}
}

// step is the check itself, for one evaluation. The library turns what it panics with into an error of the evaluation.
func step(limit time.Duration) func(...any) any {
	began, n := time.Now(), 0
	return func(...any) any {
		if n++; n%stepsBetween == 0 && time.Since(began) > limit {
			panic(errTooLong)
		}
		return nil
	}
}
