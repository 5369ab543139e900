//go:build integration

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/schemas"
)

// withoutFolders writes Docker's default profile, but that making a folder fails with EIO, which nothing else would make of it.
func withoutFolders(t *testing.T) string {
	t.Helper()
	profile := seccomp.DefaultProfile()
	eio := uint(5)
	folders := []string{"mkdir", "mkdirat"}
	for _, rule := range profile.Syscalls {
		kept := rule.Names[:0:0]
		for _, name := range rule.Names {
			if name != folders[0] && name != folders[1] {
				kept = append(kept, name)
			}
		}
		rule.Names = kept
	}
	profile.Syscalls = append(profile.Syscalls, &seccomp.Syscall{
		LinuxSyscall: specs.LinuxSyscall{Names: folders, Action: specs.ActErrno, ErrnoRet: &eio},
	})
	raw, err := json.MarshalIndent(profile, "", "  ")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "profile.json")
	require.NoError(t, os.WriteFile(file, raw, 0o644))
	return file
}

// TestRuntimeAndProfileOfOnesOwn: what is asked for is what submissions run under, and the report says so.
func TestRuntimeAndProfileOfOnesOwn(t *testing.T) {
	p := newPlace(t)
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "result")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.mjs"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "assay.json"), []byte(
		`{"challenge": "log-aggregate", "start": ["node", "main.mjs"], "build": [["node", "folder.cjs"]]}`), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "folder.cjs"), []byte(
		`try { require('fs').mkdirSync('/tmp/folder') } catch (e) { process.exit(e.code === 'EIO' ? 42 : 43) }`), 0o644))

	cmd, _, stderr := p.command("run", dir, "--runtime", "no-such-runtime", "--out", out)
	require.Equal(t, 2, exitCode(t, cmd.Run()), "%s", stderr)
	assert.Contains(t, stderr.String(), `use runtime "no-such-runtime": not offered by this engine, which has `)
	assert.Contains(t, stderr.String(), "runc")
	assert.NoDirExists(t, out)

	cmd, _, stderr = p.command("run", dir, "--runtime", "io.containerd.runc.v2", "--seccomp", withoutFolders(t), "--out", out)
	require.Equal(t, 1, exitCode(t, cmd.Run()), "%s", stderr)
	stored, err := os.ReadFile(filepath.Join(out, "report.json"))
	require.NoError(t, err)
	require.NoError(t, schemas.Validate(schemas.Report, stored))
	var rep struct {
		Environment struct{ Runtime, Seccomp string }
		Notes       []string
		Codes       []struct{ Findings []struct{ Detail string } }
	}
	require.NoError(t, json.Unmarshal(stored, &rep))
	require.Len(t, rep.Codes, 1)
	assert.Contains(t, rep.Codes[0].Findings[0].Detail, "exit code 42", "the profile is in force where builds run")
	assert.Equal(t, "io.containerd.runc.v2", rep.Environment.Runtime)
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", rep.Environment.Seccomp)
	assert.NotContains(t, strings.Join(rep.Notes, "\n"), "not runc", "it is the same runtime under another name")
	assert.Empty(t, p.left())
}
