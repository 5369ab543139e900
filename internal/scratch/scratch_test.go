package scratch

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// holder is the environment variable that makes the test binary a process that holds a folder in the place it names.
const holder = "SCRATCH_TEST_HOLD"

func TestMain(m *testing.M) {
	if parent := os.Getenv(holder); parent != "" {
		d, err := Make(parent, "held")
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString("held\n")
		time.Sleep(time.Minute) // it is killed before
		runtime.KeepAlive(d)
	}
	os.Exit(m.Run())
}

func TestCloseRemovesEverything(t *testing.T) {
	t.Parallel()
	d, err := Make(t.TempDir(), "one")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(d.Path, "file"), nil, 0o600))
	require.NoError(t, d.Close())
	assert.NoDirExists(t, d.Path)
	require.NoError(t, d.Close())
	require.NoError(t, (*Dir)(nil).Close())
}

func TestSweepTakesWhatKilledProcessesLeft(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	alive, err := Make(parent, "alive")
	require.NoError(t, err)
	other := filepath.Join(parent, "assay-slots") // not of this package
	require.NoError(t, os.Mkdir(other, 0o755))
	link := filepath.Join(parent, prefix+"link") // somebody's trap
	require.NoError(t, os.Symlink(other, link))

	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holder+"="+parent)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = out.Read(make([]byte, 5))
	require.NoError(t, err)
	removed, err := Sweep(parent)
	require.NoError(t, err)
	assert.Zero(t, removed, "both processes live")

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	removed, err = Sweep(parent)
	require.NoError(t, err)
	assert.Equal(t, 1, removed)
	assert.DirExists(t, alive.Path)
	assert.DirExists(t, other)
	require.NoError(t, alive.Close())
	left, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	require.NoError(t, err)
	assert.Equal(t, []string{link}, left)
}

// TestMakeBesideSweeps makes folders while others sweep all the time: nobody loses one that it holds.
func TestMakeBesideSweeps(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	done := make(chan struct{})
	var sweepers sync.WaitGroup
	for range 2 {
		sweepers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_, err := Sweep(parent)
					assert.NoError(t, err)
				}
			}
		})
	}
	for range 500 {
		d, err := Make(parent, "x")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(d.Path, "file"), nil, 0o600))
		require.NoError(t, d.Close())
	}
	close(done)
	sweepers.Wait()
}
