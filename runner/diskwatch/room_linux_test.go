package diskwatch

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMainSaysOnceThatItIsFull watches a file system of the kernel's own, which has no room by its nature.
func TestMainSaysOnceThatItIsFull(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Main(ctx, []string{"-dir", "/proc/sys/fs", "-bytes", "1048576", "-files", "1000000"}, w)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	require.True(t, lines.Scan())
	var s Said
	require.NoError(t, json.Unmarshal(lines.Bytes(), &s))
	require.NotNil(t, s.Room)
	assert.True(t, s.Room.Full())
	select {
	case err := <-done:
		t.Fatalf("it ended, although nothing was written: %v", err)
	default:
	}
	cancel()
	assert.False(t, lines.Scan(), "once")
	require.NoError(t, <-done)
}
