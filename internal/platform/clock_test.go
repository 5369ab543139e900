package platform_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/platform"
)

// nine is when every attempt of these tests starts.
var nine = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return nine.Add(time.Duration(minutes) * time.Minute) }

func TestClockEnds(t *testing.T) {
	t.Parallel()
	extend := func(minutes ...int) (out []platform.Extension) {
		for _, m := range minutes {
			out = append(out, platform.Extension{By: time.Duration(m) * time.Minute})
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		clock platform.Clock
		now   int // minutes after the start
		want  int // minutes after the start; -1: never
	}{
		{"nothing ends it", platform.Clock{}, 10, -1},
		{"nothing ends it, and more time changes nothing", platform.Clock{Extensions: extend(10)}, 10, -1},
		{"the limit", platform.Clock{Limit: time.Hour}, 10, 60},
		{"extra time", platform.Clock{Limit: time.Hour, ExtraPercent: 25}, 10, 75},
		{"extra time of three times the limit", platform.Clock{Limit: time.Hour, ExtraPercent: 300}, 10, 240},
		{"extra time without a limit", platform.Clock{ExtraPercent: 25, Deadline: at(90)}, 10, 90},
		{"the deadline alone", platform.Clock{Deadline: at(90)}, 10, 90},
		{"the deadline cuts the limit", platform.Clock{Limit: time.Hour, Deadline: at(45)}, 10, 45},
		{"the deadline cuts extra time", platform.Clock{Limit: time.Hour, ExtraPercent: 50, Deadline: at(80)}, 10, 80},
		{"a deadline beyond the limit", platform.Clock{Limit: time.Hour, Deadline: at(600)}, 10, 60},
		{"started after the deadline", platform.Clock{Limit: time.Hour, Deadline: at(-5)}, 10, -5},
		{"extensions add up", platform.Clock{Limit: time.Hour, Extensions: extend(10, 20)}, 10, 90},
		{"an extension goes past the deadline", platform.Clock{Limit: time.Hour, Deadline: at(45), Extensions: extend(10)}, 10, 55},
		{"a pause is given back", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(5), To: at(12)}}}, 30, 67},
		{"a pause goes past the deadline", platform.Clock{Deadline: at(45), Pauses: []platform.Pause{{From: at(5), To: at(12)}}}, 30, 52},
		{"a pause that lasts", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(5)}}}, 30, 85},
		{"a pause that is yet to end counts so far", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(5), To: at(50)}}}, 30, 85},
		{"a pause that is yet to come", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(40), To: at(50)}}}, 30, 60},
		{"a pause over the end", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(50), To: at(80)}}}, 100, 90},
		{"a pause after the end", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(60), To: at(80)}}}, 100, 60},
		{"a pause within what another gave", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(65), To: at(70)}, {From: at(50), To: at(60)}}}, 100, 75},
		{"a pause from before the start", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(-30), To: at(5)}}}, 30, 65},
		{"overlapping pauses count once", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(10), To: at(20)}, {From: at(15), To: at(25)}}}, 30, 75},
		{"a pause within another counts once", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(10), To: at(30)}, {From: at(15), To: at(20)}}}, 40, 80},
		{"a pause that ends before it begins", platform.Clock{Limit: time.Hour, Pauses: []platform.Pause{{From: at(20), To: at(10)}}}, 30, 60},
		{"an extension in a pause", platform.Clock{Limit: time.Hour, Extensions: extend(15), Pauses: []platform.Pause{{From: at(10), To: at(20)}}}, 30, 85},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.clock.Started = nine
			want := time.Time{}
			if tt.want != -1 {
				want = at(tt.want)
			}
			assert.Equal(t, want, tt.clock.Ends(at(tt.now)))
		})
	}
}

func TestClockLeft(t *testing.T) {
	t.Parallel()
	c := platform.Clock{Started: nine, Limit: time.Hour, Pauses: []platform.Pause{{From: at(50)}}}
	left, bounded := c.Left(at(20))
	assert.True(t, bounded)
	assert.Equal(t, 40*time.Minute, left)
	left, _ = c.Left(at(500))
	assert.Equal(t, 10*time.Minute, left, "the clock stands while a pause lasts")
	assert.True(t, c.Paused(at(500)))
	assert.False(t, c.Over(at(500)))
	c.Pauses = nil
	assert.False(t, c.Over(at(60).Add(-time.Millisecond)))
	assert.True(t, c.Over(at(60)))
	left, _ = c.Left(at(61))
	assert.Zero(t, left)
	_, bounded = platform.Clock{Started: nine}.Left(at(1))
	assert.False(t, bounded)
}

func drawClock(t *rapid.T) platform.Clock {
	minute := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
	c := platform.Clock{Started: nine, Limit: time.Duration(minute("limit", 1, 300)) * time.Minute, ExtraPercent: minute("extra", 0, 300)}
	if rapid.Bool().Draw(t, "deadline") {
		c.Deadline = at(minute("at", -60, 600))
	}
	for range minute("extensions", 0, 3) {
		c.Extensions = append(c.Extensions, platform.Extension{By: time.Duration(minute("by", 1, 60)) * time.Minute})
	}
	for range minute("pauses", 0, 4) {
		from := minute("from", -10, 400)
		p := platform.Pause{From: at(from)}
		if rapid.Bool().Draw(t, "ended") {
			p.To = at(from + minute("long", -5, 120))
		}
		c.Pauses = append(c.Pauses, p)
	}
	return c
}

func TestClockNeverTakesTimeAway(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := drawClock(t)
		now := at(rapid.IntRange(0, 900).Draw(t, "now"))
		end := c.Ends(now)

		longer := c
		longer.Extensions = append([]platform.Extension{{By: time.Minute}}, c.Extensions...)
		if got := longer.Ends(now); got.Before(end.Add(time.Minute)) {
			t.Fatalf("a minute more moved the end from %v to %v", end, got)
		}
		paused := c
		paused.Pauses = append([]platform.Pause{{From: at(rapid.IntRange(0, 300).Draw(t, "more")), To: at(320)}}, c.Pauses...)
		if got := paused.Ends(now); got.Before(end) {
			t.Fatalf("a pause more moved the end from %v back to %v", end, got)
		}
		if later := c.Ends(now.Add(time.Minute)); later.Before(end) || later.After(end.Add(time.Minute)) {
			t.Fatalf("within a minute the end moved from %v to %v", end, later)
		}
		if c.Over(now) && !c.Over(now.Add(time.Hour)) {
			t.Fatalf("over at %v, and not an hour later", now)
		}
	})
}
