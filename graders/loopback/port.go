// Package loopback has what workloads need on the pod's only network.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePort finds a port of 127.0.0.1 that nobody listens on. It differs from start to start, so that nothing can wait there.
// It lies below the ports that the kernel gives to clients (32768 to 60999 unless changed): a heartbeat that knocks before the
// submission listens could otherwise be given that very port, be connected with itself, and take it from the submission.
func FreePort() (string, error) {
	const low, high, tries = 20_000, 32_000, 50
	var err error
	for range tries {
		port := strconv.Itoa(low + rand.IntN(high-low))
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err != nil {
			continue
		}
		if err = l.Close(); err == nil {
			return port, nil
		}
	}
	return "", fmt.Errorf("find free port: %w", err)
}
