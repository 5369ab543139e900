package diskwatch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var roomy = Limits{Bytes: 1 << 40, Files: 1 << 40}

func write(t *testing.T, path string, size int) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o644))
}

// usage looks at a directory alone: deleted files that somebody on this machine has open would count too.
func usage(t *testing.T, dir string, l Limits) Over {
	t.Helper()
	return usageBeside(t, dir, t.TempDir(), l)
}

func usageBeside(t *testing.T, dir, proc string, l Limits) Over {
	t.Helper()
	u, err := Usage(dir, proc, l)
	require.NoError(t, err)
	return u
}

// ourselves is a proc with this process alone.
func ourselves(t *testing.T) string {
	t.Helper()
	proc, pid := t.TempDir(), strconv.Itoa(os.Getpid())
	require.NoError(t, os.Symlink(filepath.Join("/proc", pid), filepath.Join(proc, pid)))
	return proc
}

func TestUsageCountsWhatIsOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := usage(t, dir, roomy)
	assert.Equal(t, Over{}, empty)

	sub := filepath.Join(dir, "a", "b")
	require.NoError(t, os.MkdirAll(sub, 0o755))
	folders := usage(t, dir, roomy)
	assert.EqualValues(t, 2, folders.Files)

	write(t, filepath.Join(sub, "one"), 1<<20)
	one := usage(t, dir, roomy)
	assert.InDelta(t, 1<<20, one.Bytes-folders.Bytes, 64<<10)
	assert.EqualValues(t, 3, one.Files)

	require.NoError(t, os.Link(filepath.Join(sub, "one"), filepath.Join(dir, "again")))
	linked := usage(t, dir, roomy)
	assert.Equal(t, one.Bytes, linked.Bytes, "a second name takes no room")
	assert.EqualValues(t, 4, linked.Files)

	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	require.NoError(t, err)
	require.NoError(t, sparse.Truncate(1<<40))
	require.NoError(t, sparse.Close())
	assert.Less(t, usage(t, dir, roomy).Bytes, int64(4<<20), "what is not written takes no room")

	outside := t.TempDir()
	write(t, filepath.Join(outside, "large"), 8<<20)
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link")))
	assert.Less(t, usage(t, dir, roomy).Bytes, int64(4<<20), "links are not followed")
}

func TestUsageSeesDeletedFiles(t *testing.T) {
	t.Parallel()
	dir, proc := t.TempDir(), ourselves(t)
	before := usageBeside(t, dir, proc, roomy)
	f, err := os.Create(filepath.Join(dir, "hidden"))
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Write(bytes.Repeat([]byte("x"), 2<<20))
	require.NoError(t, err)
	require.NoError(t, os.Remove(f.Name()))
	assert.InDelta(t, 2<<20, usageBeside(t, dir, proc, roomy).Bytes-before.Bytes, 64<<10, "it is open, so it is there")
	require.NoError(t, f.Close())
	assert.Equal(t, before, usageBeside(t, dir, proc, roomy))
}

func TestUsageStopsAtItsLimits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 50 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), 10)
	}
	many := Limits{Bytes: 1 << 40, Files: 20}
	u := usage(t, dir, many)
	assert.True(t, many.exceeded(u))
	assert.EqualValues(t, 21, u.Files, "it does not go on counting")

	deep := filepath.Join(t.TempDir(), strings.Repeat("d/", maxDepth+5))
	require.NoError(t, os.MkdirAll(deep, 0o755))
	top := deep[:strings.Index(deep, "/d/")]
	assert.True(t, usage(t, top, roomy).Deep)
}

func TestMainSaysWhenThereIsTooMuch(t *testing.T) {
	t.Parallel()
	dir, proc := t.TempDir(), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- Main(ctx, []string{"-dir", dir, "-bytes", "1048576", "-files", "100", "-proc", proc}, &out)
	}()
	write(t, filepath.Join(dir, "small"), 1000)
	select {
	case err := <-done:
		t.Fatalf("it ended, although nothing is wrong: %v", err)
	case <-time.After(3 * lookEvery):
	}
	write(t, filepath.Join(dir, "large"), 2<<20)
	require.NoError(t, <-done)
	var s Said
	require.NoError(t, json.Unmarshal(out.Bytes(), &s))
	require.NotNil(t, s.Over)
	assert.Greater(t, s.Over.Bytes, int64(1<<20))
	assert.Nil(t, s.Room)
}

func TestMainSaysHowMuchRoomThereIs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := t.TempDir()
	require.NoError(t, Main(t.Context(), []string{"-dir", dir, "-look"}, &out))
	var s Said
	require.NoError(t, json.Unmarshal(out.Bytes(), &s))
	require.NotNil(t, s.Room)
	assert.Nil(t, s.Over)
	room, err := RoomOf(dir)
	require.NoError(t, err)
	assert.InEpsilon(t, room.Bytes, s.Room.Bytes, 0.5)
	assert.False(t, s.Room.Full())
}

func TestFull(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		room Room
		full bool
	}{
		{Room{Bytes: 1 << 40, Files: -1}, false},
		{Room{Bytes: fullBytes, Files: fullFiles}, false},
		{Room{Bytes: fullBytes - 1, Files: -1}, true},
		{Room{Bytes: 0, Files: 1000}, true},
		{Room{Bytes: 1 << 40, Files: fullFiles - 1}, true},
		{Room{Bytes: 1 << 40, Files: 0}, true},
	} {
		assert.Equal(t, tt.full, tt.room.Full(), "%+v", tt.room)
	}
}

func TestMainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	require.NoError(t, Main(ctx, []string{"-dir", t.TempDir(), "-bytes", "1", "-files", "1", "-proc", t.TempDir()}, &out))
	assert.Empty(t, out.String())
	for _, args := range [][]string{
		nil, {"-dir", "/tmp"}, {"-look"}, {"-dir", "/nowhere-at-all", "-look"}, {"-dir", "/nowhere-at-all", "-bytes", "1", "-files", "1"}, {"-what"},
	} {
		require.Error(t, Main(t.Context(), args, &out), "%v", args)
	}
}
