package setup

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
)

// library matches the shared libraries that Node and its loader need, under their plain, their versioned and their
// linked names.
var library = regexp.MustCompile(
	`^(ld-linux[\w-]*|libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s|libresolv|libnss_files|libnss_dns|libatomic)` +
		`(-[\d.]+\.so|\.so\.[\d.]+)$`)

// trim writes the root file system of the run image from that of the build image: Node, the libraries it needs, certificates,
// and nothing that a submission could shell out to. It fails when something Node cannot do without is missing.
func trim(w io.Writer, r io.Reader) error {
	tr, l := tar.NewReader(r), newLayer(w)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read build image: %w", err)
		}
		name := path.Clean(strings.TrimPrefix(h.Name, "./"))
		if !kept(name, h.Typeflag) {
			continue
		}
		if h.Typeflag == tar.TypeLink && !l.names[path.Clean(strings.TrimPrefix(h.Linkname, "./"))] {
			return fmt.Errorf("trim build image: %s is a hard link to %s, which is not kept", name, h.Linkname)
		}
		h.Name, h.Mode, h.PAXRecords = name, h.Mode&0o755, nil
		if err := l.begin(h); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if _, err := io.Copy(l.tw, tr); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := complete(l.names); err != nil {
		return err
	}
	return finishRunRoot(l)
}

// kept says whether an entry of the build image belongs into the run image.
func kept(name string, kind byte) bool {
	switch kind {
	case tar.TypeReg, tar.TypeSymlink, tar.TypeLink:
	default:
		return false // directories come with their files
	}
	switch name {
	case "lib", "lib64", "usr/lib64", // links into usr where the base has merged the two
		"usr/local/bin/node",
		"etc/ssl/certs/ca-certificates.crt",
		"usr/share/zoneinfo/UTC", "usr/share/zoneinfo/Etc/UTC":
		return true
	}
	dir := path.Dir(name)
	inLib := dir == "lib" || dir == "lib64" || dir == "usr/lib" || dir == "usr/lib64" ||
		path.Dir(dir) == "lib" || path.Dir(dir) == "usr/lib"
	return inLib && library.MatchString(path.Base(name))
}

// complete checks what must be there. The rest is shown by running Node in the finished image.
func complete(seen map[string]bool) error {
	if !seen["usr/local/bin/node"] {
		return errors.New("trim build image: it has no /usr/local/bin/node")
	}
	for name := range seen {
		if strings.HasPrefix(path.Base(name), "ld-linux") {
			return nil
		}
	}
	return errors.New("trim build image: it has no loader of shared libraries; only images with glibc will do")
}

// finishRunRoot adds what is the same in every run image.
func finishRunRoot(l *layer) error {
	const nobody = "root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
	steps := []func() error{
		func() error { return writeUsers(l, nobody, "root:x:0:\nnogroup:x:65534:\n") },
		func() error { return writeFile(l, "etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n") },
		func() error {
			return writeFile(l, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
		},
		func() error {
			if !l.names["usr/share/zoneinfo/Etc/UTC"] {
				return nil // no zone is UTC as well
			}
			return writeLink(l, "etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
		},
		func() error { return writeDirs(l) },
		l.close,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
