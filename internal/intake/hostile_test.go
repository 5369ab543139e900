package intake

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small are limits that tests can reach.
func small() Limits {
	return Limits{
		Entries: 50, Depth: 6, NameBytes: 40, PathBytes: 80, FileBytes: 300 << 10, TotalBytes: 500 << 10,
		ArchiveBytes: 2 << 20, ListBytes: 8 << 10, Ratio: 100, RatioFreeBytes: 64 << 10,
	}
}

// noise is content that does not compress.
func noise(n int) string {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(out) // it never fails
	return string(out)
}

// refused opens an archive that must be refused, checks that nothing is left of it, and returns the reason.
func refused(t *testing.T, path string) string {
	t.Helper()
	temp := t.TempDir()
	s, err := Open(t.Context(), path, Options{TempDir: temp, Limits: small()})
	require.Nil(t, s)
	var fault *Error
	require.ErrorAs(t, err, &fault)
	left, readErr := os.ReadDir(temp)
	require.NoError(t, readErr)
	assert.Empty(t, left, "the copy is removed")
	return strings.ReplaceAll(err.Error(), path, "PATH")
}

// Rules about entries hold for both kinds of archive alike.
func TestHostileEntries(t *testing.T) {
	t.Parallel()
	many := good()
	for i := range 60 {
		many = append(many, entry{name: fmt.Sprintf("f%d", i)})
	}
	tests := []struct {
		name    string
		entries []entry
		want    string
	}{
		{"parent directory", with(entry{name: "../evil"}), `"../evil": the name has ".."; only names within the submission are taken`},
		{"parent directory inside", with(entry{name: "src/../../evil"}), `"src/../../evil": the name has ".."; only names within the submission are taken`},
		{"absolute", with(entry{name: "/etc/passwd"}), `"/etc/passwd": the name is absolute; only names within the submission are taken`},
		{"drive letter", with(entry{name: "C:/evil"}), `"C:/evil": the name has a drive letter; only names within the submission are taken`},
		{"backslash", with(entry{name: `src\evil`}), `"src\\evil": the name has a backslash; make the archive with a tool that writes / between directories`},
		{"empty part", with(entry{name: "src//evil"}), `"src//evil": the name has an empty part or a single dot`},
		{"dot part", with(entry{name: "src/./evil"}), `"src/./evil": the name has an empty part or a single dot`},
		{"line feed", with(entry{name: "src/a\nb"}), `"src/a\nb": the name has the control character U+000A; rename it`},
		{"escape sequence", with(entry{name: "src/\x1b[31m"}), `"src/\x1b[31m": the name has the control character U+001B; rename it`},
		{"right-to-left override", with(entry{name: "src/\u202egnp.js"}), `"src/\u202egnp.js": the name has the control character U+202E; rename it`},
		{"invalid UTF-8", with(entry{name: "src/\xff\xfe"}), `"src/�": the name is not valid UTF-8; rename it`},
		{"long part", with(entry{name: "src/" + strings.Repeat("a", 41)}), `"src/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": a part of the name has 41 bytes; at most 40 are taken`},
		{"long name", with(entry{name: strings.Repeat("abcdefghi/", 8) + "abcdefghi"}), `"abcdefghi/abcdefghi/abcdefghi/abcdefghi/abcdefghi/abcdefghi/abcdefghi/abcdefghi/abcdefghi": the name has 89 bytes; at most 80 are taken`},
		{"deep", with(entry{name: "a/b/c/d/e/f/g"}), `"a/b/c/d/e/f/g": the path is 7 levels deep; at most 6 are taken`},
		{"symbolic link", with(entry{name: "src/link", link: "/etc/passwd", mode: os.ModeSymlink}), `"src/link": it is a symbolic link; only files and directories are taken; replace it by what it stands for`},
		{"FIFO", with(entry{name: "src/pipe", mode: os.ModeNamedPipe}), `"src/pipe": it is a FIFO; only files and directories are taken; replace it by what it stands for`},
		{"character device", with(entry{name: "src/null", mode: os.ModeDevice | os.ModeCharDevice}), `"src/null": it is a character device; only files and directories are taken; replace it by what it stands for`},
		{"block device", with(entry{name: "src/disk", mode: os.ModeDevice}), `"src/disk": it is a block device; only files and directories are taken; replace it by what it stands for`},
		{"setuid", with(entry{name: "src/su", mode: os.ModeSetuid | 0o755}), `"src/su": the file has the setuid or setgid bit; clear it with chmod ug-s`},
		{"twice", with(entry{name: "src/main.mjs", text: "other"}), `"src/main.mjs": the name is there twice`},
		{"only case differs", with(entry{name: "src/Main.mjs"}), `"src/Main.mjs": the name is the same as "src/main.mjs" but for upper and lower case or accents; rename one of them`},
		{"only case of a directory differs", with(entry{name: "SRC/other.mjs"}), `"SRC": the name is the same as "src" but for upper and lower case or accents; rename one of them`},
		{"only accents differ", with(entry{name: "src/é"}, entry{name: "src/e\u0301"}), `"src/é": the name is the same as "src/\u00e9" but for upper and lower case or accents; rename one of them`},
		{"file as directory", with(entry{name: "src/main.mjs/more"}), `"src/main.mjs": the name is there as a file and as a directory`},
		{"directory as file", with(entry{name: "src"}), `"src": the name is there as a file and as a directory`},
		{"too many", many, `"f47": there are more than 50 files and directories; leave out what can be installed or built`},
		{"one too large", with(entry{name: "big", text: noise(300<<10 + 1)}), `"big": the file has more than 307200 bytes; leave it out`},
		{"all too large", with(entry{name: "a", text: noise(260 << 10)}, entry{name: "b", text: noise(260 << 10)}), `"b": with it, the files have more than 512000 bytes in all; leave out what can be installed or built`},
		{"empty", nil, `the submission has no files; hand in the directory that has assay.json`},
		{"only directories", []entry{{name: "src/", mode: os.ModeDir | 0o755}}, `the submission has no files; hand in the directory that has assay.json`},
		{"only version control", []entry{{name: ".git/HEAD", text: "ref"}}, `the submission has no files; hand in the directory that has assay.json`},
		{"file without a name", with(entry{name: "."}), `".": a file needs a name`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, refused(t, save(t, "work.tar.gz", tarGz(t, tt.entries))), "tar.gz")
			assert.Equal(t, tt.want, refused(t, save(t, "work.zip", zipped(t, tt.entries))), "zip")
		})
	}
}

