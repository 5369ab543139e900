package setup

import (
	"archive/tar"
	"cmp"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/assay-run/assay/runner"
)

// candidateUser is the name of runner.UID in the images.
const candidateUser = "candidate"

// layer is the root file system of an image as it is written. An engine refuses an archive that has a name twice.
type layer struct {
	tw    *tar.Writer
	names map[string]bool
}

func newLayer(w io.Writer) *layer { return &layer{tw: tar.NewWriter(w), names: map[string]bool{}} }

// begin starts an entry, whose content follows on tw.
func (l *layer) begin(h *tar.Header) error {
	name := path.Clean(h.Name)
	if l.names[name] {
		return fmt.Errorf("%s is there twice", name)
	}
	l.names[name] = true
	return l.tw.WriteHeader(h)
}

func (l *layer) close() error { return l.tw.Close() }

// writeUsers writes the list of users and groups of a base with the submission's added.
func writeUsers(l *layer, passwd, group string) error {
	id := fmt.Sprint(runner.UID)
	passwd = endLine(passwd) + candidateUser + ":x:" + id + ":" + id + "::/tmp:/usr/sbin/nologin\n"
	group = endLine(group) + candidateUser + ":x:" + id + ":\n"
	return cmp.Or(writeFile(l, "etc/passwd", passwd), writeFile(l, "etc/group", group))
}

func endLine(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

func writeFile(l *layer, name, content string) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}
	if err := l.begin(h); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if _, err := io.WriteString(l.tw, content); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func writeLink(l *layer, name, target string) error {
	if err := l.begin(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// writeDirs writes the directories that containers mount things on and that are not there yet. None but tmp can be
// written to.
func writeDirs(l *layer) error {
	for _, name := range []string{"assay/", "data/", "dev/", "out/", "proc/", "sys/", "tmp/"} {
		mode := int64(0o755)
		if name == "tmp/" {
			mode = 0o1777
		}
		if l.names[path.Clean(name)] {
			continue
		}
		if err := l.begin(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
