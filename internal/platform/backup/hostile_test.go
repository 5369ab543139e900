package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform/backup"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/store"
)

// member is one of an archive.
type member struct {
	head tar.Header
	data []byte
}

func readMembers(t *testing.T, name string) (out []member) {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	gz, err := gzip.NewReader(f)
	require.NoError(t, err)
	r := tar.NewReader(gz)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		out = append(out, member{*h, data})
	}
}

func membersOf(t *testing.T, name string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, m := range readMembers(t, name) {
		out[m.head.Name] = m.data
	}
	return out
}

// writeMembers makes an archive whose digests are right, whatever is in it.
func writeMembers(t *testing.T, members []member) string {
	t.Helper()
	var sums bytes.Buffer
	for i, m := range members {
		if m.head.Name == "SHA256SUMS" {
			members[i].data = sums.Bytes()
			continue
		}
		sum := sha256.Sum256(m.data)
		sums.WriteString(hex.EncodeToString(sum[:]) + "  " + m.head.Name + "\n")
	}
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	w := tar.NewWriter(gz)
	for _, m := range members {
		m.head.Size = int64(len(m.data))
		m.head.PAXRecords = nil
		if m.head.Typeflag != tar.TypeReg {
			m.head.Size, m.data = 0, nil
		}
		require.NoError(t, w.WriteHeader(&m.head))
		_, err := w.Write(m.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, gz.Close())
	name := archive(t)
	require.NoError(t, os.WriteFile(name, out.Bytes(), 0o600))
	return name
}

// refuses checks that an archive is refused and nothing is written, in the place or beside it.
func refuses(t *testing.T, name string, want error, why string) {
	t.Helper()
	dir := t.TempDir()
	files, err := blob.OpenFiles(filepath.Join(dir, "files"), now())
	require.NoError(t, err)
	defer files.Close()
	_, err = backup.Restore(t.Context(), backup.RestoreOptions{From: name, Database: filepath.Join(dir, "assay.db"), Blobs: files, TempDir: dir, Now: now})
	require.ErrorIs(t, err, want, why)
	var left []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if !e.IsDir() {
			left = append(left, path)
		}
		return err
	}))
	require.Empty(t, left, why)
}

