//go:build !linux

package main

import (
	"errors"
	"os/exec"
)

// pinThread is for Linux; elsewhere cores cannot be chosen.
func pinThread(int) error { return errors.ErrUnsupported }

func endWithParent(*exec.Cmd) {}
