//go:build integration

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/pgproxy"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/setup"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

// serviceEngine is an engine whose driver is servicedriver, and the program of testdata/services staged on it.
func serviceEngine(t *testing.T) (*docker.Engine, runner.RunSpec) {
	t.Helper()
	require.NoError(t, setup.Ensure(t.Context(), setup.Options{StateDir: t.TempDir(), Services: docker.ServiceNames()}))
	driver := filepath.Join(t.TempDir(), "driver")
	build := exec.Command("go", "build", "-o", driver, "./servicedriver")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	e, err := docker.New(t.Context(), docker.Config{
		Session: "services", StateID: "service-test", DriverBinary: driver, Image: "assay/node:24", ProbeSource: []byte("// probe\n"),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "program", Dir: "testdata/services"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ws.Close(t.Context())) })
	return e, runner.RunSpec{
		Scenario: "main", Role: evidence.Candidate, Workload: "services", Params: []byte("{}"), Services: docker.ServiceNames(),
		Workspace: ws, Start: []string{"node", "main.mjs"}, Limits: runner.DefaultLimits(), Timeout: 2 * time.Minute,
	}
}

// TestServicesInAPod lets a program at a real PostgreSQL and a real Redis: what it may do works, nothing else does, and what they use is not
// counted to it.
func TestServicesInAPod(t *testing.T) {
	e, spec := serviceEngine(t)
	run, err := runner.Drive(t.Context(), e, spec)
	require.NoError(t, err)
	require.Len(t, run.Executions, 1)
	x := run.Executions[0]
	require.True(t, x.Exit.OK(), "%+v %s", x.Exit, x.Stderr.Text)
	assert.Equal(t, []string{
		"app: ready",
		"own table: CREATE TABLE",
		"superuser: f",
		"insert: 42501",
		"file: 42501",
		"program: 42501",
		"become: 42501",
		"terminate: 42501",
		"postgres: 28000",
		"too many: ready,ready,ready,53300",
		"past the proxy as app: 28000",
		"past the proxy as postgres: 28000",
		"redis: +OK",
		"redis, nobody: -NOAUTH",
		"redis, settings: -NOPERM",
		"redis, others: -NOPERM",
		"processes: true",
		"kill: EPERM",
		"environ: EACCES",
		"root: EACCES",
	}, strings.Split(strings.TrimSpace(x.Stdout.Text), "\n"))

	var f struct {
		PostgresNs, RedisNs int64
		Total               int64
		Counts              pgproxy.Counts
		Committed           []int64
		Told                []bool
		StallNs             int64
	}
	require.NoError(t, json.Unmarshal(x.Facts, &f))
	t.Logf("ready after: postgres %s, redis %s", time.Duration(f.PostgresNs), time.Duration(f.RedisNs))
	assert.Equal(t, int64(11), f.Total, "counted by the server")
	assert.Equal(t, int64(1), f.Counts.Commits)
	assert.Equal(t, int64(20), f.Counts.Queries)
	assert.Equal(t, 6, f.Counts.Connections)
	assert.Equal(t, 1, f.Counts.Refused)
	assert.Less(t, time.Duration(f.PostgresNs), 20*time.Second)
	assert.Equal(t, []int64{1, 2, 2}, f.Committed, "passed on, cut after the commit, cut before it")
	assert.Equal(t, []bool{true, false, false}, f.Told)
	assert.GreaterOrEqual(t, time.Duration(f.StallNs), 300*time.Millisecond)
	assert.Less(t, x.Usage.MemoryPeakBytes, int64(100<<20), "PostgreSQL's memory is not the program's")
	assert.Len(t, labelled(t, "service-test"), 1, "only the workspace is left")
}

// TestServiceNotAskedFor is a fault of ours: the driver may start what challenge.yaml lists.
func TestServiceNotAskedFor(t *testing.T) {
	e, spec := serviceEngine(t)
	spec.Services = []string{"redis"}
	_, err := runner.Drive(t.Context(), e, spec)
	require.ErrorIs(t, err, runner.ErrDriver)
	require.ErrorContains(t, err, `service "postgres"`)
}
