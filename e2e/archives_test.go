//go:build integration

package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// archiveTime and archiveMemory bound what a refusal may take.
	archiveTime   = 30 * time.Second
	archiveMemory = 200 << 20 // the kernel counts what this process had when it made the other one
	zeroBytes     = 10 << 30  // of what unpacks to zeros
	zeroPiece     = 64 << 20
	zeroSaid      = 60 << 20 // what the entry says it has: less than a file may have
)

// tarred are entries of a .tar.gz, with a submission that would be taken before them.
func tarred(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	w := tar.NewWriter(gz)
	submission := map[string]string{
		"assay.json": `{"challenge": "log-aggregate", "start": ["node", "main.mjs"]}`, "main.mjs": "console.log('hello');\n",
	}
	for name, text := range submission {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}))
		_, err := io.WriteString(w, text)
		require.NoError(t, err)
	}
	for _, h := range entries {
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		require.NoError(t, w.WriteHeader(&h))
		_, err := io.WriteString(w, strings.Repeat("x", int(h.Size)))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, gz.Close())
	return out.Bytes()
}

// zipped is a .zip with a submission that would be taken and what add adds.
func zipped(t *testing.T, add func(w *zip.Writer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("assay.json")
	require.NoError(t, err)
	_, err = io.WriteString(f, `{"challenge": "log-aggregate", "start": ["node", "main.mjs"]}`)
	require.NoError(t, err)
	require.NoError(t, add(w))
	require.NoError(t, w.Close())
	return out.Bytes()
}

// zeroTar is a file of 10 GB of zeros in some 10 MB: gzip takes streams one after the other, so one piece is packed once.
func zeroTar(t *testing.T) []byte {
	t.Helper()
	var header bytes.Buffer
	require.NoError(t, tar.NewWriter(&header).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "zeros", Mode: 0o644, Size: zeroSaid}))
	pack := func(content []byte) []byte {
		var out bytes.Buffer
		gz := gzip.NewWriter(&out)
		_, err := gz.Write(content)
		require.NoError(t, err)
		require.NoError(t, gz.Close())
		return out.Bytes()
	}
	return append(pack(header.Bytes()), bytes.Repeat(pack(make([]byte, zeroPiece)), zeroBytes/zeroPiece)...)
}

// zeroZip is the same as a .zip: flushed pieces of deflate may stand one after the other.
func zeroZip(t *testing.T) []byte {
	t.Helper()
	return zipped(t, func(w *zip.Writer) error {
		var piece bytes.Buffer
		deflate, err := flate.NewWriter(&piece, flate.BestCompression)
		if err != nil {
			return err
		}
		if _, err := deflate.Write(make([]byte, zeroPiece)); err != nil {
			return err
		}
		if err := deflate.Flush(); err != nil {
			return err
		}
		packed := bytes.Repeat(piece.Bytes(), zeroBytes/zeroPiece)
		f, err := w.CreateRaw(&zip.FileHeader{
			Name: "zeros", Method: zip.Deflate, CompressedSize64: uint64(len(packed)), UncompressedSize64: zeroSaid,
		})
		if err != nil {
			return err
		}
		_, err = f.Write(packed)
		return err
	})
}

// emptyFiles is a .tar.gz of a million files without content.
func emptyFiles(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	gz, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	require.NoError(t, err)
	w := tar.NewWriter(gz)
	for i := range 1_000_000 {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("%d", i), Mode: 0o644}))
	}
	require.NoError(t, w.Close())
	require.NoError(t, gz.Close())
	return out.Bytes()
}

