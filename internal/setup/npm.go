package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// npmTimeout bounds one call of npm, which may download 50 MB.
const npmTimeout = 5 * time.Minute

// errNoNPM says what to do without npm.
var errNoNPM = errors.New("npm is not installed: install Node.js with npm, or let the engine reach a container registry")

// NPM is what this machine's npm is set to.
type NPM struct {
	// Registry is the URL of the registry, without user and password.
	Registry string
	// CAFile is the file of certificates it trusts, empty when it is set to none.
	CAFile string
}

// ReadNPM asks this machine's npm for its settings.
func ReadNPM(ctx context.Context) (NPM, error) { return readNPM(ctx, host{}) }

func readNPM(ctx context.Context, m machine) (NPM, error) {
	if !m.Has("npm") {
		return NPM{}, errNoNPM
	}
	ctx, cancel := context.WithTimeoutCause(ctx, npmTimeout, fmt.Errorf("no end after %s", npmTimeout))
	defer cancel()
	out, err := m.Run(ctx, "npm", "config", "list", "--json")
	if err != nil {
		return NPM{}, fmt.Errorf("read npm settings: %w", err)
	}
	// Other settings are of no concern: among them are tokens.
	var settings struct {
		Registry string  `json:"registry"`
		CAFile   *string `json:"cafile"`
	}
	if err := json.Unmarshal([]byte(out), &settings); err != nil {
		return NPM{}, fmt.Errorf("read npm settings: %w", err)
	}
	u, err := url.Parse(settings.Registry)
	if err != nil || u.Host == "" {
		return NPM{}, errors.New("read npm settings: its registry is not a URL; see npm config get registry")
	}
	u.User = nil
	npm := NPM{Registry: u.String()}
	if settings.CAFile != nil {
		npm.CAFile = *settings.CAFile
	}
	return npm, nil
}

// npmPackage is a downloaded package.
type npmPackage struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Integrity string `json:"integrity"`
	Filename  string `json:"filename"`
	file      string // its archive on this machine
}

// label names it for people, with the start of its hash.
func (p npmPackage) label() string {
	return fmt.Sprintf("%s@%s (%.19s…)", p.Name, p.Version, p.Integrity)
}

// pack downloads the newest package that spec names into dir. npm checks the integrity.
func (s *setup) pack(ctx context.Context, spec, dir string) (npmPackage, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, npmTimeout, fmt.Errorf("no end after %s", npmTimeout))
	defer cancel()
	out, err := s.m.Run(ctx, "npm", "pack", spec, "--json", "--pack-destination", dir)
	if err != nil {
		return npmPackage{}, fmt.Errorf("download %s: %w", spec, err)
	}
	p, err := parsePacked([]byte(out))
	if err != nil {
		return npmPackage{}, fmt.Errorf("download %s: %w", spec, err)
	}
	if p.Filename != filepath.Base(p.Filename) || !strings.HasSuffix(p.Filename, ".tgz") {
		return npmPackage{}, fmt.Errorf("download %s: npm names the file %q", spec, p.Filename)
	}
	p.file = filepath.Join(dir, p.Filename)
	return p, nil
}

// parsePacked reads the answer of npm pack --json: a list of packages, or since npm 12 an object with them by name.
func parsePacked(out []byte) (npmPackage, error) {
	var list []npmPackage
	if err := json.Unmarshal(out, &list); err != nil {
		var byName map[string]npmPackage
		if json.Unmarshal(out, &byName) != nil {
			return npmPackage{}, fmt.Errorf("read answer of npm: %w", err)
		}
		list = slices.Collect(maps.Values(byName))
	}
	if len(list) != 1 || list[0].Name == "" || list[0].Version == "" {
		return npmPackage{}, fmt.Errorf("read answer of npm: it names %d packages, not one", len(list))
	}
	return list[0], nil
}
