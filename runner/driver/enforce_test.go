package driver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/driver/protocol"
)

func TestCPULimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                string
		cpu, own, run, want time.Duration
	}{
		{"as the run says", time.Second, 9 * time.Second, time.Minute, time.Second},
		{"beyond the time of the execution", 0, 10 * time.Second, time.Minute, 11 * time.Second},
		{"beyond the time of the run", 0, 0, 20 * time.Second, 22 * time.Second},
		{"none", 0, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := execution{cmd: workload.Command{Timeout: tt.own}, pod: &pod{run: &protocol.Run{CPUNs: int64(tt.cpu), Timeout: tt.run}}}
			assert.Equal(t, tt.want, e.cpuLimit())
		})
	}
}
