//go:build integration

package docker_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
	"github.com/assay-run/assay/runner/runnertest"
)

// TestPodUnderGivenRuntimeAndProfile: a candidate cannot do what the profile refuses, and the whole pod has the runtime.
func TestPodUnderGivenRuntimeAndProfile(t *testing.T) {
	t.Parallel()
	given := seccomp.DefaultProfile()
	for _, rule := range given.Syscalls {
		rule.Names = slices.DeleteFunc(slices.Clone(rule.Names), func(name string) bool { return name == "mkdir" || name == "mkdirat" })
	}
	raw, err := json.Marshal(given)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "profile.json")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	profile, err := docker.ReadSeccompProfile(file)
	require.NoError(t, err)

	const session, runtime = "given-runtime", "io.containerd.runc.v2"
	e := openEngine(t, docker.Config{Session: session, DriverBinary: runnertest.BuildDriver(t), Runtime: runtime, Seccomp: profile})
	info, err := e.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, runtime, info.Runtime)
	assert.Equal(t, profile.Digest, info.Seccomp)
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: session, Dir: t.TempDir()})
	require.NoError(t, err)
	defer func() {
		assert.NoError(t, ws.Close(context.Background()))
		assert.Empty(t, left(t, session))
	}()
	pod, err := e.OpenPod(t.Context(), runner.PodSpec{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, pod.Close(context.Background())) }()
	c, err := pod.StartCandidate(t.Context(), runner.CandidateSpec{Name: session, Workspace: ws, Argv: []string{"node", "-e",
		`try { require('fs').mkdirSync('/tmp/x'); console.log('made') } catch (e) { console.log(e.code) }`}})
	require.NoError(t, err)
	res, err := c.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "EPERM\n", res.Stdout.Text, "%s", res.Stderr.Text)

	ids := left(t, session)[:2]
	out, err := exec.CommandContext(t.Context(), "docker", append([]string{"inspect", "--format", "{{.HostConfig.Runtime}}"}, ids...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, []string{runtime, runtime}, strings.Fields(string(out)), "driver and candidate")
}
