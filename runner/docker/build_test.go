package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/diskwatch"
	"github.com/assay-run/assay/runner/egress"
)

func TestBuildRefusesWrongUse(t *testing.T) {
	t.Parallel()
	e := &Engine{cfg: Config{BuildImage: "assay/node-build:24"}}
	ws := &workspace{e: e, volume: "v"}
	step := [][]string{{"npm", "ci"}}
	for name, tt := range map[string]struct {
		engine *Engine
		ws     runner.Workspace
		spec   runner.BuildSpec
	}{
		"no workspace":                {e, nil, runner.BuildSpec{Steps: step}},
		"workspace of another engine": {e, foreignWorkspace{}, runner.BuildSpec{Steps: step}},
		"no build image":              {&Engine{}, ws, runner.BuildSpec{Steps: step}},
		"empty step":                  {e, ws, runner.BuildSpec{Steps: [][]string{{"npm", "ci"}, {}}}},
	} {
		_, err := tt.engine.Build(t.Context(), tt.ws, tt.spec)
		require.Error(t, err, name)
	}
	b, err := e.Build(t.Context(), ws, runner.BuildSpec{})
	require.NoError(t, err)
	assert.True(t, b.Skipped)
	assert.NotEmpty(t, b.Reason)
}

type foreignWorkspace struct{ runner.Workspace }

func TestRegistryOfABuild(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://npm.example/":            "",
		"http://10.1.2.3:4873/":           "",
		"http://localhost:4873/":          "loopback",
		"http://127.0.0.1:4873/":          "loopback",
		"http://[::1]:4873/":              "loopback",
		"ftp://npm.example/":              "neither http nor https",
		"https://user:secret@npm.example": "user and password",
	} {
		e := &Engine{cfg: Config{Egress: Egress{Registry: raw}}}
		got, err := e.registry(t.Context())
		if want == "" {
			require.NoError(t, err, raw)
			assert.Equal(t, raw, got)
			continue
		}
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestCABundle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	const pem = "# ours\n-----BEGIN CERTIFICATE-----\n"
	for name, tt := range map[string]struct{ path, want, err string }{
		"none":    {"", "", ""},
		"good":    {write("good", pem), pem, ""},
		"missing": {filepath.Join(dir, "missing"), "", "open certificates"},
		"no PEM":  {write("nopem", "hello"), "", "no PEM block"},
		"huge":    {write("huge", pem+strings.Repeat("x", maxCABundle)), "", "larger than 8 MiB"},
		"folder":  {dir, "", "read certificates"},
	} {
		e := &Engine{cfg: Config{CABundle: tt.path}}
		got, err := e.caBundle()
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, string(got), name)
	}
}

func TestStepsAreHardened(t *testing.T) {
	t.Parallel()
	b := &build{
		e: &Engine{}, ws: &workspace{volume: "ws"}, network: "abc", registry: "https://npm.example/", ca: []byte("x"),
		spec: buildDefaults(runner.BuildSpec{Env: map[string]string{"X": "1"}}),
	}
	h := b.host()
	assert.Equal(t, "container:abc", string(h.NetworkMode))
	assert.Equal(t, []string{"ALL"}, h.CapDrop)
	assert.Equal(t, []string{"no-new-privileges"}, h.SecurityOpt)
	assert.True(t, h.ReadonlyRootfs)
	assert.Empty(t, string(h.PidMode), "a PID namespace of its own")
	assert.EqualValues(t, 1<<30, h.Memory)
	assert.Equal(t, h.Memory, h.MemorySwap, "no swap")
	assert.EqualValues(t, buildPids, *h.PidsLimit)
	assert.Contains(t, h.Tmpfs["/tmp"], "noexec")
	for _, m := range h.Mounts {
		assert.NotEqual(t, socketDir, m.Target, "the proxy's socket is not for steps")
	}
	c := b.config([]string{"npm", "ci"})
	assert.Equal(t, "10001:10001", c.User)
	for _, want := range []string{
		"npm_config_ignore_scripts=true", "npm_config_registry=https://npm.example/", "HTTPS_PROXY=http://127.0.0.1:3128",
		"NODE_EXTRA_CA_CERTS=/etc/assay/ca.pem", "HOME=/tmp", "X=1",
	} {
		assert.Contains(t, c.Env, want)
	}

	b.spec.Scripts = true
	assert.NotContains(t, b.host().Tmpfs["/tmp"], "noexec", "scripts of packages unpack programs there")
	assert.Contains(t, b.config([]string{"npm", "ci"}).Env, "npm_config_ignore_scripts=false")
}

func TestAssignRefused(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	refused := func(seconds int, target string) egress.Event {
		return egress.Event{Time: at(seconds), Event: egress.EventRefused, Target: target}
	}
	steps := make([]evidence.BuildStep, 3)
	assignRefused(steps, []time.Time{at(10), at(20), at(30)}, []egress.Event{
		refused(12, "a:1"), refused(13, "a:1"), refused(19, "b:1"),
		{Time: at(15), Event: egress.EventClosed, Target: "c:1"},
		refused(30, "d:1"), refused(99, "a:1"),
		refused(1, "early:1"), // a clock that went back: it is not lost
	})
	assert.Equal(t, []string{"a:1", "b:1", "early:1"}, steps[0].Refused)
	assert.Empty(t, steps[1].Refused)
	assert.Equal(t, []string{"d:1", "a:1"}, steps[2].Refused)

	var many []egress.Event
	for i := range 2 * maxRefused {
		many = append(many, refused(11, strings.Repeat("x", i+1)))
	}
	one := make([]evidence.BuildStep, 1)
	assignRefused(one, []time.Time{at(10)}, many)
	assert.Len(t, one[0].Refused, maxRefused)
	assert.NotPanics(t, func() { assignRefused(nil, nil, many) })
}

func TestImportSpecChanges(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{
		`ENV A="x"`, `ENV PATH="/usr/local/bin"`, `LABEL l="say \"hi\""`, "USER 10001:10001", "WORKDIR /assay",
		`ENTRYPOINT ["/bin/sh", "/say \"hi\""]`,
	}, ImportSpec{
		Env: map[string]string{"PATH": "/usr/local/bin", "A": "x"}, Labels: map[string]string{"l": `say "hi"`},
		User: "10001:10001", Dir: "/assay", Entrypoint: []string{"/bin/sh", `/say "hi"`},
	}.changes())
	assert.Empty(t, ImportSpec{}.changes())
}

func TestEgressArgs(t *testing.T) {
	t.Parallel()
	e := &Engine{cfg: Config{Egress: Egress{Allow: []string{"https://files.example"}, Upstream: "http://proxy:8080"}}}
	assert.Equal(t, []string{"-allow", "https://files.example", "-upstream", "http://proxy:8080"}, e.allowArgs())
	assert.Empty(t, (&Engine{}).allowArgs())
}

func TestRoomForAStepThatFailed(t *testing.T) {
	t.Parallel()
	b := &build{spec: buildDefaults(runner.BuildSpec{})}
	require.NoError(t, b.roomFor(t.Context(), &diskwatch.Room{Bytes: 1 << 30, Files: -1}))
	for text, room := range map[string]diskwatch.Room{
		"the disk of the container engine is full: the step failed, and 3 MiB were free meanwhile; a build may take 2048 MiB": {Bytes: 3 << 20, Files: -1},
		"and 1024 MiB and 2 files were free meanwhile": {Bytes: 1 << 30, Files: 2},
	} {
		err := b.roomFor(t.Context(), &room)
		require.ErrorIs(t, err, runner.ErrEngineFull)
		require.ErrorContains(t, err, text)
	}
}
