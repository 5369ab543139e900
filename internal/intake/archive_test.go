package intake

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// entry is one entry of an archive built by a test.
type entry struct {
	name string
	text string
	mode os.FileMode // type and permission; 0 is a file with 0644
	link string
}

// good is a submission that is taken.
func good() []entry {
	return []entry{
		{name: "assay.json", text: `{"challenge": "tiny", "start": ["node", "src/main.mjs"]}`},
		{name: "src/main.mjs", text: "console.log('hello')\n"},
	}
}

func with(extra ...entry) []entry { return append(good(), extra...) }

func (e entry) tarHeader(tb testing.TB) *tar.Header {
	tb.Helper()
	mode := e.mode
	if mode.Perm() == 0 {
		mode |= 0o644
	}
	h := &tar.Header{Name: e.name, Mode: int64(mode.Perm()), Size: int64(len(e.text)), Linkname: e.link, Typeflag: tar.TypeReg}
	switch {
	case mode.IsDir():
		h.Typeflag, h.Size = tar.TypeDir, 0
	case mode&os.ModeSymlink != 0:
		h.Typeflag = tar.TypeSymlink
	case mode&os.ModeNamedPipe != 0:
		h.Typeflag = tar.TypeFifo
	case mode&os.ModeCharDevice != 0:
		h.Typeflag = tar.TypeChar
	case mode&os.ModeDevice != 0:
		h.Typeflag = tar.TypeBlock
	case e.link != "":
		h.Typeflag = tar.TypeLink
	}
	if mode&os.ModeSetuid != 0 {
		h.Mode |= 0o4000
	}
	return h
}

// tarGz builds a .tar.gz.
func tarGz(tb testing.TB, entries []entry) []byte {
	tb.Helper()
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	w := tar.NewWriter(gz)
	for _, e := range entries {
		h := e.tarHeader(tb)
		require.NoError(tb, w.WriteHeader(h))
		if h.Typeflag == tar.TypeReg {
			_, err := w.Write([]byte(e.text))
			require.NoError(tb, err)
		}
	}
	require.NoError(tb, w.Close())
	require.NoError(tb, gz.Close())
	return out.Bytes()
}

// zipped builds a .zip.
func zipped(tb testing.TB, entries []entry) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		mode := e.mode
		if mode.Perm() == 0 {
			mode |= 0o644
		}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		require.NoError(tb, err)
		if !mode.IsDir() {
			_, err = f.Write([]byte(e.text))
			require.NoError(tb, err)
		}
	}
	require.NoError(tb, w.Close())
	return out.Bytes()
}

// zipRaw builds a .zip of the good submission and one entry, stored as it is, with a header that change may falsify.
func zipRaw(t *testing.T, text string, change func(*zip.FileHeader)) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range good() {
		f, err := w.Create(e.name)
		require.NoError(t, err)
		_, err = f.Write([]byte(e.text))
		require.NoError(t, err)
	}
	h := &zip.FileHeader{
		Name: "odd.txt", Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte(text)),
		CompressedSize64: uint64(len(text)), UncompressedSize64: uint64(len(text)),
	}
	change(h)
	f, err := w.CreateRaw(h)
	require.NoError(t, err)
	_, err = f.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// save writes an archive and returns its path.
func save(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// lay writes entries to a fresh directory and returns its path.
func lay(t *testing.T, entries []entry) string {
	t.Helper()
	dir := t.TempDir()
	for _, e := range entries {
		path := filepath.Join(dir, filepath.FromSlash(e.name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch {
		case e.mode.IsDir():
			require.NoError(t, os.MkdirAll(path, 0o755))
		case e.mode&os.ModeSymlink != 0:
			require.NoError(t, os.Symlink(e.link, path))
		default:
			require.NoError(t, os.WriteFile(path, []byte(e.text), 0o644))
			if e.mode != 0 {
				require.NoError(t, os.Chmod(path, e.mode))
			}
		}
	}
	return dir
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	_, err := gz.Write(data)
	require.NoError(t, err)
	require.NoError(t, gz.Close())
	return out.Bytes()
}

func unzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	out, err := io.ReadAll(gz)
	require.NoError(t, err)
	return out
}
