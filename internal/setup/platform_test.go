package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

// platformSetup is a machine that can make the platform's images of a binary.
func platformSetup(t *testing.T, opts Options) (*setup, *fakeMachine, *fakeStore) {
	t.Helper()
	m := debian()
	m.files["/etc/ssl/certs/ca-certificates.crt"] = "a company's own"
	unpacking(t, m, "libc6_2.36_amd64.deb", "postgresql-15_15.8-0_amd64.deb")
	opts.Platform = filepath.Join(t.TempDir(), "assay")
	require.NoError(t, os.WriteFile(opts.Platform, []byte("a binary"), 0o755))
	s, _ := newTestSetup(t, opts, m)
	store := newStore()
	store.outputs[PlatformImage+" /usr/local/bin/assay --version"] = "assay version 1\n"
	store.outputs[PlatformPostgres+" /usr/lib/postgresql/15/bin/postgres --version"] = "15.8\n"
	return s, m, store
}

func TestPlatformImages(t *testing.T) {
	t.Parallel()
	s, m, store := platformSetup(t, Options{})
	require.NoError(t, s.ensurePlatform(t.Context(), store))

	img := store.images[PlatformImage]
	assert.Equal(t, []string{"/usr/local/bin/assay"}, img.spec.Entrypoint)
	files := contents(t, img.root)
	assert.Equal(t, []string{"etc/group", "etc/nsswitch.conf", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "usr/local/bin/assay"}, names(files))
	assert.EqualValues(t, 0o755, files["usr/local/bin/assay"].Mode)
	assert.EqualValues(t, 0o700, files["srv/assay"].Mode)
	assert.Contains(t, string(img.root), "a company's own")

	database := store.images[PlatformPostgres]
	assert.Equal(t, "10002:10002", database.spec.User)
	assert.Equal(t, []string{"/bin/sh", docker.ServiceStart}, database.spec.Entrypoint)
	volume := contents(t, database.root)[strings.TrimPrefix(postgresVolume, "/")]
	require.NotNil(t, volume, "an empty volume takes owner and mode from here")
	assert.Equal(t, []any{int64(0o700), runner.ServiceUID}, []any{volume.Mode, volume.Uid})
	for _, line := range m.ran {
		assert.NotContains(t, line, "initdb", "the cluster is made where it is to be")
	}
}

func TestPlatformImagesAreLeftAlone(t *testing.T) {
	t.Parallel()
	s, _, store := platformSetup(t, Options{})
	require.NoError(t, s.ensurePlatform(t.Context(), store))
	imports := func() (n int) {
		for _, line := range store.log {
			if strings.HasPrefix(line, "import ") {
				n++
			}
		}
		return n
	}
	require.Equal(t, 2, imports())
	require.NoError(t, s.ensurePlatform(t.Context(), store))
	assert.Equal(t, 2, imports(), "what is there is left alone")
	require.NoError(t, os.WriteFile(s.opts.Platform, []byte("a newer binary"), 0o755))
	require.NoError(t, s.ensurePlatform(t.Context(), store))
	assert.Equal(t, 3, imports(), "another binary makes another image, and the database is the same")
	assert.Contains(t, string(store.images[PlatformImage].root), "a newer binary")
}

func TestPlatformImagesThatCannotBeMade(t *testing.T) {
	t.Parallel()
	s, _, store := platformSetup(t, Options{CheckOnly: true})
	err := s.ensurePlatform(t.Context(), store)
	require.ErrorIs(t, err, runner.ErrImageMissing)
	require.ErrorContains(t, err, "assay setup --platform")

	s, m, store := platformSetup(t, Options{})
	delete(m.files, "/etc/ssl/certs/ca-certificates.crt")
	require.ErrorContains(t, s.ensurePlatform(t.Context(), store), "install the package ca-certificates")

	s, _, store = platformSetup(t, Options{})
	s.opts.Platform += "-not-there"
	require.ErrorIs(t, s.ensurePlatform(t.Context(), store), os.ErrNotExist)
	assert.Empty(t, store.images)
}
