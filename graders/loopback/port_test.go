package loopback

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFreePort(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 20 {
		port, err := FreePort()
		require.NoError(t, err)
		n, err := strconv.Atoi(port)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, n, 1024)
		assert.Less(t, n, 32_768, "the kernel gives those above to clients")
		seen[port] = true
	}
	assert.Greater(t, len(seen), 10, "nobody can wait at a port that differs from start to start")
	port, err := FreePort()
	require.NoError(t, err)
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	require.NoError(t, err, "it is free")
	require.NoError(t, l.Close())
}
