//go:build integration

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
)

// canary listens on every address of this host. Whoever reaches it has left its pod.
type canary struct {
	hosts []string
	port  int
	count atomic.Int64
}

func newCanary(t *testing.T) *canary {
	t.Helper()
	c := &canary{}
	tcp, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	c.port = tcp.Addr().(*net.TCPAddr).Port
	udp, err := net.ListenPacket("udp", fmt.Sprintf(":%d", c.port))
	require.NoError(t, err)
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			c.count.Add(1)
			conn.Close()
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		buffer := make([]byte, 64)
		for {
			if _, _, err := udp.ReadFrom(buffer); err != nil {
				return
			}
			c.count.Add(1)
		}
	}()
	t.Cleanup(func() {
		tcp.Close()
		udp.Close()
		<-done
		<-done
	})
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			c.hosts = append(c.hosts, ip.IP.String())
		}
	}
	require.NotEmpty(t, c.hosts)
	// That it hears at all is seen here.
	conn, err := net.Dial("tcp", net.JoinHostPort(c.hosts[0], strconv.Itoa(c.port)))
	require.NoError(t, err)
	conn.Close()
	require.Eventually(t, func() bool { return c.count.CompareAndSwap(1, 0) }, 5*time.Second, time.Millisecond)
	return c
}

func (c *canary) calls() int64 { return c.count.Load() }

// host is what must be the same before and after.
type host struct {
	Mounts      []string
	CorePattern string
	Engine      []string // containers, volumes and networks of these tests
	Processes   []string // of the user that submissions have
	Temp        []string // what attacks might have left
}

func lookAtHost(t *testing.T) host {
	t.Helper()
	var h host
	// The last pod may still be on its way out.
	assert.Eventually(t, func() bool {
		h = readHost(t)
		return len(h.Processes) == 0
	}, 10*time.Second, 50*time.Millisecond, "processes of submissions: %v", h.Processes)
	return h
}

func readHost(t *testing.T) host {
	t.Helper()
	var h host
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(mounts)), "\n") {
		if f := strings.Fields(line); len(f) > 4 {
			h.Mounts = append(h.Mounts, f[4])
		}
	}
	slices.Sort(h.Mounts)
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	require.NoError(t, err)
	h.CorePattern = string(pattern)
	h.Engine = labelled(t, attackState)
	h.Processes = processesOf(runner.UID)
	for _, pattern := range []string{"/tmp/core*", "/core*", "/tmp/x", "/x"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		h.Temp = append(h.Temp, found...)
	}
	return h
}

// processesOf lists the processes of a user.
func processesOf(uid int) []string {
	var list []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			continue // it has ended
		}
		if strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", uid)) {
			name, _, _ := strings.Cut(strings.TrimPrefix(string(status), "Name:\t"), "\n")
			list = append(list, filepath.Base(dir)+" "+name)
		}
	}
	return list
}

// freeDisk is how much room there is where the engine keeps its data.
func (b *attackBench) freeDisk(t *testing.T) int64 {
	t.Helper()
	info, err := b.engine.Info(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, info.Root)
	var fs syscall.Statfs_t
	require.NoError(t, syscall.Statfs(info.Root, &fs))
	return int64(fs.Bavail) * fs.Bsize
}
