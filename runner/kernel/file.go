package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// fileBytes is the room for one file of /proc or of a control group. The largest read here, /proc/PID/status of a
// machine with a thousand cores, takes about 4 KiB.
const fileBytes = 16 << 10

// file is an open file of /proc or of a control group that is read again and again. The zero value is a closed one.
type file struct{ f *os.File }

// open opens path, when it is not open yet.
func (f *file) open(path string) error {
	if f.f != nil {
		return nil
	}
	opened, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open kernel file: %w", err)
	}
	f.f = opened
	return nil
}

// read reads the file from its start into buf and returns the part that was filled. It fails when the process or the
// control group is gone.
func (f *file) read(buf []byte) ([]byte, error) {
	if f.f == nil {
		return nil, os.ErrClosed
	}
	n, err := f.f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err //nolint:wrapcheck // on the 100 Hz path; the caller only asks whether it failed
	}
	return buf[:n], nil
}

func (f *file) close() {
	if f.f != nil {
		_ = f.f.Close() // read-only
		f.f = nil
	}
}
