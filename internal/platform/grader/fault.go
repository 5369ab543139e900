package grader

import (
	"errors"
	"syscall"

	"github.com/assay-run/assay/graders/dataset"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/runner"
)

// FaultKind says what has kept a grading from being made.
type FaultKind string

// The kinds.
const (
	FaultEngine    FaultKind = "engine"    // it is down, or failed at what it was asked for
	FaultMissing   FaultKind = "missing"   // an image, or a service that this engine has not
	FaultDisk      FaultKind = "disk"      // no room, here or on the engine's disk
	FaultMeddled   FaultKind = "meddled"   // somebody else interfered with a container
	FaultRefused   FaultKind = "refused"   // intake takes here what it was handed no longer
	FaultChallenge FaultKind = "challenge" // it is not here, or in another version
	FaultOther     FaultKind = "other"     // a fault of ours without a kind
)

// FaultError is why a grading was not made: a fault of ours or of the machine. It is for those who run the installation.
type FaultError struct {
	Kind FaultKind
	Err  error
}

// Error says what was wrong and what to do next.
func (f *FaultError) Error() string { return f.Err.Error() + ". " + f.Next() }

// Unwrap returns the cause.
func (f *FaultError) Unwrap() error { return f.Err }

// Next is what to do next.
func (f *FaultError) Next() string {
	switch f.Kind {
	case FaultEngine:
		return "Run `assay doctor` on the worker's machine to see what the engine lacks."
	case FaultMissing:
		return "Run `assay setup` on the worker's machine, with --nodes or --services for what is named above."
	case FaultDisk:
		return "Make room on the worker's machine; `assay clean` removes data sets."
	case FaultMeddled:
		return "See who else uses the worker's engine: `docker events --since 1h` shows what was done."
	case FaultRefused:
		return "Server and worker read submissions differently: give both the same version of assay."
	case FaultChallenge:
		return "Give server and worker the same version of assay, and the same --challenges."
	default:
		return "Run `assay doctor` on the worker's machine; the worker's log may say more."
	}
}

// faultOf tells what kind of fault an error is.
func faultOf(err error) *FaultError {
	if known := (*FaultError)(nil); errors.As(err, &known) {
		return known
	}
	is := func(these ...error) bool {
		for _, one := range these {
			if errors.Is(err, one) {
				return true
			}
		}
		return false
	}
	refused := (*intake.Error)(nil)
	kind := FaultOther
	switch {
	case is(syscall.ENOSPC, syscall.EDQUOT, dataset.ErrNoSpace, dataset.ErrLimit, runner.ErrEngineFull):
		kind = FaultDisk
	case is(runner.ErrImageMissing, runner.ErrNoServices):
		kind = FaultMissing
	case is(runner.ErrMeddled):
		kind = FaultMeddled
	case is(runner.ErrEngineDown, runner.ErrEngineFault, runner.ErrDriver):
		kind = FaultEngine
	case errors.As(err, &refused):
		kind = FaultRefused
	}
	return &FaultError{Kind: kind, Err: err}
}
