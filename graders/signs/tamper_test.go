package signs

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/evidence"
)

// blocked is an honest run of 10 s with a block of 400 ms at 5 s.
func blocked() evidence.Execution {
	e := evidence.Execution{
		Exit:      evidence.Exit{Status: evidence.Exited},
		Usage:     evidence.Usage{ProcPeakBytes: 100 << 20, MaxProcesses: 1},
		Heartbeat: &evidence.Heartbeat{StallNs: 395e6, MaxNs: 395e6, FirstAnswerNs: 1e8},
		Probe:     &evidence.Probe{Records: 90, DelayMaxNs: 401e6, GapMaxNs: 480e6, RSSMaxBytes: 140 << 20},
	}
	curve := evidence.Series{Name: evidence.SeriesHeartbeat}
	for i := 1; i < 100; i++ {
		latency := 1e6
		if i == 50 {
			latency = 395e6
		}
		curve.T, curve.Min, curve.Max = append(curve.T, float64(i)/10), append(curve.Min, 1e6), append(curve.Max, latency)
	}
	e.Series = []evidence.Series{curve}
	return e
}

func TestContradiction(t *testing.T) {
	t.Parallel()
	at := func(e *evidence.Execution, i int) { // moves the block
		s := &e.Series[0]
		s.Max[49], s.Max[i] = 1e6, 395e6
	}
	tests := []struct {
		name   string
		change func(*evidence.Execution)
		want   bool
	}{
		{"honest", func(*evidence.Execution) {}, false},
		{"no probe", func(e *evidence.Execution) { e.Probe = nil }, false},
		{"hardly a record", func(e *evidence.Execution) { e.Probe = &evidence.Probe{Records: 4} }, false},

		{"delay forged", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 1e6 }, true},
		{"delay forged, no heartbeat", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 1e6; e.Heartbeat = nil }, false},
		{"delay forged, no curve", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 1e6; e.Series = nil }, false},
		{"delay a little short", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 350e6 }, false},
		{"only the answer was slow: the loop ran", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 2e6; e.Probe.GapMaxNs = 110e6 }, false},
		{"several blocks in a row", func(e *evidence.Execution) {
			e.Heartbeat.StallNs, e.Probe.DelayMaxNs, e.Probe.GapMaxNs = 1935e6, 1305e6, 1380e6
		}, false},
		{"our own sender was late", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 1e6; e.Heartbeat.OwnLateNs = 300e6 }, false},
		{"short stall", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 1e6; e.Heartbeat.StallNs = 150e6 }, false},
		{"block at the end leaves no record", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 1e6; at(e, 95) }, false},
		{"block at the start", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 1e6; at(e, 2) }, false},
		{"never answered", func(e *evidence.Execution) { e.Probe.DelayMaxNs = 1e6; e.Heartbeat.FirstAnswerNs = -1 }, false},

		{"a second voice", func(e *evidence.Execution) { e.Probe.Forged = 3 }, true},
		{"two stray records", func(e *evidence.Execution) { e.Probe.Forged = 2 }, false},

		{"memory forged", func(e *evidence.Execution) { e.Probe.RSSMaxBytes = 60 << 20 }, true},
		{"memory a little less", func(e *evidence.Execution) { e.Probe.RSSMaxBytes = 75 << 20 }, false},
		{"little memory", func(e *evidence.Execution) { e.Probe.RSSMaxBytes = 10 << 20; e.Usage.ProcPeakBytes = 50 << 20 }, false},
		{"memory in a child process", func(e *evidence.Execution) { e.Probe.RSSMaxBytes = 60 << 20; e.Usage.MaxProcesses = 2 }, false},
		{"peak while the loop was blocked", func(e *evidence.Execution) {
			e.Probe.RSSMaxBytes = 60 << 20
			e.Probe.GapMaxNs = 3e9
			e.Probe.DelayMaxNs = 3e9
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := blocked()
			tt.change(&e)
			reason, _, found := Contradiction(&e)
			assert.Equal(t, tt.want, found, reason)
			assert.Equal(t, tt.want, reason != "")
		})
	}
}