func TestHostileTar(t *testing.T) {
	t.Parallel()
	whole := tarGz(t, good())
	tests := map[string]struct {
		data []byte
		want string
	}{
		"hard link":       {tarGz(t, with(entry{name: "src/hard", link: "/etc/passwd"})), `"src/hard": it is a hard link; only files and directories are taken; replace it by what it stands for`},
		"link in modules": {tarGz(t, with(entry{name: "node_modules/.bin/tsc", link: "../ts/tsc", mode: os.ModeSymlink})), `"node_modules/.bin/tsc": it is a symbolic link; only files and directories are taken; leave node_modules out and let the build install it`},
		"cut off":         {whole[:len(whole)-20], "the tar archive is damaged or cut off (unexpected EOF); make the archive again"},
		"check sum":       {append(bytes.Clone(whole[:len(whole)-8]), 1, 2, 3, 4, 5, 6, 7, 8), "the gzip archive is damaged or cut off (gzip: invalid checksum); make the archive again"},
		"no tar":          {gzipped(t, []byte(noise(2000))), `the tar archive is damaged or cut off (archive/tar: invalid tar header); make the archive again`},
		"too much behind": {gzipped(t, append(unzipped(t, whole), noise(1<<20+64<<10)...)), `more than 1048576 bytes follow the end of the archive; make the archive again`},
		"not an archive":  {[]byte("hello"), `"PATH": it is neither a directory nor an archive that is known; hand in a directory, a .tar.gz or a .zip`},
		"nothing":         {nil, `"PATH": it is neither a directory nor an archive that is known; hand in a directory, a .tar.gz or a .zip`},
		"too large":       {make([]byte, 2<<20+1), `"PATH": the archive has 2097153 bytes; at most 2097152 are taken; leave out what can be installed or built`},
		"bomb":            {tarGz(t, bomb()), `it unpacks to more than 100 times its size; leave generated files out`},
		"names only":      {tarGz(t, bombOfNames()), `it unpacks to more than 100 times its size; leave generated files out`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, refused(t, save(t, "work.tar.gz", tt.data)))
		})
	}
}

func bomb() []entry { return with(entry{name: "zeros", text: strings.Repeat("\x00", 256<<10)}) }

