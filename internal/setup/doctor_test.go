package setup

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

func TestChecks(t *testing.T) {
	t.Parallel()
	change := func(f func(*docker.EngineStatus)) docker.EngineStatus {
		s := goodEngine()
		f(&s)
		return s
	}
	free := func(n int64) func(string) (int64, error) { return func(string) (int64, error) { return n, nil } }
	image := func(labels map[string]string) Check {
		store := newStore()
		store.images[runRef] = fakeImage{labels: labels}
		return imageCheck(context.Background(), store, runRef)
	}
	fast := func() time.Duration { return 50 * time.Nanosecond }
	clock := &fakeMachine{files: map[string]string{clockSource: "tsc\n"}}
	tests := []struct {
		name string
		got  Check
		want Status
		seen string
	}{
		{"engine", engineCheck(goodEngine(), nil), OK, "version 20.10 on Debian, x86_64"},
		{"no engine", engineCheck(docker.EngineStatus{}, errors.New("refused\nmore")), Fail, "refused"},
		{"API", apiCheck(goodEngine()), OK, "1.41"},
		{"old API", apiCheck(docker.EngineStatus{APIVersion: "1.24"}), Fail, "1.24"},
		{"cgroup 2", cgroupCheck(goodEngine()), OK, "cgroup version 2"},
		{"cgroup unknown", cgroupCheck(docker.EngineStatus{}), OK, "cgroup version unknown"},
		{"no swap limit", cgroupCheck(change(func(s *docker.EngineStatus) { s.Missing = []string{"swap"} })), Warn, "cgroup version 2, no limit of swap"},
		{"no memory limit", cgroupCheck(change(func(s *docker.EngineStatus) { s.Missing = []string{"memory", "swap"} })), Fail, "cgroup version 2, no limit of memory"},
		{"rootless", cgroupCheck(change(func(s *docker.EngineStatus) { s.Rootless = true })), OK, "cgroup version 2, engine without root"},
		{"image", image(map[string]string{docker.LabelNode: "v24.9.9", docker.LabelRecipe: recipe}), OK, "Node v24.9.9"},
		{"image of another recipe", image(map[string]string{docker.LabelNode: "v24.9.9", docker.LabelRecipe: "0"}), Warn, "Node v24.9.9, made by another version of assay"},
		{"image of somebody else", image(nil), Fail, "was not made by assay setup"},
		{"no image", imageCheck(context.Background(), newStore(), runRef), Fail, "is not there"},
		{"memory", memoryCheck(8 << 30), OK, "8.0 GiB"},
		{"some memory", memoryCheck(3 << 30), Warn, "3.0 GiB"},
		{"little memory", memoryCheck(1 << 30), Fail, "1.0 GiB"},
		{"cores", coresCheck(2, 4), OK, "4, enough for 2 measured runs at once"},
		{"two cores", coresCheck(1, 2), OK, "2, enough for one measured run at a time"},
		{"one core", coresCheck(1, 1), Warn, "1: submission and driver share it"},
		{"cores of no engine", coresCheck(2, 0), OK, "enough for 2 measured runs at once"},
		{"cores of a far engine", coresCheck(0, 8), OK, "8"},
		{"disk", diskCheck("d", "/", dataDisk(), free(20<<30)), OK, "20.0 GiB free, enough for quick, standard, full"},
		{"disk for quick", diskCheck("d", "/", dataDisk(), free(2<<30)), Warn, "2.0 GiB free, enough for quick"},
		{"full disk", diskCheck("d", "/", dataDisk(), free(1<<20)), Fail, "1.0 MiB free"},
		{"disk of the engine", diskCheck("d", "/", engineDisk(), free(5<<30)), OK, "5.0 GiB free"},
		{"unknown disk", diskCheck("d", "/", engineDisk(), func(string) (int64, error) { return 0, errors.New("no") }), Warn, "cannot be looked at: no"},
		{"clock", clockCheck(clock, fast), OK, "tsc, 50 ns a reading"},
		{"slow clock", clockCheck(clock, func() time.Duration { return 2 * time.Microsecond }), Warn, "tsc, 2000 ns a reading"},
		{"clock of another system", clockCheck(&fakeMachine{}, fast), OK, "50 ns a reading"},
		{"no leftovers", leftoverCheck(runner.Swept{}, nil), OK, "none"},
		{"leftovers", leftoverCheck(runner.Swept{Containers: 2}, nil), Warn, "2 containers, 0 volumes, 0 networks of sessions that have died"},
		{"unknown leftovers", leftoverCheck(runner.Swept{}, errors.New("no")), Warn, "cannot be looked at: no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, tt.got.Status)
			assert.Equal(t, tt.seen, tt.got.Seen)
			assert.NotEmpty(t, tt.got.Name)
			assert.Equal(t, tt.want == OK, tt.got.Todo == "", "what is not well says what to do: %q", tt.got.Todo)
		})
	}
}

func TestDoctorWithoutAnEngine(t *testing.T) {
	t.Parallel()
	checks := Doctor(t.Context(), DoctorOptions{
		Host: "unix://" + filepath.Join(t.TempDir(), "no.sock"), DataDir: filepath.Join(t.TempDir(), "not", "yet"), Slots: 1,
	})
	var names []string
	for _, c := range checks {
		names = append(names, c.Name)
	}
	assert.Equal(t, []string{"engine", "clock", "cores", "disk for data"}, names)
	assert.Equal(t, Fail, checks[0].Status)
	assert.Equal(t, Fail, Worst(checks))
	assert.NotContains(t, checks[3].Seen, "cannot", "a folder that is not there yet lies on some disk")
}

func TestWorst(t *testing.T) {
	t.Parallel()
	assert.Equal(t, OK, Worst(nil))
	assert.Equal(t, Warn, Worst([]Check{{Status: OK}, {Status: Warn}, {Status: OK}}))
	assert.Equal(t, Fail, Worst([]Check{{Status: Fail}, {Status: Warn}}))
}

func TestRender(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, Render(&b, []Check{
		{Name: "engine", Status: OK, Seen: "version 20.10"},
		{Name: "disk for data", Status: Warn, Seen: "2.0 GiB free", Todo: "Free 2.0 GiB."},
	}))
	assert.Equal(t, ""+
		"ok    engine         version 20.10\n"+
		"warn  disk for data  2.0 GiB free\n"+
		"                     → Free 2.0 GiB.\n", b.String())
	require.Error(t, Render(brokenWriter{}, nil))
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestInBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 40: "5.0 TiB", 1 << 60: "1024.0 PiB"} {
		assert.Equal(t, want, inBytes(n))
	}
}
