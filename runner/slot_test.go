package runner

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSlotsAreExclusive(t *testing.T) {
	t.Parallel()
	slots, err := newSlots(t.TempDir(), []int{0, 1, 2, 3, 7})
	require.NoError(t, err)
	require.Equal(t, 2, slots.Count())

	a, err := slots.Acquire(t.Context(), nil)
	require.NoError(t, err)
	b, err := slots.Acquire(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, Slot{CandidateCores: "7", DriverCores: "3"}, a.Slot)
	assert.Equal(t, Slot{CandidateCores: "2", DriverCores: "1"}, b.Slot)

	ctx, cancel := context.WithCancel(t.Context())
	var told string
	_, err = slots.Acquire(ctx, func(s string) { told = s; cancel() })
	require.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, told, fmt.Sprintf("process %d", os.Getpid()))

	b.Release()
	b.Release()
	c, err := slots.Acquire(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, b.Slot, c.Slot)
	a.Release()
	c.Release()
}

func TestOneCoreIsSharedByBothParts(t *testing.T) {
	t.Parallel()
	slots, err := newSlots(t.TempDir(), []int{5})
	require.NoError(t, err)
	held, err := slots.Acquire(t.Context(), nil)
	require.NoError(t, err)
	defer held.Release()
	assert.Equal(t, Slot{CandidateCores: "5", DriverCores: "5"}, held.Slot)
}

// TestSlotIsFreedWhenItsHolderIsKilled runs this test binary as a second process that takes the only slot.
func TestSlotIsFreedWhenItsHolderIsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHolderProcess$")
	holder.Env = append(os.Environ(), "ASSAY_TEST_SLOT_DIR="+dir)
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)

	slots, err := newSlots(dir, []int{0, 1})
	require.NoError(t, err)
	waiting := false
	held, err := slots.Acquire(t.Context(), func(string) {
		waiting = true
		assert.NoError(t, holder.Process.Kill())
	})
	require.NoError(t, err)
	held.Release()
	assert.True(t, waiting, "the slot was free while another process held it")
	_ = holder.Wait()
}

// TestHolderProcess is the second process of TestSlotIsFreedWhenItsHolderIsKilled; alone it checks one acquisition.
func TestHolderProcess(t *testing.T) {
	dir := os.Getenv("ASSAY_TEST_SLOT_DIR")
	child := dir != ""
	if !child {
		dir = t.TempDir()
	}
	slots, err := newSlots(dir, []int{0, 1})
	require.NoError(t, err)
	held, err := slots.Acquire(t.Context(), nil)
	require.NoError(t, err)
	defer held.Release()
	if child {
		fmt.Println("held")
		select {} // until killed
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	state, err := OpenState(dir)
	require.NoError(t, err)
	again, err := OpenState(dir)
	require.NoError(t, err)
	assert.Len(t, state.ID(), 16)
	assert.Equal(t, state.ID(), again.ID())

	s, err := state.NewSession()
	require.NoError(t, err)
	assert.True(t, again.Alive(s.ID))
	require.NoError(t, again.Prune())
	assert.True(t, again.Alive(s.ID), "pruning must not end a live session")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	assert.False(t, again.Alive(s.ID))
	assert.False(t, again.Alive(""))
	assert.False(t, again.Alive("../id"))
}
