package service

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

func TestRead(t *testing.T) {
	t.Parallel()
	type facts struct{ Answers int }
	run := evidence.Run{Scenario: "main", Executions: []evidence.Execution{{Name: "service", Facts: []byte(`{"Answers":3}`)}}}
	f := facts{Answers: -1}
	e, err := Read(&run, "service", &f)
	require.NoError(t, err)
	assert.Same(t, &run.Executions[0], e)
	assert.Equal(t, 3, f.Answers)

	run.Executions[0].Facts, f = nil, facts{Answers: -1}
	_, err = Read(&run, "service", &f)
	require.NoError(t, err)
	assert.Equal(t, -1, f.Answers, "nothing was seen of it")

	run.Executions[0].Facts = []byte("{")
	_, err = Read(&run, "service", &f)
	require.ErrorContains(t, err, "read facts of main")
	_, err = Read(&run, "other", &f)
	require.ErrorContains(t, err, "not of this workload")
	run.Executions = nil
	_, err = Read(&run, "service", &f)
	require.ErrorContains(t, err, "not of this workload")
}

func TestDeath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		exit  evidence.Exit
		ended bool
		ready int64
		want  string
	}{
		{"told to go", evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL", Code: 137}, false, 5, ""},
		{"out of memory", evidence.Exit{Status: evidence.OOMKilled, Code: 137}, false, 5, evidence.CodeOOMCgroup},
		{"threw", evidence.Exit{Status: evidence.Exited, Code: 1}, true, 5, evidence.CodeCrash},
		{"ended well, as no service does", evidence.Exit{Status: evidence.Exited}, true, 5, evidence.CodeCrash},
		{"never ready", evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL", Code: 137}, false, -1, signs.Hang},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := Death(&evidence.Execution{Exit: tt.exit, DurationNs: 3e9}, tt.ended, tt.ready, 256<<20)
			assert.Equal(t, tt.want, d.Code)
			assert.Equal(t, tt.want == "", d.Detail == "")
		})
	}
}
