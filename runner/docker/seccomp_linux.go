package docker

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/moby/profiles/seccomp"
)

// neverNeeded are calls that the engines' default profile allows to everybody on a recent kernel, and that look into other processes. No
// container of ours makes them.
func neverNeeded() []string {
	return []string{"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"}
}

// seccompProfile is the default profile of a recent engine, without what is never needed. An engine's own may be older: that of 20.10 lets
// containers set up io_uring and talk to the hypervisor (AF_VSOCK).
func seccompProfile() (string, error) {
	p := seccomp.DefaultProfile()
	for _, rule := range p.Syscalls {
		rule.Names = slices.DeleteFunc(slices.Clone(rule.Names), func(name string) bool { return slices.Contains(neverNeeded(), name) })
	}
	p.Syscalls = slices.DeleteFunc(p.Syscalls, func(rule *seccomp.Syscall) bool { return len(rule.Names) == 0 })
	raw, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("write seccomp profile: %w", err)
	}
	return string(raw), nil
}
