package kernel

import (
	"encoding/binary"
	"fmt"
	"io"
	"syscall"
)

// Layout of a linux_dirent64: inode 8, offset 8, record length 2, type 1, name up to a NUL.
const (
	direntLength = 16
	direntName   = 19
)

// list appends the process ids to dst. It reads the directory without making a string of every name, because it
// runs at the sampling rate.
func (l *pidLister) list(dst []int) ([]int, error) {
	if _, err := l.dir.Seek(0, io.SeekStart); err != nil {
		return dst, fmt.Errorf("list processes: %w", err)
	}
	for {
		n, err := syscall.ReadDirent(int(l.dir.Fd()), l.buf)
		if err != nil {
			return dst, fmt.Errorf("list processes: %w", err)
		}
		if n <= 0 {
			return dst, nil
		}
		dst = appendPids(dst, l.buf[:n])
	}
}

// appendPids appends the process ids among directory records. Records that are cut short end it.
func appendPids(dst []int, b []byte) []int {
	for len(b) > direntName {
		length := int(binary.NativeEndian.Uint16(b[direntLength:]))
		if length <= direntName || length > len(b) {
			return dst
		}
		name := b[direntName:length]
		for i, c := range name {
			if c == 0 {
				name = name[:i]
				break
			}
		}
		if pid, ok := pidName(name); ok {
			dst = append(dst, pid)
		}
		b = b[length:]
	}
	return dst
}
