package main

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// pinThread keeps the calling thread on a core.
func pinThread(core int) error {
	var set unix.CPUSet
	set.Set(core)
	return unix.SchedSetaffinity(0, &set)
}

// endWithParent has the kernel end a process when the one that starts it dies.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
