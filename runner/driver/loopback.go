package driver

import (
	"errors"
	"fmt"
	"net"
)

// errNoLoopback is a fault of the machine: what a submission answers cannot reach us, nor we it. No submission can bring
// it about, because it takes a capability that none has.
var errNoLoopback = errors.New("no network interface of the pod is up with the address 127.0.0.1")

// checkLoopback fails when the only network there is in a pod is gone.
func checkLoopback() error {
	list, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list network interfaces: %w", err)
	}
	for _, i := range list {
		if i.Flags&net.FlagLoopback == 0 || i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return fmt.Errorf("list addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok && ip.Contains(net.IPv4(127, 0, 0, 1)) {
				return nil
			}
		}
	}
	return errNoLoopback
}
