package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

const (
	// minAPI is the oldest Docker API whose engine can do what a pod needs (19.03).
	minAPI = "1.40"
	// installTimeout bounds apt-get; slow mirrors are normal.
	installTimeout = 10 * time.Minute
	// engineTimeout bounds the start of the engine.
	engineTimeout = 60 * time.Second
	engineLog     = "/var/log/assay-dockerd.log"
)

// installHint is what a person does where set-up may not.
const installHint = "Install a container engine that speaks the Docker API: docker.io on Debian and Ubuntu, Docker Desktop or " +
	"Colima on a Mac; start it and see that `docker version` shows a server. Or practise without one: --engine process."

// engineStatus is what set-up needs of an engine, so that tests need none.
type engineStatus interface {
	Status(ctx context.Context) (docker.EngineStatus, error)
}

// ensureEngine uses the engine that answers. When none does, and this is root on Debian or Ubuntu and the engine is meant
// to be local, it installs and starts one.
func (s *setup) ensureEngine(ctx context.Context, engine engineStatus) (docker.EngineStatus, error) {
	status, err := engine.Status(ctx)
	if err == nil {
		s.say("engine: Docker API %s, version %s", status.APIVersion, status.Version)
		return status, checkEngine(status)
	}
	if !errors.Is(err, runner.ErrEngineDown) {
		return status, err
	}
	if s.opts.CheckOnly || s.opts.Host != "" {
		return status, fmt.Errorf("%w\n%s", err, installHint)
	}
	if lacking := debianLike(s.m); lacking != nil {
		return status, fmt.Errorf("%w\nIt is not installed for you: %w. %s", err, lacking, installHint)
	}
	if err := s.installEngine(ctx); err != nil {
		return status, err
	}
	if err := s.startEngine(ctx); err != nil {
		return status, err
	}
	if status, err = s.awaitEngine(ctx, engine); err != nil {
		return status, err
	}
	return status, checkEngine(status)
}

func checkEngine(status docker.EngineStatus) error {
	if olderAPI(status.APIVersion, minAPI) {
		return fmt.Errorf("the engine speaks Docker API %s, and at least %s is needed: update it", status.APIVersion, minAPI)
	}
	return nil
}

func (s *setup) installEngine(ctx context.Context) error {
	if s.m.Has("dockerd") {
		return nil
	}
	s.say("engine: installing docker.io")
	// iptables is what the engine makes its bridge with, and only a recommendation of the package.
	return s.install(ctx, "docker.io", "iptables")
}

// install installs Debian packages.
func (s *setup) install(ctx context.Context, packages ...string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, installTimeout, fmt.Errorf("no end after %s", installTimeout))
	defer cancel()
	if _, err := s.m.Run(ctx, "apt-get", "update"); err != nil {
		return fmt.Errorf("update package lists: %w", err)
	}
	argv := append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, packages...)
	if _, err := s.m.Run(ctx, argv...); err != nil {
		return fmt.Errorf("install %s: %w", strings.Join(packages, " "), err)
	}
	return nil
}

// startEngine starts dockerd as a service where systemd runs, else as a process of its own.
func (s *setup) startEngine(ctx context.Context) error {
	if s.systemd() {
		s.say("engine: starting the docker service")
		if _, err := s.m.Run(ctx, "systemctl", "enable", "--now", "docker.service"); err != nil {
			return fmt.Errorf("start docker service: %w", err)
		}
		return nil
	}
	s.say("engine: starting dockerd, log in %s", engineLog)
	if err := s.m.Start(engineLog, "dockerd"); err != nil {
		return fmt.Errorf("start engine: %w", err)
	}
	return nil
}

// systemd says whether PID 1 is systemd.
func (s *setup) systemd() bool {
	comm, err := s.m.ReadFile("/proc/1/comm")
	return err == nil && strings.TrimSpace(string(comm)) == "systemd"
}

func (s *setup) awaitEngine(ctx context.Context, engine engineStatus) (docker.EngineStatus, error) {
	deadline, cancel := context.WithTimeoutCause(ctx, engineTimeout, fmt.Errorf("no answer after %s", engineTimeout))
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := engine.Status(deadline)
		if err == nil {
			s.say("engine: Docker API %s, version %s", status.APIVersion, status.Version)
			return status, nil
		}
		select {
		case <-deadline.Done():
			log, _ := s.m.ReadFile(engineLog) // none under systemd, whose own message follows
			return status, fmt.Errorf("wait for engine: %w; last: %w\n%s\nSee %s or journalctl -u docker.",
				context.Cause(deadline), err, lastLines(string(log), 15), engineLog)
		case <-tick.C:
		}
	}
}

// olderAPI compares versions like "1.40" number by number. What is no version is older than anything.
func olderAPI(have, want string) bool {
	var h, w [2]int
	if n, err := fmt.Sscanf(have, "%d.%d", &h[0], &h[1]); n != 2 || err != nil {
		return true
	}
	if n, err := fmt.Sscanf(want, "%d.%d", &w[0], &w[1]); n != 2 || err != nil {
		return true
	}
	return h[0] < w[0] || h[0] == w[0] && h[1] < w[1]
}
