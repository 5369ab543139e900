package docker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/profiles/seccomp"
)

// ErrNotOffered means that the engine lacks the runtime or the confinement that Config asks for.
var ErrNotOffered = errors.New("not offered by this engine")

// maxSeccomp bounds a seccomp profile. That of Docker has some 20 KiB; the engine takes it with every container.
const maxSeccomp = 1 << 20

// What Info and the evidence say of the seccomp profile; a file that was given is named by its digest.
const (
	seccompOurs   = "assay default"
	seccompEngine = "engine's own"
	seccompNone   = "none"
)

// SeccompProfile is a profile in Docker's format.
type SeccompProfile struct {
	text   string // compact
	Digest string // "sha256:" and the hash of the file
}

// ReadSeccompProfile reads a profile from a file.
func ReadSeccompProfile(name string) (SeccompProfile, error) {
	f, err := os.Open(name)
	if err != nil {
		return SeccompProfile{}, fmt.Errorf("open seccomp profile: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSeccomp+1))
	if err != nil {
		return SeccompProfile{}, fmt.Errorf("read seccomp profile: %w", err)
	}
	p, err := parseSeccompProfile(raw)
	if err != nil {
		return SeccompProfile{}, fmt.Errorf("read seccomp profile %s: %w", name, err)
	}
	return p, nil
}

// parseSeccompProfile refuses what is no profile. An engine takes one without a default action to mean that nothing is to be confined.
func parseSeccompProfile(raw []byte) (SeccompProfile, error) {
	if len(raw) > maxSeccomp {
		return SeccompProfile{}, errors.New("it is larger than 1 MiB")
	}
	var p seccomp.Seccomp
	if err := json.Unmarshal(raw, &p); err != nil {
		return SeccompProfile{}, fmt.Errorf("it is no profile in JSON: %w", err)
	}
	if !strings.HasPrefix(string(p.DefaultAction), "SCMP_ACT_") {
		return SeccompProfile{}, fmt.Errorf("its defaultAction is %q, not one like SCMP_ACT_ERRNO", p.DefaultAction)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return SeccompProfile{}, fmt.Errorf("it is no profile in JSON: %w", err)
	}
	sum := sha256.Sum256(raw)
	return SeccompProfile{text: compact.String(), Digest: "sha256:" + hex.EncodeToString(sum[:])}, nil
}

// offersRuntime fails when the engine does not know the runtime that is asked for. Names of containerd's shims need no registration with
// a recent engine, so it is left to refuse one.
func (e *Engine) offersRuntime(known map[string]system.RuntimeWithStatus) error {
	name := e.cfg.Runtime
	if _, ok := known[name]; ok || name == "" || strings.HasPrefix(name, "io.containerd.") {
		return nil
	}
	return fmt.Errorf("use runtime %q: %w, which has %s", name, ErrNotOffered, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
}

// chooseSeccomp returns the profile of every container, empty to leave it to the engine, and what the evidence calls it.
func (e *Engine) chooseSeccomp(securityOptions []string) (profile, name string, err error) {
	if !slices.ContainsFunc(securityOptions, func(o string) bool { return strings.HasPrefix(o, "name=seccomp") }) {
		if e.cfg.Seccomp != (SeccompProfile{}) {
			return "", "", fmt.Errorf("use a seccomp profile: %w; its kernel or its settings are without seccomp", ErrNotOffered)
		}
		return "", seccompNone, nil
	}
	if e.cfg.Seccomp != (SeccompProfile{}) {
		return e.cfg.Seccomp.text, e.cfg.Seccomp.Digest, nil
	}
	profile, err = seccompProfile()
	if profile == "" {
		return "", seccompEngine, err
	}
	return profile, seccompOurs, err
}

// confine gives a container the seccomp profile, where the engine can have one, and its runtime.
func (e *Engine) confine(ctx context.Context, role string, h *container.HostConfig) error {
	e.info.mu.Lock()
	defer e.info.mu.Unlock()
	if !e.info.known {
		if err := e.learn(ctx); err != nil {
			return err
		}
	}
	if e.info.seccomp != "" {
		h.SecurityOpt = append(h.SecurityOpt, "seccomp="+e.info.seccomp)
	}
	if besideSubmission(role) {
		h.Runtime = e.cfg.Runtime
	}
	return nil
}

// besideSubmission says whether containers of that role run a submission or share namespaces with one. A runtime that brings a kernel of its
// own could not share them with another runtime's, so the whole pod has the same, and so have build steps and what they reach on their loopback.
func besideSubmission(role string) bool {
	return slices.Contains([]string{roleDriver, roleCandidate, roleService, roleBuild, roleForward, roleDiskWatch}, role)
}
