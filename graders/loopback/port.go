// Package loopback has what workloads need on the pod's only network.
package loopback

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePort finds a port of 127.0.0.1 that nobody listens on, for somebody else to listen there.
func FreePort() (string, error) {
	l, err := Listen(context.Background())
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("find free port: %w", err)
	}
	return port, nil
}

// Listen listens on a port of 127.0.0.1. It differs from start to start, so that nothing can wait there.
// It lies below the ports that the kernel gives to clients (32768 to 60999 unless changed): a heartbeat that knocks before the
// submission listens could otherwise be given that very port, be connected with itself, and take it from the submission.
func Listen(ctx context.Context) (net.Listener, error) {
	const low, high, tries = 20_000, 32_000, 50
	var config net.ListenConfig
	var err error
	for range tries {
		var l net.Listener
		if l, err = config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(low+rand.IntN(high-low)))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("find free port: %w", err)
}
