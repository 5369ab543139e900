package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

// checkServices sees before anything is built that the services of a challenge can be had here.
func (a *app) checkServices(ctx context.Context, ch *challenges.Challenge) (err error) {
	names := ch.Services()
	if len(names) == 0 {
		return nil
	}
	if a.engineName == "process" {
		return usagef("Grade it with --engine docker.", "challenge %s needs %s beside the submission: %w", ch.ID, names[0], runner.ErrNoServices)
	}
	images, err := docker.OpenImages(a.dockerHost)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, images.Close()) }()
	for _, name := range names {
		ref, err := docker.ServiceImage(name)
		if err != nil {
			return fmt.Errorf("prepare challenge %s: %w", ch.ID, err)
		}
		_, err = images.Inspect(ctx, ref)
		if errors.Is(err, runner.ErrImageMissing) {
			return docker.MissingService(name, ref)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
