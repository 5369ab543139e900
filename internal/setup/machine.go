// Package setup makes a machine ready for grading and says what is missing: the container engine, and the images that
// submissions are built and run in.
//
// Nothing here names a registry. npm packages come from wherever this machine's npm is set to, Debian packages from
// wherever its apt is, and the container image from wherever the engine looks names up.
package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/assay-run/assay/runner"
)

// maxToolOutput bounds what is kept of the output of a tool.
const maxToolOutput = 8 << 20

// machine is what set-up does to the host, so that tests need none.
type machine interface {
	// Run runs a program and returns its standard output. The error of a failed one ends with the tail of its standard error.
	Run(ctx context.Context, argv ...string) (string, error)
	// Start starts a program that outlives this one, with its output in a file.
	Start(logFile string, argv ...string) error
	// Has says whether a program of that name is there.
	Has(name string) bool
	// Root says whether this process may change the system.
	Root() bool
	// ReadFile reads a small file of the system.
	ReadFile(path string) ([]byte, error)
}

// host is the real machine.
type host struct{}

// killDelay is how long a tool has to end after its context is over.
const killDelay = 5 * time.Second

// lookPath finds a program. Those of the administrator are looked for as well: debootstrap and dockerd lie in sbin,
// which is not in everybody's path.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, sbinErr := exec.LookPath(filepath.Join(dir, name)); sbinErr == nil {
			return path, nil
		}
	}
	return "", err
}

func (host) Run(ctx context.Context, argv ...string) (string, error) {
	path, err := lookPath(argv[0])
	if err != nil {
		return "", fmt.Errorf("find %s: %w", argv[0], err)
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	// A tool and all it starts are ended together and in peace first: debootstrap unmounts on SIGTERM.
	ownGroup(cmd)
	cmd.WaitDelay = killDelay
	stderr := runner.NewBoundedLog(4 << 10)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &limitedWriter{w: &stdout, left: maxToolOutput}, stderr
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		said := stderr.Log().Text
		if strings.TrimSpace(said) == "" {
			said = lastLines(stdout.String(), 10) // debootstrap and apt-get explain themselves there
		}
		return stdout.String(), fmt.Errorf("run %s: %w\n%s", argv[0], err, strings.TrimSpace(said))
	}
	return stdout.String(), nil
}

func (host) Start(logFile string, argv ...string) error {
	path, err := lookPath(argv[0])
	if err != nil {
		return fmt.Errorf("find %s: %w", argv[0], err)
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(path, argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	ownSession(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	// Nobody waits for it: it is to outlive this process, and its end shows in that the engine does not answer.
	return cmd.Process.Release()
}

func (host) Has(name string) bool {
	_, err := lookPath(name)
	return err == nil
}

func (host) Root() bool { return os.Geteuid() == 0 }

func (host) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// limitedWriter drops what is over its limit and counts on.
type limitedWriter struct {
	w    *bytes.Buffer
	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	k := min(l.left, len(p))
	l.left -= k
	l.w.Write(p[:k])
	return len(p), nil
}

// lastLines is the end of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// osRelease reads /etc/os-release.
func osRelease(m machine) (map[string]string, error) {
	data, err := m.ReadFile("/etc/os-release")
	if err != nil {
		return nil, fmt.Errorf("read os-release: %w", err)
	}
	return parseOSRelease(string(data)), nil
}

// parseOSRelease reads lines of KEY=value, the value with or without quotes.
func parseOSRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	return values
}

// debianLike says whether apt-get can install something here and now, and otherwise why not.
func debianLike(m machine) error {
	release, err := osRelease(m)
	switch {
	case err != nil, !m.Has("apt-get"),
		!strings.Contains(" "+release["ID"]+" "+release["ID_LIKE"]+" ", " debian "):
		return errors.New("this is no Debian or Ubuntu")
	case !m.Root():
		return errors.New("only root may install packages")
	}
	return nil
}
