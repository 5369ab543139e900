//go:build integration

package docker_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
	"github.com/assay-run/assay/runner/runnertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// state is the state id of everything these tests make.
const state = "docker-integration-test"

func TestConformance(t *testing.T) {
	runnertest.Conformance(t, func(t *testing.T) (runner.Engine, runnertest.Fixture) {
		t.Helper()
		driver := runnertest.BuildDriver(t)
		open := func(t *testing.T, session string, alive func(string) bool) runner.Engine {
			t.Helper()
			return openEngine(t, docker.Config{Session: session, SessionAlive: alive, DriverBinary: driver})
		}
		session := "conformance"
		return open(t, session, nil), runnertest.Fixture{
			Session: session, Open: open, Left: left, Processes: true, Sandboxed: true, OOM: true,
			Service: &workload.Service{Name: "redis", Env: map[string]string{"ASSAY_PORT": "6379", "ASSAY_PASSWORD": "secret"}},
		}
	})
}

func openEngine(t *testing.T, cfg docker.Config) *docker.Engine {
	t.Helper()
	cfg.StateID, cfg.Image, cfg.BuildImage = state, "assay/node:24", "assay/node-build:24"
	cfg.ProbeSource = []byte("// probe\n")
	e, err := docker.New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}

// left asks the docker command, so that the engine is not its own witness.
func left(t *testing.T, session string) []string {
	t.Helper()
	var all []string
	for _, args := range [][]string{{"ps", "-a", "-q"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}} {
		args = append(args, "--filter", "label=assay.state="+state, "--filter", "label=assay.session="+session)
		out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "docker", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		all = append(all, strings.Fields(string(out))...)
	}
	return all
}
