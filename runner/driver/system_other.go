//go:build !linux

package driver

import (
	"errors"
	"os"
)

// A driver needs Linux: in a pod it always has it. Elsewhere these say so, and a submission cannot be started.

func closeToOthers() error { return errors.ErrUnsupported }

func keepWriting() {}

func pollable(f *os.File) *os.File { return f }

func signalKill(int) (gone bool, err error) { return false, errors.ErrUnsupported }

func signalStop(int) (gone bool, err error) { return false, errors.ErrUnsupported }

func reap(int) (killed bool) { return false }

func roomOf(string) (r room, ok bool) { return room{}, false }

type exitWatch struct{}

func watchExit(int) *exitWatch { return nil }

func (w *exitWatch) done() <-chan struct{} { return nil }

func (w *exitWatch) close() {}
