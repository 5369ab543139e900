package driver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/evidence"
)

func TestCombine(t *testing.T) {
	t.Parallel()
	exited := evidence.Exit{Status: evidence.Exited}
	killed := evidence.Exit{Status: evidence.Signaled, Code: 137, Signal: "SIGKILL"}
	late := killReason{evidence.TimedOut, "late"}
	for name, tc := range map[string]struct {
		engine   evidence.Exit
		reason   killReason
		oomKills int64
		want     evidence.ExitStatus
		code     int
	}{
		"by itself":                   {exited, killReason{}, 0, evidence.Exited, 0},
		"killed by somebody":          {killed, killReason{}, 0, evidence.Signaled, 137},
		"timed out":                   {killed, late, 0, evidence.TimedOut, 137},
		"thrashing":                   {killed, killReason{evidence.Thrashing, "d"}, 0, evidence.Thrashing, 137},
		"ended as its time ran out":   {exited, late, 0, evidence.Exited, 0},
		"the engine says OOM":         {evidence.Exit{Status: evidence.OOMKilled, Code: 137}, killReason{}, 0, evidence.OOMKilled, 137},
		"the engine does not say OOM": {killed, killReason{}, 1, evidence.OOMKilled, 137},
		"a child was killed":          {exited, killReason{}, 1, evidence.OOMKilled, 0},
		"a child was killed, hung":    {killed, late, 1, evidence.OOMKilled, 137},
		"above the limit, no kernel":  {killed, killReason{evidence.OOMKilled, "d"}, 0, evidence.OOMKilled, 137},
		"never started":               {evidence.Exit{Status: evidence.NotStarted, Code: 127}, late, 0, evidence.NotStarted, 127},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := combine(tc.engine, tc.reason, tc.oomKills, 2)
			assert.Equal(t, tc.want, got.Status)
			assert.Equal(t, tc.code, got.Code)
			assert.Equal(t, 2, got.Leftover)
			if got.Status != evidence.Exited && got.Status != evidence.Signaled && tc.reason.status == got.Status {
				assert.Equal(t, tc.reason.detail, got.Detail)
			}
		})
	}
}

func TestThrash(t *testing.T) {
	t.Parallel()
	const limit = 128 << 20
	// Per tenth of a second; the figures of a recorded livelock are about those of the first case.
	for name, tc := range map[string]struct {
		usage, refaults, read int64
		stall                 time.Duration
		want                  bool
	}{
		"livelock":                     {limit, 10_000, 0, 76 * time.Millisecond, true},
		"livelock, kernel without PSI": {limit, 10_000, 0, 0, true},
		"few refaults without PSI":     {limit, 50, 0, 0, false},
		"streams a file at its limit":  {limit, 10_000, 10 << 20, 76 * time.Millisecond, false},
		"answers a heartbeat":          {limit, 10_000, 2_000, 76 * time.Millisecond, false},
		"computes at its limit":        {limit, 0, 0, 76 * time.Millisecond, false},
		"is not held up":               {limit, 100, 0, 10 * time.Millisecond, false},
		"below its limit":              {limit / 2, 10_000, 0, 76 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var th thrash
			s := thrashSample{at: time.Unix(0, 0), limit: limit, usage: tc.usage}
			for range 85 {
				th.observe(s)
				assert.False(t, th.found && s.at.Before(time.Unix(8, 0)), "not before eight seconds")
				s.at = s.at.Add(100 * time.Millisecond)
				s.refaults += tc.refaults
				s.read += tc.read
				s.stall += int64(tc.stall)
			}
			assert.Equal(t, tc.want, th.found)
			if tc.want {
				assert.Contains(t, th.detail(), "128 MiB")
			}
		})
	}
}

func TestThrashForgetsWhenWorkGoesOn(t *testing.T) {
	t.Parallel()
	var th thrash
	s := thrashSample{at: time.Unix(0, 0), limit: 100, usage: 100}
	for i := range 300 {
		th.observe(s)
		s.at = s.at.Add(100 * time.Millisecond)
		s.refaults += 1000
		if i%60 == 0 { // each six seconds something gets done
			s.read += 1 << 20
		}
	}
	assert.False(t, th.found)
}

func TestCostIsTheSmallest(t *testing.T) {
	t.Parallel()
	var c costs
	for range 8 {
		c.add(3 * time.Millisecond)
	}
	assert.Equal(t, 3*time.Millisecond, c.add(time.Second), "one that waited for a core does not count")
}