// TestHostileArchives hands archives to the command. Each must be refused, with a sentence, before an engine is asked for anything:
// there is none at the address that is given. Nothing may be left or written elsewhere, and little time and memory used.
func TestHostileArchives(t *testing.T) {
	outside := t.TempDir()
	evil := filepath.Join(outside, "evil")
	up := strings.Repeat("../", 20) + strings.TrimPrefix(evil, "/")
	file := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 4} }
	inner := tarred(t, file(up))
	tests := []struct {
		name string
		make func(t *testing.T) []byte
		says string
	}{
		{"parent directories", func(t *testing.T) []byte { return tarred(t, file(up)) }, `has ".."`},
		{"absolute name", func(t *testing.T) []byte { return tarred(t, file(evil)) }, "is absolute"},
		{"link and a file through it", func(t *testing.T) []byte {
			return tarred(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: outside}, file("link/evil"))
		}, "symbolic link"},
		{"hard link", func(t *testing.T) []byte {
			return tarred(t, tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "/etc/passwd"})
		}, "hard link"},
		{"disk", func(t *testing.T) []byte {
			return tarred(t, tar.Header{Typeflag: tar.TypeBlock, Name: "disk", Devmajor: 8})
		}, "block device"},
		{"memory", func(t *testing.T) []byte {
			return tarred(t, tar.Header{Typeflag: tar.TypeChar, Name: "mem", Devmajor: 1, Devminor: 1})
		}, "character device"},
		{"FIFO", func(t *testing.T) []byte { return tarred(t, tar.Header{Typeflag: tar.TypeFifo, Name: "fifo"}) }, "FIFO"},
		{"FIFO as the manifest", func(t *testing.T) []byte {
			return tarred(t, tar.Header{Typeflag: tar.TypeFifo, Name: "package.json"})
		}, "FIFO"},
		{"10 GB of zeros", zeroTar, "unpacks to more than"},
		{"10 GB of zeros in a zip", zeroZip, "damaged"},
		{"a million empty files", emptyFiles, "more than"},
		{"a name of 10,000 bytes", func(t *testing.T) []byte { return tarred(t, file(strings.Repeat("n", 10_000))) }, "10000 bytes"},
		{"a path of 10,000 bytes", func(t *testing.T) []byte { return tarred(t, file(strings.Repeat("n/", 5_000)+"n")) }, "bytes"},
		{"invalid UTF-8", func(t *testing.T) []byte { return tarred(t, file("\xff\xfe\x1b[2J")) }, "UTF-8"},
		{"control characters", func(t *testing.T) []byte { return tarred(t, file("\x1b]0;owned\a")) }, "control character"},
		{"only case differs", func(t *testing.T) []byte { return tarred(t, file("MAIN.mjs")) }, "upper and lower case"},
		{"setuid", func(t *testing.T) []byte {
			return tarred(t, tar.Header{Typeflag: tar.TypeReg, Name: "su", Mode: 0o4755})
		}, "setuid"},
		{"an archive in an archive", func(t *testing.T) []byte {
			var out bytes.Buffer
			w := zip.NewWriter(&out)
			f, err := w.Create("inner.tar.gz")
			require.NoError(t, err)
			_, err = f.Write(inner)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			return out.Bytes()
		}, ""},
		{"setuid in a zip", func(t *testing.T) []byte {
			return zipped(t, func(w *zip.Writer) error {
				h := &zip.FileHeader{Name: "su"}
				h.SetMode(os.ModeSetuid | 0o755)
				_, err := w.CreateHeader(h)
				return err
			})
		}, "setuid"},
		{"link in a zip", func(t *testing.T) []byte {
			return zipped(t, func(w *zip.Writer) error {
				h := &zip.FileHeader{Name: "link"}
				h.SetMode(os.ModeSymlink | 0o777)
				f, err := w.CreateHeader(h)
				if err == nil {
					_, err = io.WriteString(f, outside)
				}
				return err
			})
		}, "symbolic link"},
		{"parent directories in a zip", func(t *testing.T) []byte {
			return zipped(t, func(w *zip.Writer) error {
				_, err := w.Create(up)
				return err
			})
		}, `has ".."`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			temp := t.TempDir()
			p.env = append(p.env, "DOCKER_HOST=unix:///nowhere/docker.sock", "TMPDIR="+temp)
			archive := filepath.Join(t.TempDir(), "work.zip")
			require.NoError(t, os.WriteFile(archive, tt.make(t), 0o600))
			out := filepath.Join(t.TempDir(), "result")
			cmd, stdout, stderr := p.command("run", archive, "--challenge", "log-aggregate", "--out", out)
			began := time.Now()
			code := exitCode(t, cmd.Run())
			took := time.Since(began)
			usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
			t.Logf("%s, %d MiB: %s", took.Round(time.Millisecond), usage.Maxrss>>10, stderr)
			assert.Equal(t, 2, code, "unusable input\n%s", stderr)
			assert.Contains(t, stderr.String(), tt.says)
			assert.NotContains(t, stderr.String(), "\x1b")
			assert.Less(t, stderr.Len(), 2000, "a sentence")
			assert.NotEmpty(t, stderr.String())
			assert.Empty(t, stdout.String())
			assert.Less(t, took, archiveTime)
			assert.Less(t, usage.Maxrss<<10, int64(archiveMemory), "memory")
			for _, dir := range []string{temp, outside} {
				left, err := os.ReadDir(dir)
				require.NoError(t, err)
				assert.Empty(t, left, "in %s", dir)
			}
			assert.NoDirExists(t, out)
		})
	}
}
