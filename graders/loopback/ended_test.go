package loopback

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// late is a context whose timer has not fired yet.
type late struct {
	context.Context //nolint:containedctx // it is one
	deadline        time.Time
}

func (l late) Deadline() (time.Time, bool) { return l.deadline, true }

func TestEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	assert.False(t, Ended(ctx))
	assert.False(t, Ended(late{ctx, time.Now().Add(time.Hour)}))
	overdue := late{ctx, time.Now().Add(-time.Nanosecond)}
	assert.NoError(t, overdue.Err())
	assert.True(t, Ended(overdue), "its deadline has passed, whatever it says of itself")
	cancel()
	assert.True(t, Ended(ctx))
}
