//go:build !unix

package debugservice

import "errors"

const nonblock = 0

func mkfifo(string) error { return errors.New("this system has no named pipes") }
