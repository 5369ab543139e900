package tcpqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// Sizes and numbers of linux/sock_diag.h and linux/inet_diag.h.
const (
	headerSize  = 16
	requestSize = headerSize + 56
	answerSize  = headerSize + 72

	sockDiagByFamily = 20
	messageError     = 2
	flagRequest      = 1

	offsetSport  = headerSize + 8 // in a request
	offsetUnread = headerSize + 56
	offsetUnsent = headerSize + 60
)

// Kernel is a connection to the kernel. It may be used from several goroutines.
type Kernel struct {
	mu     sync.Mutex
	fd     int
	number uint32
	answer [4096]byte
}

// Open connects to the kernel. Close must be called.
func Open() (*Kernel, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", err)
	}
	// The kernel answers at once. Should it ever not, nobody waits for it for long.
	if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}); err != nil {
		return nil, errors.Join(fmt.Errorf("set up sock_diag: %w", err), unix.Close(fd))
	}
	return &Kernel{fd: fd}, nil
}

// Close gives up the connection. It may be called once, when nobody asks any more.
func (k *Kernel) Close() error {
	if err := unix.Close(k.fd); err != nil {
		return fmt.Errorf("close sock_diag: %w", err)
	}
	return nil
}

// Of returns the queues of the socket at local that is connected with remote, both IPv4. ok is false when there is none.
func (k *Kernel) Of(local, remote netip.AddrPort) (q Queue, ok bool) {
	if !local.Addr().Unmap().Is4() || !remote.Addr().Unmap().Is4() {
		return Queue{}, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.number++
	request := k.request(local, remote)
	if err := unix.Sendto(k.fd, request[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return Queue{}, false
	}
	// An answer that came too late for an earlier question is passed over.
	for range 4 {
		n, _, err := unix.Recvfrom(k.fd, k.answer[:], 0)
		if err != nil || n < headerSize {
			return Queue{}, false
		}
		b := k.answer[:n]
		if binary.NativeEndian.Uint32(b[8:]) != k.number {
			continue
		}
		if binary.NativeEndian.Uint16(b[4:]) == messageError || n < answerSize {
			return Queue{}, false
		}
		return Queue{Unread: int64(binary.NativeEndian.Uint32(b[offsetUnread:])), Unsent: int64(binary.NativeEndian.Uint32(b[offsetUnsent:]))}, true
	}
	return Queue{}, false
}

// request is the bytes of a question.
func (k *Kernel) request(local, remote netip.AddrPort) [requestSize]byte {
	var b [requestSize]byte
	binary.NativeEndian.PutUint32(b[0:], requestSize)
	binary.NativeEndian.PutUint16(b[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(b[6:], flagRequest)
	binary.NativeEndian.PutUint32(b[8:], k.number)
	b[headerSize], b[headerSize+1] = unix.AF_INET, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[headerSize+4:], 0xffffffff) // any state
	id := b[offsetSport:]
	binary.BigEndian.PutUint16(id[0:], local.Port())
	binary.BigEndian.PutUint16(id[2:], remote.Port())
	from, to := local.Addr().Unmap().As4(), remote.Addr().Unmap().As4()
	copy(id[4:], from[:])
	copy(id[20:], to[:])
	for i := 40; i < 48; i++ {
		id[i] = 0xff // no cookie
	}
	return b
}
