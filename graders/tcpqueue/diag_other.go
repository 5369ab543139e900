//go:build !linux

package tcpqueue

import (
	"errors"
	"net/netip"
)

// Kernel is a connection to the kernel.
type Kernel struct{}

// Open always fails: the protocol is Linux's.
func Open() (*Kernel, error) { return nil, errors.New("open sock_diag: this system has none") }

// Close does nothing.
func (*Kernel) Close() error { return nil }

// Of knows nothing.
func (*Kernel) Of(_, _ netip.AddrPort) (Queue, bool) { return Queue{}, false }
