package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/assay-run/assay/graders/dataset"
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

// faultError is a fault of the machine or of ours with a next step of its own.
type faultError struct {
	err  error
	next string
}

func (e *faultError) Error() string { return e.err.Error() }

func (e *faultError) Unwrap() error { return e.err }

func faultf(next, format string, args ...any) error {
	return &faultError{err: fmt.Errorf(format, args...), next: next}
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
	case diskFull(err): // whatever it kept from being written
		return exitInfrastructure
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

// diskFull says that something could not be written because there was no room.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		errors.Is(err, dataset.ErrNoSpace) || errors.Is(err, runner.ErrEngineFull)
}

// nextStep is what to do about an infrastructure fault.
func (a *app) nextStep(err error) string {
	const free = "Nothing was charged to the submission. "
	if fault := (*faultError)(nil); errors.As(err, &fault) {
		return fault.next
	}
	switch {
	case errors.Is(err, runner.ErrEngineDown):
		return free + "Run `assay doctor` to see what the engine lacks, or use --engine process for practice."
	case errors.Is(err, runner.ErrImageMissing):
		return free + "Run `assay setup` once, with the options named above if there are any; it makes the images."
	case errors.Is(err, runner.ErrEngineFull):
		return free + "Free some space on the engine's disk (`docker system df` shows what takes it), and run it again."
	case errors.Is(err, runner.ErrMeddled):
		return free + "See who else uses the engine (`docker events --since 1h` shows what was done), and run it again."
	case errors.Is(err, dataset.ErrNoSpace):
		return free + "Make room as said above, and run it again."
	case diskFull(err):
		return free + a.makeRoom(err)
	default:
		return free + "Run `assay doctor`; if it finds nothing, try again with -v."
	}
}

// makeRoom says where there was no room, and which setting names another place.
func (a *app) makeRoom(err error) string {
	name := ""
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		name = path.Path
	case errors.As(err, &link):
		name = link.New
	}
	for _, place := range []struct{ dir, setting string }{
		{a.cacheDir, "--cache"}, {a.stateDir, "ASSAY_STATE"}, {os.TempDir(), "TMPDIR"},
	} {
		if rel, err := filepath.Rel(place.dir, name); err == nil && filepath.IsLocal(rel) {
			return fmt.Sprintf("The disk of %s is full: free some space there, or choose another folder with %s, and run it again.", place.dir, place.setting)
		}
	}
	if name == "" {
		return "Free some space on the disk, and run it again."
	}
	return fmt.Sprintf("The disk of %s is full: free some space there, or choose another folder, and run it again.", filepath.Dir(name))
}