func TestDamagedArchives(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, onSQLite)
	name, _ := i.back()
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	damaged := func(data []byte) string {
		to := archive(t)
		require.NoError(t, os.WriteFile(to, data, 0o600))
		return to
	}
	for _, n := range []int{0, 1, 9, 100, len(whole) / 3, len(whole) / 2, len(whole) - 9, len(whole) - 8, len(whole) - 1} {
		refuses(t, damaged(whole[:n]), backup.ErrDamaged, "it ends early")
	}
	refuses(t, damaged(append(slices.Clone(whole), 0)), backup.ErrDamaged, "something follows")
	refuses(t, damaged(append(slices.Clone(whole), whole...)), backup.ErrDamaged, "another one follows")
	plain, tried := unzipped(whole), 0
	for at := 12; at < len(whole); at += len(whole)/40 + 1 {
		other := slices.Clone(whole)
		other[at] ^= 0x10
		if bytes.Equal(unzipped(other), plain) {
			continue // gzip fills bytes up with bits that mean nothing
		}
		tried++
		refuses(t, damaged(other), backup.ErrDamaged, "a bit has changed")
	}
	require.Greater(t, tried, 30)
	refuses(t, damaged([]byte("SQLite format 3\x00 and more")), backup.ErrDamaged, "something else")
	_, err = backup.Check(t.Context(), filepath.Join(t.TempDir(), "none"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// unzipped is what gzip gives, or nil.
func unzipped(data []byte) []byte {
	gz, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	out, err := io.ReadAll(gz)
	if err != nil {
		return nil
	}
	return out
}

// change makes another archive of one.
type change func(t *testing.T, in []member) []member

func find(t *testing.T, in []member, name string) int {
	t.Helper()
	i := slices.IndexFunc(in, func(m member) bool {
		return m.head.Name == name || strings.HasPrefix(m.head.Name, name) && strings.HasSuffix(name, "/")
	})
	require.GreaterOrEqual(t, i, 0, name)
	return i
}

// insert puts a member before the last file.
func insert(head tar.Header, data string) change {
	return func(t *testing.T, in []member) []member {
		return slices.Insert(in, find(t, in, "files/"), member{head, []byte(data)})
	}
}

// replace changes the text of a member.
func replace(name, old, with string) change {
	return func(t *testing.T, in []member) []member {
		i := find(t, in, name)
		require.Contains(t, string(in[i].data), old)
		in[i].data = []byte(strings.Replace(string(in[i].data), old, with, 1))
		return in
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, onSQLite)
	name, _ := i.back()
	outside := filepath.Join(t.TempDir(), "outside")
	file := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600} }
	link := func(kind byte, to string) tar.Header {
		return tar.Header{Typeflag: kind, Name: "files/orgs/a/b", Linkname: to}
	}
	drop := func(name string) change {
		return func(t *testing.T, in []member) []member {
			return slices.Delete(in, find(t, in, name), find(t, in, name)+1)
		}
	}
	for why, c := range map[string]struct {
		change change
		want   error
	}{
		"upwards":              {insert(file("files/../../outside"), "x"), backup.ErrDamaged},
		"hidden upwards":       {insert(file("files/orgs/../../../outside"), "x"), backup.ErrDamaged},
		"absolute":             {insert(file(outside), "x"), backup.ErrDamaged},
		"absolute below files": {insert(file("files/"+outside), "x"), backup.ErrDamaged},
		"backslashes":          {insert(file(`files/..\..\outside`), "x"), backup.ErrDamaged},
		"a dot folder":         {insert(file("files/.partial/x"), "x"), backup.ErrDamaged},
		"a symbolic link":      {insert(link(tar.TypeSymlink, outside), ""), backup.ErrDamaged},
		"a hard link":          {insert(link(tar.TypeLink, outside), ""), backup.ErrDamaged},
		"a device":             {insert(link(tar.TypeChar, ""), ""), backup.ErrDamaged},
		"a folder":             {insert(tar.Header{Typeflag: tar.TypeDir, Name: "files/orgs/"}, ""), backup.ErrDamaged},
		"something else":       {insert(file("notes.txt"), "x"), backup.ErrDamaged},
		"a second database":    {insert(file("database.jsonl"), ""), backup.ErrDamaged},
		"no database":          {drop("database.jsonl"), backup.ErrDamaged},
		"no header":            {drop("backup.json"), backup.ErrDamaged},
		"no erasures":          {drop("erasures.jsonl"), backup.ErrDamaged},
		"no digests":           {drop("SHA256SUMS"), backup.ErrDamaged},
		"a file is missing":    {drop("files/"), backup.ErrDamaged},
		"a newer format":       {replace("backup.json", `"format":1`, `"format":2`), backup.ErrNewer},
		"a newer schema":       {replace("backup.json", `"schema":`, `"schema":99999`), backup.ErrNewer},
		"a row less":           {replace("database.jsonl", `{"rows":2}`, `{"rows":3}`), backup.ErrDamaged},
		"a table that is none": {replace("database.jsonl", `{"table":"users"`, `{"table":"sqlite_master"`), backup.ErrDamaged},
		"a statement as table": {replace("database.jsonl", `{"table":"users"`, `{"table":"users; DROP TABLE users"`), backup.ErrDamaged},
		"a column that is none": {
			replace("database.jsonl", `{"name":"password_hash","kind":"text"}`, `{"name":"x\" = 1 --","kind":"text"}`), backup.ErrDamaged},
		"a kind that is none": {replace("database.jsonl", `"kind":"integer"`, `"kind":"exe"`), backup.ErrDamaged},
		"a value of another kind": {
			replace("database.jsonl", `"Example Logistics"`, `{"base64":7}`), backup.ErrDamaged},
	} {
		in := readMembers(t, name)
		refuses(t, writeMembers(t, c.change(t, in)), c.want, why)
	}
	assert.NoFileExists(t, outside)
	// The way in which these are made does not itself break an archive.
	_, err := backup.Check(t.Context(), writeMembers(t, readMembers(t, name)), nil)
	require.NoError(t, err)
	// A file that was changed together with its digest is not the one that its row names.
	in := readMembers(t, name)
	n := slices.IndexFunc(in, func(m member) bool { return strings.HasSuffix(m.head.Name, "/archive") })
	in[n].data = []byte("something else")
	refuses(t, writeMembers(t, in), backup.ErrDamaged, "a changed file")
	in = readMembers(t, name)
	in[n].head.Name, in[n+1].head.Name = in[n+1].head.Name, in[n].head.Name
	refuses(t, writeMembers(t, in), backup.ErrDamaged, "swapped files")
}

