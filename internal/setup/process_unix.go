//go:build unix

package setup

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a program into a process group of its own, which is asked to end when its context is over.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// ownSession detaches a program from this one's terminal and signals.
func ownSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
