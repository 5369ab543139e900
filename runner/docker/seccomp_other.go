//go:build !linux

package docker

// seccompProfile is empty: the profile is known on Linux only, and the engine's own applies.
func seccompProfile() (string, error) { return "", nil }
