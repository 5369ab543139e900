package grading

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

func TestLimitsAreReasonCodes(t *testing.T) {
	t.Parallel()
	for limit, want := range map[evidence.Limit]struct {
		hit    evidence.LimitHit
		code   string
		detail string
	}{
		evidence.LimitCPU: {evidence.LimitHit{Allowed: 60e9}, "LIMIT_CPU",
			"It had used 1 min 0 s of CPU time 1.2 s after its start, which is all that one execution may use."},
		evidence.LimitProcesses: {evidence.LimitHit{Allowed: 128, Refused: 3}, "LIMIT_PROCESSES",
			"It wanted more than 128 processes and threads at a time, for the first time 1.2 s after its start; that was refused 3 times."},
		evidence.LimitFiles: {evidence.LimitHit{Allowed: 1024}, "LIMIT_FILES",
			"A process had 1024 files and connections open 1.2 s after its start, which is all that it may have."},
		evidence.LimitTmp:    {evidence.LimitHit{Allowed: 64 << 20}, "LIMIT_DISK", "/tmp was full 1.2 s after its start; there is room for 64 MB."},
		evidence.LimitShm:    {evidence.LimitHit{Allowed: 16 << 20}, "LIMIT_DISK", "/dev/shm was full 1.2 s after its start; there is room for 16 MB."},
		evidence.LimitOut:    {evidence.LimitHit{Allowed: 64 << 20}, "LIMIT_DISK", "The output directory was full 1.2 s after its start; there is room for 64 MB."},
		evidence.LimitOutput: {evidence.LimitHit{Allowed: 8 << 20}, "LIMIT_OUTPUT", "Output was dropped, for the first time 1.2 s after its start: of each of stdout and stderr, 8 MB are kept."},
	} {
		want.hit.Limit, want.hit.AtSeconds = limit, 1.2
		found := limitFindings(&evidence.Run{Scenario: "main", Executions: []evidence.Execution{
			{Name: "a"}, {Name: "b", Limits: []evidence.LimitHit{want.hit}},
		}})
		require.Len(t, found, 1, limit)
		assert.Equal(t, evidence.Finding{Code: want.code, Scenario: "main", Execution: "b", Detail: want.detail, AtSeconds: 1.2}, found[0])
		_, known := evidence.LookupCode(found[0].Code)
		assert.True(t, known)
	}
	assert.Empty(t, limitFindings(&evidence.Run{Executions: []evidence.Execution{
		{Limits: []evidence.LimitHit{{Limit: evidence.LimitMemory}, {Limit: evidence.LimitTime}}},
	}}), "graders say more of these")
}

func TestLimitsOfTheBuildAreReasonCodes(t *testing.T) {
	t.Parallel()
	for limit, want := range map[evidence.Limit]string{
		evidence.LimitDisk: "LIMIT_DISK", evidence.LimitDiskFiles: "LIMIT_DISK", evidence.LimitMemory: "OOM_CGROUP", evidence.LimitTime: "HANG",
	} {
		found := buildFindings(evidence.Build{Failed: true, Steps: []evidence.BuildStep{
			{Argv: []string{"npm", "ci"}, Exit: evidence.Exit{Status: evidence.Exited}},
			{Argv: []string{"npm", "run", "build"}, Limits: []evidence.LimitHit{{Limit: limit, AtSeconds: 3, Allowed: 2 << 30}}},
		}})
		require.Len(t, found[want], 1, limit)
		assert.InDelta(t, 3, found[want][0].AtSeconds, 0)
		assert.NotEmpty(t, found[want][0].Detail)
		assert.Len(t, found["CRASH"], 1, "it was never started")
	}
}
