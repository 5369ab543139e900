package docker

import (
	"fmt"
	"strings"

	"github.com/containerd/errdefs"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

// exitOf makes an Exit of a container's exit code and the engine's word on its memory. The engine reports an end by
// signal n as the code 128+n; a program that exits with such a code by itself cannot be told from it.
//
// The word on memory covers every process of the container and may come late, so a driver that reads the cgroup knows
// better: what is seen here is a second witness.
func exitOf(code int, oomKilled bool) evidence.Exit {
	exit := evidence.Exit{Status: evidence.Exited, Code: code}
	if name, ok := runner.SignalName(code - 128); ok {
		exit.Status, exit.Signal = evidence.Signaled, name
	}
	switch {
	case oomKilled && code == 128+9:
		exit.Status, exit.Detail = evidence.OOMKilled, "The kernel ended it at its memory limit."
	case oomKilled:
		exit.Detail = "The kernel ended one of its processes at its memory limit."
	}
	return exit
}

// notExecutable says whether the engine refused to start a container because of its command: no such file, no
// permission, a directory. The engine calls that an invalid argument; whatever is wrong with our own arguments it
// finds when the container is created.
func notExecutable(err error) bool {
	return errdefs.IsInvalidArgument(err) && strings.Contains(err.Error(), "exec")
}

func notStarted(argv []string, err error) evidence.Exit {
	reason := err.Error()
	if _, after, ok := strings.Cut(reason, "exec: "); ok {
		reason = after
	}
	if before, _, ok := strings.Cut(reason, ": unknown"); ok {
		reason = before
	}
	return evidence.Exit{Status: evidence.NotStarted, Code: 127, Detail: fmt.Sprintf("%s could not be executed: %s", argv[0], reason)}
}

// execFailed recognises a command that the kernel refused to execute after the container had been set up, e.g. a file of a
// wrong format. The runtime writes its own message to standard error then. A submission that writes the same only
// hides its own exit code.
func execFailed(code int, stderr string) (evidence.Exit, bool) {
	if code != 1 && code != 255 || len(stderr) > 512 || !strings.Contains(stderr, "exec format error") {
		return evidence.Exit{}, false
	}
	if !strings.HasPrefix(stderr, "exec ") && !strings.HasPrefix(stderr, "standard_init_linux.go") {
		return evidence.Exit{}, false
	}
	return evidence.Exit{Status: evidence.NotStarted, Code: 126, Detail: "The command could not be executed: " + strings.TrimSpace(stderr)}, true
}
