package setup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHostRun(t *testing.T) {
	t.Parallel()
	out, err := host{}.Run(t.Context(), "sh", "-c", "echo said; echo $LC_ALL")
	require.NoError(t, err)
	assert.Equal(t, "said\nC\n", out)

	_, err = host{}.Run(t.Context(), "sh", "-c", "echo why >&2; exit 3")
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "why")

	_, err = host{}.Run(t.Context(), "sh", "-c", "echo why; exit 3")
	require.ErrorContains(t, err, "why", "some tools explain themselves on standard output")

	_, err = host{}.Run(t.Context(), "no-such-program-of-assay")
	require.ErrorContains(t, err, "find no-such-program-of-assay")
}

func TestHostRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("changed my mind")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err := host{}.Run(ctx, "sh", "-c", "sleep 60")
	require.ErrorIs(t, err, cause)
}

func TestHostRunBoundsOutput(t *testing.T) {
	t.Parallel()
	out, err := host{}.Run(t.Context(), "sh", "-c", "head -c 9000000 /dev/zero")
	require.NoError(t, err)
	assert.Len(t, out, maxToolOutput)
}

func TestHostStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "done")
	out, err := host{}.Run(t.Context(), "mkfifo", fifo)
	require.NoError(t, err, out)
	log := filepath.Join(dir, "log")
	require.NoError(t, host{}.Start(log, "sh", "-c", "echo started; exec > "+fifo))
	_, err = os.ReadFile(fifo) // ends when the program has
	require.NoError(t, err)
	data, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, "started\n", string(data))

	require.ErrorContains(t, host{}.Start(log, "no-such-program-of-assay"), "find no-such")
	require.ErrorContains(t, host{}.Start(filepath.Join(dir, "no", "log"), "sh"), "open log")
}

func TestParseOSRelease(t *testing.T) {
	t.Parallel()
	assert.Equal(t, map[string]string{"ID": "debian", "NAME": "Debian GNU/Linux", "X": "a=b"},
		parseOSRelease("# note=1\nID=debian\nNAME=\"Debian GNU/Linux\"\n\nnonsense\nX='a=b'\n"))
	assert.Empty(t, parseOSRelease(""))
}

func FuzzParseOSRelease(f *testing.F) {
	f.Add("ID=debian\nVERSION_CODENAME='x'\n=\n#=")
	f.Fuzz(func(t *testing.T, text string) {
		for key, value := range parseOSRelease(text) {
			assert.NotContains(t, key+value, "\n")
		}
	})
}

func TestPickMirror(t *testing.T) {
	t.Parallel()
	const targets = "stable|main|http://other.example/\nbookworm|contrib|http://c.example/\nbookworm|main|http://a.example/\nbookworm|main|http://b.example/\n|\n"
	got, err := pickMirror(targets, "bookworm")
	require.NoError(t, err)
	assert.Equal(t, "http://a.example/", got)
	for _, suite := range []string{"", "trixie"} {
		_, err := pickMirror(targets, suite)
		require.Error(t, err)
	}
}

func TestReadNPM(t *testing.T) {
	t.Parallel()
	npm, err := readNPM(t.Context(), debian())
	require.NoError(t, err)
	assert.Equal(t, NPM{Registry: "https://npm.example/", CAFile: "/etc/ca.pem"}, npm)

	m := debian()
	m.answers["npm config list"] = `{"registry":"http://10.0.0.1:4873/","cafile":null}`
	npm, err = readNPM(t.Context(), m)
	require.NoError(t, err)
	assert.Equal(t, NPM{Registry: "http://10.0.0.1:4873/"}, npm)

	m.programs = nil
	_, err = readNPM(t.Context(), m)
	require.ErrorIs(t, err, errNoNPM)
	for _, answer := range []string{"", "nonsense", `{"registry":"not a url"}`, `{"registry":":"}`} {
		m := debian()
		m.answers["npm config list"] = answer
		_, err := readNPM(t.Context(), m)
		require.Error(t, err, answer)
	}
}

func FuzzParsePacked(f *testing.F) {
	f.Add([]byte(`[{"name":"npm","version":"11.1.1","filename":"npm.tgz"}]`))
	f.Add([]byte(`{"npm":{"name":"npm","version":"11.1.1"}}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		p, err := parsePacked(out)
		if err == nil {
			assert.NotEmpty(t, p.Name)
			assert.NotEmpty(t, p.Version)
		}
	})
}

func TestLockIsExclusive(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	release, err := lock(t.Context(), dir, func(string) { t.Error("nobody to wait for") })
	require.NoError(t, err)

	waiting := make(chan string, 1)
	taken := make(chan error, 1)
	go func() {
		second, err := lock(t.Context(), dir, func(line string) { waiting <- line })
		if err == nil {
			err = second()
		}
		taken <- err
	}()
	assert.Contains(t, <-waiting, "another set-up")
	require.NoError(t, release())
	require.NoError(t, <-taken)
}

func TestLockGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := lock(t.Context(), dir, func(string) {})
	require.NoError(t, err)
	defer func() { assert.NoError(t, release()) }()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("stop")
	_, err = lock(ctx, dir, func(string) { cancel(cause) })
	require.ErrorIs(t, err, cause)

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = lock(t.Context(), file, func(string) {})
	require.Error(t, err)
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "b\nc", lastLines("a\nb\nc\n", 2))
	assert.Equal(t, "a", lastLines("a", 2))
	assert.Empty(t, strings.TrimSpace(lastLines("", 2)))
}
