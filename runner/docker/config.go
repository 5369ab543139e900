package docker

import (
	"errors"
	"fmt"
	"log/slog"
)

// Config says how an Engine works. Session, StateID, DriverBinary and Image are required.
type Config struct {
	// Host is the address of the container engine, e.g. "unix:///run/docker.sock". Empty takes that of the environment
	// (DOCKER_HOST and its companions), or the default socket.
	Host string
	// Session is the id of this process' session; every object made carries it as a label.
	Session string
	// StateID identifies the state directory of this machine, so that Sweep leaves alone what other machines or users
	// have made on the same engine.
	StateID string
	// SessionAlive says whether a session of this machine still runs. Nil means that every session does, so that Sweep
	// removes nothing.
	SessionAlive func(session string) bool
	// DriverBinary is a static linux executable. It is made into the driver image.
	DriverBinary string
	// DriverArgs are the arguments that make the binary a driver, e.g. ["driver"].
	DriverArgs []string
	// Image is the image submissions run in, e.g. "assay/node:24".
	Image string
	// BuildImage is the image that build steps run in, e.g. "assay/node-build:24". Only Build needs it.
	BuildImage string
	// CABundle is a file of this host with certificates in PEM form, for networks with an authority of their own. Build
	// steps trust them in addition to the usual ones. Empty for none.
	CABundle string
	// Egress is the only way out that build steps have. Only Build needs it.
	Egress Egress
	// DiskWatchArgs make DriverBinary the watch of what a build writes, see diskwatch.Main. ["disk-watch"] unless set.
	DiskWatchArgs []string
	// ProbeSource is staged beside each submission as probe.mjs.
	ProbeSource []byte
	// DiagnoseSource is staged as diagnose.mjs, for diagnostic runs; empty where there are none.
	DiagnoseSource []byte
	// Runtime is the OCI runtime of every container that runs a submission or shares namespaces with one, as the engine
	// knows it, e.g. "runsc". Empty takes the engine's default.
	Runtime string
	// Seccomp is the profile of every container, in place of our own. The zero value keeps that.
	Seccomp SeccompProfile
	// Logger gets timings at debug level. Nil discards them.
	Logger *slog.Logger
}

// Validate says what is missing.
func (c Config) Validate() error {
	var errs []error
	for _, f := range []struct{ name, value string }{
		{"Session", c.Session}, {"StateID", c.StateID}, {"DriverBinary", c.DriverBinary}, {"Image", c.Image},
	} {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("configure docker engine: %s is empty", f.name))
		}
	}
	return errors.Join(errs...)
}