// bombOfNames are directories that are there again and again: they take no room but time.
func bombOfNames() []entry {
	out := good()
	for range 2000 {
		out = append(out, entry{name: "same/", mode: os.ModeDir | 0o755})
	}
	return out
}

func TestHostileZip(t *testing.T) {
	t.Parallel()
	whole := zipped(t, good())
	long := good()
	for i := range 100 {
		long = append(long, entry{name: fmt.Sprintf("%040d/%030d", i, i)})
	}
	tests := map[string]struct {
		data []byte
		want string
	}{
		"encrypted":         {zipRaw(t, "secret", func(h *zip.FileHeader) { h.Flags |= 1 }), `"odd.txt": it is encrypted; make the archive without a password`},
		"method":            {zipRaw(t, "odd", func(h *zip.FileHeader) { h.Method = 99 }), `"odd.txt": it is compressed with method 99; only store (0) and deflate (8) are known; make the archive with the deflate method`},
		"declares less":     {zipRaw(t, "0123456789", func(h *zip.FileHeader) { h.UncompressedSize64 = 5 }), `the zip archive is damaged or cut off (zip: not a valid zip file); make the archive again`},
		"declares more":     {zipRaw(t, "0123456789", func(h *zip.FileHeader) { h.UncompressedSize64 = 50 }), `the zip archive is damaged or cut off (unexpected EOF); make the archive again`},
		"declares too much": {zipRaw(t, "0123456789", func(h *zip.FileHeader) { h.UncompressedSize64 = 1 << 40 }), `"odd.txt": the file has more than 307200 bytes; leave it out`},
		"check sum":         {zipRaw(t, "0123456789", func(h *zip.FileHeader) { h.CRC32++ }), `the zip archive is damaged or cut off (zip: checksum error); make the archive again`},
		"cut off":           {whole[:len(whole)-30], `the zip archive is damaged or cut off (zip: not a valid zip file); make the archive again`},
		"only the start":    {[]byte("PK\x03\x04"), `the zip archive is damaged or cut off (zip: not a valid zip file); make the archive again`},
		"bomb":              {zipped(t, bomb()), `"zeros": it unpacks to more than 100 times its size; leave generated files out`},
		"long list":         {zipped(t, long), `the list of its entries has more than 8192 bytes; leave out what can be installed or built`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, refused(t, save(t, "work.zip", tt.data)))
		})
	}
}

func TestHostileDirectory(t *testing.T) {
	t.Parallel()
	many := good()
	for i := range 200 {
		many = append(many, entry{name: fmt.Sprintf("d/f%d", i)})
	}
	tests := map[string]struct {
		entries []entry
		want    string
	}{
		"link to a file":      {with(entry{name: "src/link", link: "/etc/passwd", mode: os.ModeSymlink}), `"src/link": it is a symbolic link; only files and directories are taken; replace it by what it stands for`},
		"link to a directory": {with(entry{name: "lib", link: "src", mode: os.ModeSymlink}), `"lib": it is a symbolic link; only files and directories are taken; replace it by what it stands for`},
		"manifest is a link":  {[]entry{{name: "assay.json", link: "/etc/hostname", mode: os.ModeSymlink}}, `"assay.json": it is a symbolic link; only files and directories are taken; replace it by what it stands for`},
		"setuid":              {with(entry{name: "su", mode: os.ModeSetuid | 0o755}), `"su": the file has the setuid or setgid bit; clear it with chmod ug-s`},
		"control character":   {with(entry{name: "a\x07b"}), `"a\ab": the name has the control character U+0007; rename it`},
		"too many":            {many, `"d": there are more than 50 files and directories; leave out what can be installed or built`},
		"deep":                {with(entry{name: "a/b/c/d/e/f/g"}), `"a/b/c/d/e/f/g": the path is 7 levels deep; at most 6 are taken`},
		"too large":           {with(entry{name: "big", text: noise(300<<10 + 1)}), `"big": the file has more than 307200 bytes; leave it out`},
		"empty":               {nil, `the submission has no files; hand in the directory that has assay.json`},
		"kept modules link":   {with(entry{name: "node_modules/a", link: "../b", mode: os.ModeSymlink}), `"node_modules/a": it is a symbolic link; only files and directories are taken; leave node_modules out and let the build install it`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, refused(t, lay(t, tt.entries)))
		})
	}
	t.Run("is not there", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, `"PATH": there is no such file or directory; check the path`, refused(t, filepath.Join(t.TempDir(), "nothing")))
	})
}
