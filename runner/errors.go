package runner

import "errors"

// Faults of ours or of the machine. Compare with errors.Is; each wraps a sentence that says what to do next.
var (
	// ErrEngineDown means that the container engine does not answer or went away.
	ErrEngineDown = errors.New("engine is not reachable")
	// ErrEngineFault means that the engine answers but failed at what it was asked for. It may well work the next time.
	ErrEngineFault = errors.New("engine failed")
	// ErrMeddled means that somebody else ended, paused or removed a container of a run or a build by way of the engine.
	ErrMeddled = errors.New("somebody else interfered with a container of the grading")
	// ErrEngineFull means that the engine's disk has no room left.
	ErrEngineFull = errors.New("the disk of the container engine is full")
	// ErrImageMissing means that an image that set-up makes is not there.
	ErrImageMissing = errors.New("image is missing")
	// ErrNoServices means that the engine has no services, such as databases.
	ErrNoServices = errors.New("this engine has no services")
	// ErrDriver means that our own driver failed or broke the protocol.
	ErrDriver = errors.New("driver failed")
)
