//go:build integration

package setup

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner/docker"
)

// TestEnsureOnAMachineThatIsReady also makes the images on one that is not.
func TestEnsureOnAMachineThatIsReady(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Ensure(t.Context(), Options{StateDir: dir}))
	var said []string
	require.NoError(t, Ensure(t.Context(), Options{StateDir: dir, CheckOnly: true, Progress: func(line string) { said = append(said, line) }}))
	assert.Len(t, said, 3, "the engine and two images: %q", said)
}

func TestRunImageHasNothingToShellOutTo(t *testing.T) {
	require.NoError(t, Ensure(t.Context(), Options{StateDir: t.TempDir()}))
	images, err := docker.OpenImages("")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, images.Close()) })
	out, err := images.Output(t.Context(), docker.RunImage(24), "node", "-e", `
const fs = require('fs'), path = require('path');
const found = [];
const walk = (dir) => { for (const e of fs.readdirSync(dir, {withFileTypes: true})) {
  const file = path.join(dir, e.name);
  if (['/proc', '/sys', '/dev'].includes(file)) continue;
  if (e.isDirectory()) walk(file);
  else if (e.isFile() && (fs.statSync(file).mode & 0o111) && !/\.so(\.|$)/.test(file)) found.push(file);
} };
walk('/');
console.log(found.join(), process.getuid(), require('crypto').randomBytes(2).length, fs.existsSync('/etc/ssl/certs/ca-certificates.crt'));`)
	require.NoError(t, err)
	assert.Equal(t, "/usr/local/bin/node 10001 2 true", strings.TrimPrefix(strings.TrimSpace(out), "/.dockerenv,"))
}

func TestImagesOutputFails(t *testing.T) {
	images, err := docker.OpenImages("")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, images.Close()) })
	_, err = images.Output(t.Context(), docker.RunImage(24), "node", "-e", "console.error('why'); process.exit(3)")
	require.ErrorContains(t, err, "exit code 3: why")
	_, err = images.Output(t.Context(), docker.RunImage(24), "sh")
	require.Error(t, err, "there is no shell")
}

func TestDoctorOnAMachineThatIsReady(t *testing.T) {
	require.NoError(t, Ensure(t.Context(), Options{StateDir: t.TempDir()}))
	checks := Doctor(t.Context(), DoctorOptions{
		StateID: "doctortest", Alive: func(string) bool { return false }, DataDir: t.TempDir(), Slots: 1,
	})
	assert.Len(t, checks, 11)
	for _, c := range checks {
		assert.NotEqual(t, Fail, c.Status, "%+v", c)
	}
}