// Nothing that is there is touched.
func TestPlacesThatAreTaken(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, onSQLite)
	name, _ := i.back()
	_, err := backup.Create(t.Context(), i.options(name))
	require.ErrorIs(t, err, backup.ErrNotEmpty, "an archive is not replaced")
	_, err = backup.Restore(t.Context(), (&installation{address: onSQLite(t), files: i.files}).target(t, name, i.Clock.Now))
	require.ErrorIs(t, err, backup.ErrNotEmpty, "there are files")
	assert.NotEmpty(t, contents(t, i.files))
	other := newInstallation(t, onSQLite)
	before := contents(t, other.files)
	_, err = backup.Restore(t.Context(), (&installation{address: other.address, files: openFiles(t)}).target(t, name, i.Clock.Now))
	require.ErrorIs(t, err, backup.ErrNotEmpty, "there is an installation")
	assert.True(t, other.mentions("Example Logistics"))
	assert.Equal(t, before, contents(t, other.files))

	// One that was started and that nobody has set up is no hindrance.
	fresh := &installation{address: onSQLite(t), files: openFiles(t)}
	s, err := store.Open(t.Context(), store.Options{Address: fresh.address})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = backup.Restore(t.Context(), fresh.target(t, name, i.Clock.Now))
	require.NoError(t, err)
	// An empty database is not backed up as if it were an installation.
	nothing := onSQLite(t)
	require.NoError(t, os.WriteFile(nothing, nil, 0o600))
	empty, err := store.OpenAsIs(t.Context(), store.Options{Address: nothing, Now: i.Clock.Now})
	require.NoError(t, err)
	defer empty.Close()
	opts := i.options(archive(t))
	opts.Store = empty
	_, err = backup.Create(t.Context(), opts)
	require.ErrorContains(t, err, "there is no installation in it")
	assert.NoFileExists(t, opts.To)
}

// Whoever breaks off finds nothing half.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, onSQLite)
	name, _ := i.back()
	stopped := errors.New("interrupted")
	steps := 0
	whole := i.options(archive(t))
	whole.Progress = func(string, int64, int64) { steps++ }
	_, err := backup.Create(t.Context(), whole)
	require.NoError(t, err)
	require.Greater(t, steps, 10)
	for stop := 1; stop <= steps; stop += steps/8 + 1 {
		ctx, cancel := context.WithCancelCause(t.Context())
		opts := i.options(archive(t))
		n := 0
		opts.Progress = func(string, int64, int64) {
			if n++; n == stop {
				cancel(stopped)
			}
		}
		_, err := backup.Create(ctx, opts)
		require.Error(t, err)
		require.ErrorIs(t, context.Cause(ctx), stopped, "it came so far")
		left, err := os.ReadDir(filepath.Dir(opts.To))
		require.NoError(t, err)
		assert.Empty(t, left, "nothing is left of a backup")
		cancel(nil)
	}
	for _, step := range []string{"checking the archive", "restoring files", "writing the database"} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancelCause(t.Context())
		to := &installation{address: filepath.Join(dir, "assay.db"), files: openFiles(t)}
		target := to.target(t, name, i.Clock.Now)
		target.Progress = func(at string, _, _ int64) {
			if at == step {
				cancel(stopped)
			}
		}
		_, err := backup.Restore(ctx, target)
		require.Error(t, err, step)
		require.Error(t, ctx.Err(), step)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, left, step)
		assert.Empty(t, contents(t, to.files), step)
		cancel(nil)
	}
}
