package docker

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

func TestExitOf(t *testing.T) {
	t.Parallel()
	const limit, child = "The kernel ended it at its memory limit.", "The kernel ended one of its processes at its memory limit."
	for _, tt := range []struct {
		code int
		oom  bool
		want evidence.Exit
	}{
		{0, false, evidence.Exit{Status: evidence.Exited}},
		{1, false, evidence.Exit{Status: evidence.Exited, Code: 1}},
		{127, false, evidence.Exit{Status: evidence.Exited, Code: 127}},
		{128, false, evidence.Exit{Status: evidence.Exited, Code: 128}},
		{134, false, evidence.Exit{Status: evidence.Signaled, Code: 134, Signal: "SIGABRT"}},
		{137, false, evidence.Exit{Status: evidence.Signaled, Code: 137, Signal: "SIGKILL"}},
		{137, true, evidence.Exit{Status: evidence.OOMKilled, Code: 137, Signal: "SIGKILL", Detail: limit}},
		{139, false, evidence.Exit{Status: evidence.Signaled, Code: 139, Signal: "SIGSEGV"}},
		{143, false, evidence.Exit{Status: evidence.Signaled, Code: 143, Signal: "SIGTERM"}},
		{255, false, evidence.Exit{Status: evidence.Exited, Code: 255}},
		{1, true, evidence.Exit{Status: evidence.Exited, Code: 1, Detail: child}},
		{134, true, evidence.Exit{Status: evidence.Signaled, Code: 134, Signal: "SIGABRT", Detail: child}},
	} {
		assert.Equal(t, tt.want, exitOf(tt.code, tt.oom))
	}
}

func TestNotExecutable(t *testing.T) {
	t.Parallel()
	const runc = `OCI runtime create failed: runc create failed: unable to start container process: exec: "nosuch": ` +
		`executable file not found in $PATH: unknown`
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"not found", errdefs.ErrInvalidArgument.WithMessage(runc), true},
		{"permission", errdefs.ErrInvalidArgument.WithMessage(`exec: "./x": permission denied`), true},
		{"another argument", errdefs.ErrInvalidArgument.WithMessage("cpuset 99 is not available"), false},
		{"engine's fault", errdefs.ErrInternal.WithMessage("exec: no space left"), false},
		{"plain", errors.New("exec"), false},
	} {
		assert.Equal(t, tt.want, notExecutable(tt.err), tt.name)
	}
	exit := notStarted([]string{"nosuch", "x"}, errors.New(runc))
	assert.Equal(t, evidence.Exit{
		Status: evidence.NotStarted, Code: 127,
		Detail: `nosuch could not be executed: "nosuch": executable file not found in $PATH`,
	}, exit)
}

func TestExecFailed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		code   int
		stderr string
		want   bool
	}{
		{"newer runtime", 1, "exec ./bad.sh: exec format error\n", true},
		{"older runtime", 1, `standard_init_linux.go:228: exec user process caused: exec format error`, true},
		{"255", 255, "exec /x: exec format error", true},
		{"a program's own words", 1, "Error: exec format error", false},
		{"another code", 2, "exec ./bad.sh: exec format error", false},
		{"much output", 1, "exec format error" + strings.Repeat("x", 600), false},
		{"nothing", 1, "", false},
	} {
		exit, ok := execFailed(tt.code, tt.stderr)
		assert.Equal(t, tt.want, ok, tt.name)
		if tt.want {
			assert.Equal(t, evidence.NotStarted, exit.Status, tt.name)
		}
	}
}

func TestWriteWorkspace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "src"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "src", "main.mjs"), []byte("1"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run"), []byte("22"), 0o700))
	var first, second bytes.Buffer
	require.NoError(t, writeWorkspace(t.Context(), &first, dir, []byte("probe"), []byte("diagnosis")))
	require.NoError(t, writeWorkspace(t.Context(), &second, dir, []byte("probe"), []byte("diagnosis")))
	assert.Equal(t, first.Bytes(), second.Bytes(), "the same files make the same archive")

	type entry struct {
		name      string
		mode, uid int64
		text      string
	}
	var got []entry
	for r := tar.NewReader(&first); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, h.Uid, h.Gid)
		got = append(got, entry{h.Name, h.Mode, int64(h.Uid), string(text)})
	}
	assert.Equal(t, []entry{
		{"probe.mjs", 0o444, 0, "probe"},
		{"diagnose.mjs", 0o444, 0, "diagnosis"},
		{"app/", 0o755, 10001, ""},
		{"app/run", 0o755, 10001, "22"},
		{"app/src/", 0o755, 10001, ""},
		{"app/src/main.mjs", 0o644, 10001, "1"},
	}, got)
}

func TestReadMessages(t *testing.T) {
	t.Parallel()
	require.NoError(t, readMessages(strings.NewReader(`{"status":"sha256:…"}`)))
	require.EqualError(t, readMessages(strings.NewReader(`{"status":"x"}{"error":"no space left"}`)), "no space left")
	require.ErrorContains(t, readMessages(strings.NewReader(`{"status"`)), "read progress of engine")
}

func TestEnvList(t *testing.T) {
	t.Parallel()
	got := envList(map[string]string{"HOME": "/tmp", "TZ": "UTC"}, map[string]string{"TZ": "Asia/Tokyo", "A": "="})
	assert.Equal(t, []string{"A==", "HOME=/tmp", "TZ=Asia/Tokyo"}, got)
}

func TestSelfContained(t *testing.T) {
	t.Parallel()
	header := func(types ...elf.ProgType) []byte {
		var b bytes.Buffer
		h := elf.Header64{
			Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(types)), Shentsize: 64,
		}
		require.NoError(t, binary.Write(&b, binary.LittleEndian, h))
		for _, p := range types {
			require.NoError(t, binary.Write(&b, binary.LittleEndian, elf.Prog64{Type: uint32(p)}))
		}
		return b.Bytes()
	}
	require.NoError(t, selfContained(bytes.NewReader(header(elf.PT_LOAD))))
	require.NoError(t, selfContained(strings.NewReader("no program at all")))
	require.ErrorIs(t, selfContained(bytes.NewReader(header(elf.PT_LOAD, elf.PT_INTERP))), errNeedsLibraries)
}
