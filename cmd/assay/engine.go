package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/assay-run/assay/internal/scratch"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
	"github.com/assay-run/assay/runner/probe"
	"github.com/assay-run/assay/runner/process"
)

// driverArgs make this binary a driver.
func driverArgs() []string { return []string{"driver"} }

// engineSession is an engine with the session under whose name it makes things.
type engineSession struct {
	runner.Engine
	state   *runner.State
	session *runner.Session
	image   string
	close   func() error
}

// openEngine opens the chosen engine for that major version of Node, and sweeps what crashed sessions have left.
func (a *app) openEngine(ctx context.Context, node string) (_ *engineSession, err error) {
	state, err := runner.OpenState(a.stateDir)
	if err != nil {
		return nil, usagef("Set ASSAY_STATE to a folder that you can write to.", "%w", err)
	}
	session, err := state.NewSession()
	if err != nil {
		return nil, err
	}
	s := &engineSession{state: state, session: session}
	defer func() {
		if err != nil {
			err = errors.Join(err, session.Close())
		}
	}()
	driver, err := a.driverBinary()
	if err != nil {
		return nil, err
	}
	if a.engineName == "process" {
		err = s.openProcess(a, driver)
	} else {
		err = s.openDocker(ctx, a, driver, node)
	}
	if err != nil {
		return nil, err
	}
	if err := s.sweep(ctx, a); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// sweep removes what sessions that are no longer alive have left behind.
func (s *engineSession) sweep(ctx context.Context, a *app) error {
	swept, err := s.Sweep(ctx)
	if err != nil {
		return fmt.Errorf("sweep what earlier sessions left: %w", err)
	}
	if n := swept.Containers + swept.Volumes + swept.Networks; n > 0 {
		fmt.Fprintf(a.err, "  removed %d things that an interrupted session had left\n", n)
	}
	if _, err := scratch.Sweep(""); err != nil {
		return err
	}
	return s.state.Prune()
}

func (s *engineSession) openProcess(a *app, driver string) error {
	path, _ := a.env("PATH")
	engine, err := process.New(process.Config{
		Session: s.session.ID, StateID: s.state.ID(), SessionAlive: s.state.Alive, Dir: os.TempDir(), Path: path,
		DriverBinary: driver, DriverArgs: driverArgs(),
		ProbeSource: probe.Source(), DiagnoseSource: probe.DiagnoseSource(), Logger: a.log,
	})
	if err != nil {
		return err
	}
	s.Engine, s.image, s.close = engine, "", engine.Close
	return nil
}

func (s *engineSession) openDocker(ctx context.Context, a *app, driver, node string) error {
	major, err := strconv.Atoi(node)
	if err != nil {
		return usagef("Use --node 22, 24 or 26.", "%q is no version of Node", node)
	}
	s.image = docker.RunImage(major)
	var profile docker.SeccompProfile
	if a.seccomp != "" {
		if profile, err = docker.ReadSeccompProfile(a.seccomp); err != nil {
			return usagef("Give --seccomp (or ASSAY_SECCOMP) a profile in Docker's format.", "%w", err)
		}
	}
	upstream, ok := a.env("HTTPS_PROXY")
	if !ok {
		upstream, _ = a.env("https_proxy")
	}
	engine, err := docker.New(ctx, docker.Config{
		Host: a.dockerHost, Session: s.session.ID, StateID: s.state.ID(), SessionAlive: s.state.Alive,
		DriverBinary: driver, DriverArgs: driverArgs(),
		Image: s.image, BuildImage: docker.BuildImage(major),
		ProbeSource: probe.Source(), DiagnoseSource: probe.DiagnoseSource(), CABundle: a.caBundle, Logger: a.log,
		Runtime: a.runtime, Seccomp: profile,
		Egress: docker.Egress{Args: []string{egressName}, Upstream: upstream}, DiskWatchArgs: []string{diskWatchName},
	})
	if errors.Is(err, docker.ErrNotOffered) {
		return usagef("Set the engine up for it, or leave out --runtime and --seccomp, ASSAY_RUNTIME and ASSAY_SECCOMP.", "%w", err)
	}
	if err != nil {
		return err
	}
	s.Engine, s.close = engine, engine.Close
	return nil
}

// closeWithin bounds the last look at the engine.
const closeWithin = 30 * time.Second

// Close ends the session, and removes what could not be removed before because the engine was away for a moment.
func (s *engineSession) Close() error {
	err := s.session.Close() // from here on it is dead, so its own things are swept with those of others
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	_, swept := s.Sweep(ctx)
	return errors.Join(err, swept, s.close())
}

// driverBinary is the program that the driver image is made of: this one, or what ASSAY_DRIVER names (a static linux
// build, for use from another system).
func (a *app) driverBinary() (string, error) {
	if name, ok := a.env("ASSAY_DRIVER"); ok && name != "" {
		return name, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own executable: %w", err)
	}
	return filepath.EvalSymlinks(self)
}
