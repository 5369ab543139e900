package tcpqueue

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pair is both ends of a connection.
func pair(t *testing.T, network string) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen(network, "127.0.0.1:0")
	if network == "tcp6" {
		l, err = net.Listen("tcp", ":0")
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	a, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", port))
	require.NoError(t, err)
	b, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

func addr(t *testing.T, a net.Addr) netip.AddrPort {
	t.Helper()
	return a.(*net.TCPAddr).AddrPort()
}

func TestQueueHoldsWhatIsNotRead(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp4", "tcp6"} { // a listener on :: takes IPv4 too, and so do most Node services
		k, err := Open()
		require.NoError(t, err)
		near, far := pair(t, network)
		ends := []netip.AddrPort{addr(t, near.LocalAddr()), addr(t, near.RemoteAddr())}

		q, ok := k.Of(ends[0], ends[1])
		require.True(t, ok)
		assert.Zero(t, q)

		_, err = far.Write(make([]byte, 10_000))
		require.NoError(t, err)
		q, ok = k.Of(ends[0], ends[1])
		require.True(t, ok)
		assert.Equal(t, int64(10_000), q.Unread)
		_, err = near.Read(make([]byte, 4_000))
		require.NoError(t, err)
		q, _ = k.Of(ends[0], ends[1])
		assert.Equal(t, int64(6_000), q.Unread)

		// Until the other side takes no more: nothing is lost between the two queues.
		require.NoError(t, far.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
		more, err := far.Write(make([]byte, 64<<20))
		require.Error(t, err, "64 MiB fit into no queue")
		near1, _ := k.Of(ends[0], ends[1])
		far1, ok := k.Of(ends[1], ends[0])
		require.True(t, ok)
		assert.Equal(t, int64(6_000+more), near1.Unread+far1.Unsent)
		assert.Positive(t, far1.Unsent)
		require.NoError(t, k.Close())
	}
}

func TestQueueOfNobody(t *testing.T) {
	t.Parallel()
	k, err := Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, k.Close()) }()
	_, ok := k.Of(netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2"))
	assert.False(t, ok)
	_, ok = k.Of(netip.MustParseAddrPort("[::1]:1"), netip.MustParseAddrPort("127.0.0.1:2"))
	assert.False(t, ok)
}
