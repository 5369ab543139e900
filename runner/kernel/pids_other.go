//go:build !linux

package kernel

import (
	"fmt"
	"io"
)

// list appends the process ids to dst. Only recorded trees are read this way.
func (l *pidLister) list(dst []int) ([]int, error) {
	if _, err := l.dir.Seek(0, io.SeekStart); err != nil {
		return dst, fmt.Errorf("list processes: %w", err)
	}
	names, err := l.dir.Readdirnames(-1)
	if err != nil {
		return dst, fmt.Errorf("list processes: %w", err)
	}
	for _, name := range names {
		if pid, ok := pidName([]byte(name)); ok {
			dst = append(dst, pid)
		}
	}
	return dst, nil
}
