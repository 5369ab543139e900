//go:build !linux

package process

import (
	"errors"

	"github.com/assay-run/assay/runner"
)

// Engine cannot be made on this system.
type Engine struct{ runner.Engine }

// New fails: the driver's measurements come from the /proc of Linux.
func New(Config) (*Engine, error) {
	return nil, errors.New("practice without a container engine works on Linux only; install Docker, then run assay setup")
}

// Close does nothing.
func (e *Engine) Close() error { return nil }
