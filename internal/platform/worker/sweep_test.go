package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
)

// counted counts the sweeps of one worker: each replenishes.
type counted struct {
	worker.Queue
	n atomic.Int64
}

func (c *counted) Replenish(ctx context.Context) (int, error) {
	c.n.Add(1)
	return c.Queue.Replenish(ctx)
}

// Of the workers that live one sweeps, and another one when that one is gone.
func TestOneSweeps(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	type sweeper struct {
		*running
		*counted
	}
	start := func() sweeper {
		c := &counted{Queue: b.queue}
		return sweeper{b.run(b.worker(scripted(workertest.Step{Score: 80}), func(o *worker.Options) {
			o.Queue, o.SweepEvery, o.Beat = c, 50*time.Millisecond, 50*time.Millisecond
		})), c}
	}
	first, second := start(), start()
	if second.ID() < first.ID() {
		first, second = second, first
	}
	require.Eventually(t, func() bool { return first.n.Load() > 20 }, patience, time.Millisecond)
	most := second.n.Load()
	assert.Positive(t, most, "whoever begins sweeps, in case nobody did for a while")
	assert.Less(t, most, first.n.Load()/2, "the other one sweeps now and then")
	first.end(t)
	b.Clock.Move(2 * lease)
	from := second.n.Load()
	require.Eventually(t, func() bool { return second.n.Load() > from+10 }, patience, time.Millisecond, "it takes over")
	second.end(t)
}
