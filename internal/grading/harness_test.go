package grading

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/evidence"
)

func TestHarnessAdds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		hb    evidence.Heartbeat
		want  string
		quiet bool
	}{
		{"quiet", evidence.Heartbeat{Due: 150, Answered: 150, P99Ns: 2e6, MaxNs: 10e6}, "", true},
		{"slow at times: decides nothing", evidence.Heartbeat{Due: 150, Answered: 150, P99Ns: 9e6, MaxNs: 9e6}, "", false},
		{"one pause", evidence.Heartbeat{Due: 150, Answered: 150, P99Ns: 1e6, MaxNs: 31e6}, "", false},
		{"slow", evidence.Heartbeat{Due: 150, Answered: 150, P99Ns: 13e6, MaxNs: 20e6}, "took 13 ms to answer (99th percentile; allowed: 10 ms)", false},
		{"silent", evidence.Heartbeat{Due: 150, Answered: 20}, "was not answering", false},
		{"never asked", evidence.Heartbeat{}, "was not answering", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := harnessAdds(tt.hb)
			assert.Contains(t, got, tt.want)
			assert.Equal(t, tt.want == "", got == "")
			assert.Equal(t, tt.quiet, isQuiet(tt.hb))
			e := evaluation{attempt: &evidence.Attempt{Harness: []evidence.Heartbeat{{}, tt.hb, {Due: 100, Answered: 100, P99Ns: 50e6}}}}
			assert.Equal(t, got == "", e.harnessLate() == "", "the best check counts")
		})
	}
	e := evaluation{attempt: &evidence.Attempt{}}
	assert.Empty(t, e.harnessLate())
}
