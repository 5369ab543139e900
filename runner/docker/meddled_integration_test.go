//go:build integration

package docker_test

import (
	"context"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
	"github.com/assay-run/assay/runner/runnertest"
	"github.com/assay-run/assay/runner/runnertest/lines"
)

// TestCandidateThatSomebodyElseEnds does to the container of a submission what people do by hand, and has a submission do to
// itself what looks alike.
func TestCandidateThatSomebodyElseEnds(t *testing.T) {
	cli, err := client.New(client.FromEnv)
	require.NoError(t, err)
	defer cli.Close()
	e := openEngine(t, docker.Config{Session: "meddled", DriverBinary: runnertest.BuildDriver(t)})
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "meddled", Dir: "testdata/hardening"})
	require.NoError(t, err)
	defer func() { assert.NoError(t, ws.Close(context.WithoutCancel(t.Context()))) }()
	pod, err := e.OpenPod(t.Context(), runner.PodSpec{})
	require.NoError(t, err)
	defer func() {
		assert.ErrorIs(t, pod.Close(context.WithoutCancel(t.Context())), runner.ErrMeddled, "who waits for nothing else is told as well")
	}()

	driver := lines.NewClient(pod.Driver())

	const (
		hang   = "setInterval(() => {}, 1000); require('fs').mkdirSync(process.env.READY)"
		polite = "process.on('SIGTERM', () => process.exit(0)); " + hang
	)
	atOnce := 1
	for _, tt := range []struct {
		name    string
		program string
		does    func(id string) error // nil for nothing
		want    evidence.Exit         // of what it did itself
		text    string
	}{
		{"docker kill", hang, func(id string) error {
			_, err := cli.ContainerKill(t.Context(), id, client.ContainerKillOptions{})
			return err
		}, evidence.Exit{}, "it was sent SIGKILL"},
		{"docker stop", hang, func(id string) error {
			_, err := cli.ContainerStop(t.Context(), id, client.ContainerStopOptions{Timeout: &atOnce})
			return err
		}, evidence.Exit{}, "it was sent SIGTERM"},
		{"docker stop of one that takes it well", polite, func(id string) error {
			_, err := cli.ContainerStop(t.Context(), id, client.ContainerStopOptions{})
			return err
		}, evidence.Exit{}, "it was sent SIGTERM"},
		{"docker restart", hang, func(id string) error {
			_, err := cli.ContainerRestart(t.Context(), id, client.ContainerRestartOptions{Timeout: &atOnce})
			return err
		}, evidence.Exit{}, "it was sent SIGTERM"},
		{"docker rm -f", hang, func(id string) error {
			_, err := cli.ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true})
			return err
		}, evidence.Exit{}, "it was"},
		{"docker pause", hang, func(id string) error {
			if _, err := cli.ContainerPause(t.Context(), id, client.ContainerPauseOptions{}); err != nil {
				return err
			}
			// We end it when its time is over, whatever has kept it.
			_, err := cli.ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true})
			return err
		}, evidence.Exit{}, "it was paused"},
		{"its own signal", "process.kill(process.pid, 'SIGKILL')", nil, evidence.Exit{Status: evidence.Signaled, Code: 137, Signal: "SIGKILL"}, ""},
		{"its own end", "", nil, evidence.Exit{Status: evidence.Exited}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := pod.StartCandidate(t.Context(), runner.CandidateSpec{
				Name: tt.name, Workspace: ws, Argv: []string{"node", "-e", tt.program},
				Env: map[string]string{"READY": path.Join(pod.Paths().Out, tt.name)},
			})
			require.NoError(t, err)
			defer func() { assert.NoError(t, c.Close(t.Context())) }()
			if tt.does != nil {
				require.Eventually(t, func() bool {
					a, err := driver.Ask(lines.Request{Op: lines.OpList, Path: pod.Paths().Out})
					return err == nil && slices.Contains(a.Names, tt.name)
				}, time.Minute, 20*time.Millisecond, "it is up")
				require.NoError(t, tt.does(c.ID()))
			}
			res, err := c.Wait(t.Context())
			if tt.text != "" {
				require.ErrorIs(t, err, runner.ErrMeddled)
				require.ErrorContains(t, err, tt.text)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, res.Exit)
		})
	}
}

// TestPodThatSomebodyElsePauses stops a container for a moment, which goes on afterwards as if nothing had been.
func TestPodThatSomebodyElsePauses(t *testing.T) {
	cli, err := client.New(client.FromEnv)
	require.NoError(t, err)
	defer cli.Close()
	e := openEngine(t, docker.Config{Session: "paused", DriverBinary: runnertest.BuildDriver(t)})
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "paused", Dir: "testdata/hardening"})
	require.NoError(t, err)
	defer func() { assert.NoError(t, ws.Close(context.WithoutCancel(t.Context()))) }()
	for name, paused := range map[string]bool{"paused": true, "left alone": false} {
		t.Run(name, func(t *testing.T) {
			pod, err := e.OpenPod(t.Context(), runner.PodSpec{})
			require.NoError(t, err)
			c, err := pod.StartCandidate(t.Context(), runner.CandidateSpec{
				Name: "x", Workspace: ws, Argv: []string{"node", "-e", "setInterval(() => {}, 1000)"},
			})
			require.NoError(t, err)
			if !paused {
				require.NoError(t, pod.Close(t.Context()))
				return
			}
			_, err = cli.ContainerPause(t.Context(), c.ID(), client.ContainerPauseOptions{})
			require.NoError(t, err)
			_, err = cli.ContainerUnpause(t.Context(), c.ID(), client.ContainerUnpauseOptions{})
			require.NoError(t, err)
			require.ErrorIs(t, pod.Close(t.Context()), runner.ErrMeddled)
		})
	}
	assert.Len(t, left(t, "paused"), 1, "the workspace alone")
}
