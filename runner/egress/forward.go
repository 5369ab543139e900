package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// forwardIdle is longer than the proxy's own limit: the proxy decides, and logs.
const forwardIdle = 2 * defaultIdleTimeout

// Forward hands every connection of ln to the unix socket at path, until ctx is over. It owns ln, waits for what it has
// started, and returns nil at the end.
func Forward(ctx context.Context, ln net.Listener, path string) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	ln = netutil.LimitListener(ln, defaultMaxConns)
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connection: %w", err)
		case err != nil: // out of descriptors, or a client that has gone: the next may fare better
			if !pause(ctx, 50*time.Millisecond) {
				return nil
			}
			continue
		}
		wg.Go(func() {
			defer conn.Close()
			proxy, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", path)
			if err != nil {
				return // the client sees the end of its connection
			}
			splice(ctx, conn, proxy, forwardIdle)
		})
	}
}

// pause waits, and says whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
