package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/assay-run/assay/runner/docker"
)

// Options say what Ensure makes.
type Options struct {
	// Host is the address of the engine; empty takes that of the environment. An engine whose address is given is never
	// installed.
	Host string
	// StateDir is where the lock of set-up lies. Required.
	StateDir string
	// WorkDir holds about 500 MB while a base is made; empty takes the system's temporary directory.
	WorkDir string
	// Majors are the versions of Node, of 22, 24 and 26; 24 unless set.
	Majors []int
	// Services are those to make images of, of docker.ServiceNames; none unless set.
	Services []string
	// Platform is the static assay binary for Linux that the images of the platform are made of, for docker-compose.yml. Empty: none
	// are made.
	Platform string
	// Rebuild makes images anew although they are there.
	Rebuild bool
	// CheckOnly changes nothing and fails when something is missing.
	CheckOnly bool
	// Progress gets a line whenever something begins or ends. Nil discards them.
	Progress func(line string)
}

// setup is one call of Ensure.
type setup struct {
	opts Options
	m    machine
}

// Ensure makes what is missing: the engine, then the images. What is there is left as it is, so it may be called any
// number of times, also by several processes at once. Its errors end with what to do next.
func Ensure(ctx context.Context, opts Options) (err error) {
	s, err := newSetup(opts, host{})
	if err != nil {
		return err
	}
	if !opts.CheckOnly {
		release, err := lock(ctx, opts.StateDir, func(line string) { s.say("%s", line) })
		if err != nil {
			return err
		}
		defer func() { _ = release() }() // closing the file is all there is to it
	}
	images, err := docker.OpenImages(opts.Host)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, images.Close()) }()
	status, err := s.ensureEngine(ctx, images)
	if err != nil {
		return fmt.Errorf("set up engine: %w", err)
	}
	for _, major := range s.opts.Majors {
		if err := s.ensureImages(ctx, images, status, major); err != nil {
			return fmt.Errorf("set up images of Node %d: %w", major, err)
		}
	}
	for _, name := range s.opts.Services {
		if err := s.ensureService(ctx, images, name); err != nil {
			return fmt.Errorf("set up image of %s: %w", name, err)
		}
	}
	if s.opts.Platform != "" {
		return s.ensurePlatform(ctx, images)
	}
	return nil
}

func newSetup(opts Options, m machine) (*setup, error) {
	if opts.StateDir == "" && !opts.CheckOnly {
		return nil, errors.New("configure set-up: StateDir is empty")
	}
	if len(opts.Majors) == 0 {
		opts.Majors = []int{24}
	}
	for _, major := range opts.Majors {
		if _, ok := npmMajors()[major]; !ok {
			return nil, fmt.Errorf("configure set-up: Node %d is not supported; choose of %v", major, supported())
		}
	}
	for _, name := range opts.Services {
		if _, err := docker.ServiceImage(name); err != nil {
			return nil, fmt.Errorf("configure set-up: %w", err)
		}
	}
	return &setup{opts: opts, m: m}, nil
}

func supported() []int {
	var list []int
	for major := range npmMajors() {
		list = append(list, major)
	}
	slices.Sort(list)
	return list
}

func (s *setup) say(format string, args ...any) {
	if s.opts.Progress != nil {
		s.opts.Progress(fmt.Sprintf(format, args...))
	}
}
