package docker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
)

// deathKnownWithin is how long an engine may take to tell of a death that it has reported as an exit already.
const deathKnownWithin = 2 * time.Second

// untouched asks the engine what was done to an ended container, and returns runner.ErrMeddled when somebody else had sent
// it a signal or paused it. A submission cannot: it does not reach the engine, and signals inside of the pod are no events.
// Nor is the kernel's end at a memory limit, or a signal that root sends to the process past the engine.
//
// An engine writes a kill down before it lets go of the container, and its death after that. So what comes before the first
// death is all there is, and no clock is asked, which may have been set.
func (c *candidate) untouched(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, deathKnownWithin)
	defer cancel()
	said := c.e.cli.Events(ctx, client.EventsListOptions{
		Since: "1", // all that the engine remembers
		Filters: make(client.Filters).Add("container", c.id).
			Add("event", string(events.ActionKill), string(events.ActionPause), string(events.ActionDie)),
	})
	for {
		select {
		case m := <-said.Messages:
			switch {
			case m.Action == events.ActionDie:
				return nil
			case m.Action == events.ActionPause:
				return fmt.Errorf("%w: it was paused", runner.ErrMeddled)
			case m.Action == events.ActionKill && !c.closing.Load(): // or it was us
				return fmt.Errorf("%w: it was sent %s", runner.ErrMeddled, signalName(m.Actor.Attributes["signal"]))
			}
		case err := <-said.Err:
			if ctx.Err() == nil {
				return fault(ctx, "ask for what was done to the candidate", err)
			}
			c.e.log.DebugContext(ctx, "engine tells of no death", "id", c.id)
			return nil
		}
	}
}

// disturbed is what somebody else did to a container that has been closed, also where nobody waits for its end any more: a service that was
// paused for a while makes a submission wait.
func (c *candidate) disturbed() error {
	if <-c.ended; errors.Is(c.err, runner.ErrMeddled) {
		return c.err
	}
	return nil
}

// signalName is that of an event's number.
func signalName(number string) string {
	n, _ := strconv.Atoi(number)
	if name, ok := runner.SignalName(n); ok {
		return name
	}
	return "a signal"
}
