package runner

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLimitsWithDefaults(t *testing.T) {
	t.Parallel()
	assert.Equal(t, DefaultLimits(), Limits{}.WithDefaults())
	all := Limits{MemoryBytes: 1, Pids: 2, TmpBytes: 3, FileSizeBytes: 4, OpenFiles: 5, OutputBytes: 6}
	assert.Equal(t, all, all.WithDefaults())
	some := DefaultLimits()
	some.Pids = 7
	assert.Equal(t, some, Limits{Pids: 7}.WithDefaults())
}

func TestSignalName(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		-1: "", 0: "", 1: "SIGHUP", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM",
		25: "SIGXFSZ", 31: "SIGSYS", 32: "SIG32", 64: "SIG64", 65: "",
	} {
		name, ok := SignalName(n)
		assert.Equal(t, want, name, n)
		assert.Equal(t, want != "", ok, n)
	}
}
