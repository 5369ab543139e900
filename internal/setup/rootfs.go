package setup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// bootstrapTimeout bounds debootstrap, which takes a minute on a fast network.
	bootstrapTimeout = 10 * time.Minute
	// maxPackageFile bounds a file of an npm package; the node binary is about 130 MB.
	maxPackageFile = 1 << 30
)

// bootstrap makes a minimal Debian or Ubuntu, the same as this machine's, below dir and returns its code name.
func (s *setup) bootstrap(ctx context.Context, dir string) (string, error) {
	// libatomic1 is what Node for ARM needs; the others come along anyway and are named because Node needs them.
	return s.debootstrap(ctx, dir, "build image", "--include=ca-certificates,libatomic1,libstdc++6")
}

// debootstrap makes a minimal system below dir, with more options, and returns its code name. what is what it is for.
func (s *setup) debootstrap(ctx context.Context, dir, what string, options ...string) (string, error) {
	if err := s.ensureDebootstrap(ctx); err != nil {
		return "", err
	}
	release, err := osRelease(s.m)
	if err != nil {
		return "", err
	}
	suite := release["VERSION_CODENAME"]
	out, err := s.m.Run(ctx, "apt-get", "indextargets", "--format", "$(CODENAME)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return "", fmt.Errorf("read package sources: %w", err)
	}
	mirror, err := pickMirror(out, suite)
	if err != nil {
		return "", err
	}
	s.say("%s: bootstrapping %s from this machine's package sources (about a minute)", what, suite)
	ctx, cancel := context.WithTimeoutCause(ctx, bootstrapTimeout, fmt.Errorf("no end after %s", bootstrapTimeout))
	defer cancel()
	argv := append(append([]string{"debootstrap", "--variant=minbase"}, options...), suite, dir, mirror)
	if _, err = s.m.Run(ctx, argv...); err != nil {
		return "", fmt.Errorf("bootstrap %s: %w", suite, err)
	}
	return suite, nil
}

func (s *setup) ensureDebootstrap(ctx context.Context) error {
	if lacking := debianLike(s.m); lacking != nil {
		return fmt.Errorf("make base image without a container registry: %w; "+
			"let the engine reach a registry, or run assay setup as root on Debian or Ubuntu", lacking)
	}
	if s.m.Has("debootstrap") {
		return nil
	}
	s.say("build image: installing debootstrap")
	return s.install(ctx, "debootstrap")
}

// pickMirror chooses the first source of the suite's main component from lines "codename|component|uri".
func pickMirror(targets, suite string) (string, error) {
	if suite == "" {
		return "", errors.New("choose package source: os-release names no code name")
	}
	for line := range strings.Lines(targets) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) == 3 && f[0] == suite && f[1] == "main" && f[2] != "" {
			return f[2], nil
		}
	}
	return "", fmt.Errorf("choose package source: apt has none for %s main; see apt-get indextargets", suite)
}

// skipped says which parts of a bootstrapped system an image does without: devices, which the engine makes, and caches
// and manuals.
func skipped(name string) bool {
	for _, dir := range []string{"dev/", "proc/", "sys/", "run/", "tmp/", "var/cache/apt/", "var/lib/apt/lists/", "var/log/", "usr/share/man/"} {
		if strings.HasPrefix(name, dir) {
			return true
		}
	}
	return strings.HasPrefix(name, "usr/share/doc/") && path.Base(name) != "copyright" && path.Ext(name) != ""
}

// writeTree writes a bootstrapped system below dir, with its owners, as a tar archive.
func writeTree(ctx context.Context, l *layer, dir string) error {
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read system: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil || rel == "." {
			return err
		}
		name := filepath.ToSlash(rel)
		if skipped(name) || name == "etc/passwd" || name == "etc/group" {
			return nil
		}
		return writeEntry(l, file, name, d)
	})
}

func writeEntry(l *layer, file, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return fmt.Errorf("read system: %w", err)
	}
	var link string
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err = os.Readlink(file); err != nil {
			return fmt.Errorf("read system: %w", err)
		}
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil // sockets, devices
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return fmt.Errorf("describe %s: %w", name, err)
	}
	h.Name = name
	if info.IsDir() {
		h.Name += "/"
	}
	h.Mode &= 0o1777 // no program that changes its user: nothing in a container of ours may gain rights
	h.Uname, h.Gname, h.AccessTime, h.ChangeTime = "", "", time.Time{}, time.Time{}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		h.Uid, h.Gid = int(st.Uid), int(st.Gid)
	}
	if err := l.begin(h); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read system: %w", err)
	}
	defer f.Close()
	if _, err := io.Copy(l.tw, f); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// writePackage writes the files of an npm package that place gives a name to, in which it may change the mode.
func writePackage(l *layer, file string, place func(name string) (target string, mode int64)) (err error) {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open package: %w", err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("open package %s: %w", filepath.Base(file), err)
	}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read package %s: %w", filepath.Base(file), err)
		}
		target, mode := place(path.Clean(h.Name))
		if h.Typeflag != tar.TypeReg || target == "" || !fs.ValidPath(target) {
			continue
		}
		if h.Size > maxPackageFile {
			return fmt.Errorf("read package %s: %s is larger than 1 GiB", filepath.Base(file), h.Name)
		}
		out := &tar.Header{Typeflag: tar.TypeReg, Name: target, Mode: mode, Size: h.Size, ModTime: h.ModTime}
		if err := l.begin(out); err != nil {
			return fmt.Errorf("write %s: %w", target, err)
		}
		if _, err := io.Copy(l.tw, tr); err != nil {
			return fmt.Errorf("write %s: %w", target, err)
		}
	}
}

// placeNode takes the program and its licence, and leaves the headers and manuals.
func placeNode(name string) (string, int64) {
	switch name {
	case "package/bin/node":
		return "usr/local/bin/node", 0o755
	case "package/LICENSE":
		return "usr/local/share/doc/node/LICENSE", 0o644
	}
	return "", 0
}

// placeNPM takes everything but the manuals.
func placeNPM(name string) (string, int64) {
	rest, ok := strings.CutPrefix(name, "package/")
	if !ok || strings.HasPrefix(rest, "man/") || strings.HasPrefix(rest, "docs/") {
		return "", 0
	}
	mode := int64(0o644)
	if strings.HasPrefix(rest, "bin/") || strings.HasSuffix(rest, "/bin/node-gyp.js") {
		mode = 0o755
	}
	return npmDir + rest, mode
}

const npmDir = "usr/local/lib/node_modules/npm/"
