package kernel

import (
	"fmt"
	"os"
)

// pidLister lists the process ids in a /proc tree again and again.
type pidLister struct {
	dir *os.File
	buf []byte
}

func newPidLister(proc string) (*pidLister, error) {
	dir, err := os.Open(proc)
	if err != nil {
		return nil, fmt.Errorf("open process list: %w", err)
	}
	return &pidLister{dir: dir, buf: make([]byte, 8<<10)}, nil
}

func (l *pidLister) close() { _ = l.dir.Close() } // read-only

// pidName reads a process id from the name of a directory.
func pidName(name []byte) (int, bool) {
	n, rest, ok := number(name)
	if !ok || len(rest) > 0 || n <= 0 || n > 1<<30 {
		return 0, false
	}
	return int(n), true
}
