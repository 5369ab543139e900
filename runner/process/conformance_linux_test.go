package process

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/runnertest"
	"github.com/assay-run/assay/runner/runnertest/lines"
)

// driverArg makes the test binary the driver of these tests.
const driverArg = "serve-as-driver"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == driverArg {
		stdio := struct {
			io.Reader
			io.Writer
		}{os.Stdin, os.Stdout}
		code := 0
		if err := lines.Serve(stdio, os.Stderr); err != nil {
			code = 1
		}
		syscall.Exit(code) // unlike os.Exit it does not wait for the race detector, which takes a second
	}
	goleak.VerifyTestMain(m)
}

func TestConformance(t *testing.T) {
	runnertest.Conformance(t, func(t *testing.T) (runner.Engine, runnertest.Fixture) {
		t.Helper()
		dir := sharedDir(t)
		open := func(t *testing.T, session string, alive func(string) bool) runner.Engine {
			t.Helper()
			return openEngine(t, Config{Session: session, SessionAlive: alive, Dir: dir})
		}
		return open(t, "main", nil), runnertest.Fixture{
			Session: "main",
			Open:    open,
			Left: func(t *testing.T, session string) []string {
				t.Helper()
				left, err := filepath.Glob(filepath.Join(dir, "assay-conformance-"+session, "*"))
				require.NoError(t, err)
				return left
			},
			Processes: true,
		}
	})
}

// sharedDir is a directory that the submission's user can pass through, which t.TempDir is not.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "assay-process-*") //nolint:usetesting // see above
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { assert.NoError(t, removeTree(dir)) })
	return dir
}

func openEngine(t *testing.T, cfg Config) *Engine {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cfg.StateID, cfg.DriverBinary, cfg.DriverArgs = "conformance", self, []string{driverArg}
	cfg.ProbeSource, cfg.Path = []byte("// probe\n"), os.Getenv("PATH") // wherever node is
	e, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}
