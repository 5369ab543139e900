// Package process runs pods as plain processes of this machine, for practice where there is no container engine.
//
// It bounds what it can without privileges (file sizes, open files, cores) and ends everything a submission leaves, but
// it is no sandbox: a submission sees the machine and its network, and no memory limit but that of the driver's sampler
// holds it. It works on Linux only.
package process

import (
	"errors"
	"fmt"
	"log/slog"
)

// Config says how an Engine works. Session, StateID, Dir and DriverBinary are required.
type Config struct {
	// Session is the id of this process' session.
	Session string
	// StateID identifies the state directory of this machine; see Sweep.
	StateID string
	// SessionAlive says whether a session still runs. Nil means that every session does, so that Sweep removes nothing.
	SessionAlive func(session string) bool
	// Dir is where directories of sessions are made, e.g. that for temporary files. Where this process is root,
	// submissions run as another user, who must be able to pass through it.
	Dir string
	// DriverBinary and DriverArgs are the command of the driver.
	DriverBinary string
	DriverArgs   []string
	// Path is the PATH of submissions; "/usr/local/bin:/usr/bin:/bin" unless set.
	Path string
	// ProbeSource is staged beside each submission as probe.mjs.
	ProbeSource []byte
	// DiagnoseSource is staged as diagnose.mjs, for diagnostic runs; empty where there are none.
	DiagnoseSource []byte
	// Logger gets timings at debug level. Nil discards them.
	Logger *slog.Logger
}

// Validate says what is missing.
func (c Config) Validate() error {
	var errs []error
	for _, f := range []struct{ name, value string }{
		{"Session", c.Session}, {"StateID", c.StateID}, {"Dir", c.Dir}, {"DriverBinary", c.DriverBinary},
	} {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("configure process engine: %s is empty", f.name))
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Path == "" {
		c.Path = "/usr/local/bin:/usr/bin:/bin"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
