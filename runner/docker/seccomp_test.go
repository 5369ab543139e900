//go:build linux

package docker

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSeccompProfile(t *testing.T) {
	t.Parallel()
	text, err := seccompProfile()
	require.NoError(t, err)
	var p struct {
		DefaultAction string `json:"defaultAction"`
		Syscalls      []struct {
			Names  []string `json:"names"`
			Action string   `json:"action"`
			Args   []any    `json:"args"`
		} `json:"syscalls"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	assert.Equal(t, "SCMP_ACT_ERRNO", p.DefaultAction)
	allowed := map[string]bool{}
	for _, rule := range p.Syscalls {
		assert.NotEmpty(t, rule.Names)
		for _, name := range rule.Names {
			allowed[name] = allowed[name] || rule.Action == "SCMP_ACT_ALLOW"
		}
	}
	for _, name := range append(neverNeeded(), "io_uring_setup", "userfaultfd", "keyctl", "add_key", "kexec_load") {
		assert.False(t, allowed[name], name)
	}
	for _, name := range []string{"read", "epoll_wait", "futex", "execve", "socket", "clone"} {
		assert.True(t, allowed[name], name)
	}
}
