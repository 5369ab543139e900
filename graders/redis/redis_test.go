package redis

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/graders/service/servicetest"
	"github.com/assay-run/assay/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a pod whose Redis listens after a while, loads for a while longer, and then answers.
type host struct {
	servicetest.Pod
	t     *testing.T
	after time.Duration
	wg    sync.WaitGroup
	mu    sync.Mutex
	heard []string
}

func (h *host) StartService(ctx context.Context, s workload.Service) error {
	assert.Equal(h.t, Name, s.Name)
	ready := time.Now().Add(2 * h.after)
	h.wg.Go(func() {
		time.Sleep(h.after)
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", "127.0.0.1:"+s.Env["ASSAY_PORT"])
		if !assert.NoError(h.t, err) {
			return
		}
		context.AfterFunc(ctx, func() { _ = l.Close() })
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			h.serve(nc, s.Env["ASSAY_PASSWORD"], ready)
		}
	})
	return nil
}

func (h *host) serve(nc net.Conn, password string, ready time.Time) {
	defer nc.Close()
	lines := bufio.NewScanner(nc)
	for lines.Scan() {
		h.mu.Lock()
		h.heard = append(h.heard, lines.Text())
		h.mu.Unlock()
		switch {
		case time.Now().Before(ready):
			fmt.Fprint(nc, "-LOADING\r\n")
		case strings.HasPrefix(lines.Text(), "AUTH") && lines.Text() != "AUTH driver "+password:
			fmt.Fprint(nc, "-WRONGPASS\r\n")
		case lines.Text() == "NONSENSE":
			fmt.Fprint(nc, "-ERR unknown command\r\n")
		default:
			fmt.Fprint(nc, "+OK\r\n")
		}
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	h := &host{t: t, after: 50 * time.Millisecond}
	s, err := Start(ctx, h)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, s.ReadyNs, int64(2*h.after), "ready when it answers, not when it listens")
	assert.True(t, strings.HasPrefix(s.URL, "redis://app:"), s.URL)
	require.ErrorContains(t, s.Ask(ctx, "NONSENSE"), "unknown command")
	require.NoError(t, s.Ask(ctx, "PING"))
	cancel()
	h.wg.Wait()
	assert.Contains(t, strings.Join(h.heard, "\n"), "ACL SETUSER app on >")
	require.Error(t, s.Ask(t.Context(), "PING"))

	_, err = Start(t.Context(), &servicetest.Pod{})
	require.ErrorContains(t, err, "has no services")
}
