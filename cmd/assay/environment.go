package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner/docker"
)

// environment is what a grading records of the machine beyond what the engine says of itself.
func (a *app) environment(ctx context.Context, e *engineSession) (evidence.Environment, error) {
	env := evidence.Environment{
		Arch: runtime.GOARCH, CPUModel: cpuModel(), AssayVersion: assayVersion(), Image: e.image,
	}
	if e.image == "" {
		out, err := exec.CommandContext(ctx, "node", "--version").Output()
		if err != nil {
			return env, usagef("Install Node.js 20 or newer, or use --engine docker.", "run node: %w", err)
		}
		env.Node = strings.TrimSpace(string(out))
		return env, nil
	}
	images, err := docker.OpenImages(a.dockerHost)
	if err != nil {
		return env, err
	}
	defer images.Close()
	image, err := images.Inspect(ctx, e.image)
	if err != nil {
		return env, fmt.Errorf("look for the image of submissions: %w", err)
	}
	env.ImageDigest, env.Node = image.ID, image.Labels[docker.LabelNode]
	return env, nil
}

// cpuModel is the name of the processor, empty where the system does not tell.
func cpuModel() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
