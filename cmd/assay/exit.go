package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/runner"
)

// The exit codes of every command. docs/cli.md and --help carry the same table.
const (
	exitPass           = 0   // done; for a grading: at or above the pass mark
	exitFail           = 1   // graded below the pass mark, or withheld for a human
	exitUsage          = 2   // wrong usage or unusable input
	exitInfrastructure = 3   // a fault of ours or of the machine; nothing is charged to the submission
	exitInvalid        = 4   // the grading stayed invalid after its repeats
	exitInterrupted    = 130 // ended by a signal
)

const exitTable = `Exit codes:
  0    graded, at or above the pass mark (other commands: done)
  1    graded below the pass mark, or withheld because of signs of tampering
  2    wrong usage or unusable input
  3    fault of the machine or of assay itself; nothing is charged to the submission
  4    the grading was invalid, also after its repeats
  130  ended by a signal`

// errInterrupted is the cause of a context that a signal has cancelled.
var errInterrupted = errors.New("interrupted")

// usageError marks what the person at the keyboard can mend.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string {
	if e.hint == "" {
		return e.err.Error()
	}
	return e.err.Error() + "\n  " + e.hint
}

func (e *usageError) Unwrap() error { return e.err }

func usagef(hint, format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), hint: hint}
}

// verdictError carries the outcome of a grading to the exit code; it is not printed.
type verdictError struct{ verdict grading.Verdict }

func (e *verdictError) Error() string { return "verdict: " + string(e.verdict) }

// errDone ends a command with exit code 1 after it has said itself what is wrong.
var errDone = errors.New("done, with findings")

// exitCode maps an error of a command to the table.
func exitCode(ctx context.Context, err error) int {
	var verdict *verdictError
	var usage *usageError
	var refused *intake.Error
	switch {
	case err == nil:
		return exitPass
	case errors.Is(context.Cause(ctx), errInterrupted):
		return exitInterrupted
	case errors.As(err, &verdict):
		return verdictCode(verdict.verdict)
	case errors.Is(err, errDone):
		return exitFail
	case errors.As(err, &usage), errors.As(err, &refused):
		return exitUsage
	default:
		return exitInfrastructure
	}
}

func verdictCode(v grading.Verdict) int {
	switch v {
	case grading.Pass:
		return exitPass
	case grading.Invalid:
		return exitInvalid
	default:
		return exitFail
	}
}

// nextStep is what to do about an infrastructure fault, empty when there is nothing better than the error itself.
func nextStep(err error) string {
	switch {
	case errors.Is(err, runner.ErrEngineDown):
		return "Nothing was charged to the submission. Run `assay doctor` to see what the engine lacks, or use --engine process for practice."
	case errors.Is(err, runner.ErrImageMissing):
		return "Run `assay setup` once; it makes the images."
	default:
		return "Nothing was charged to the submission. Run `assay doctor`; if it finds nothing, try again with -v."
	}
}
