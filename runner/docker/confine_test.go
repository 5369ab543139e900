package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// offers is what an engine with these security options says of itself.
func offers(options ...string) http.HandlerFunc {
	return reply(200, map[string]any{
		"ServerVersion": "20.10.24", "SecurityOptions": options, "DefaultRuntime": "runc",
		"Runtimes": map[string]any{"runc": map[string]any{"path": "runc"}, "runsc": map[string]any{"path": "runsc"}},
	})
}

// confined creates a container of that role and returns what the engine was asked for.
func confined(t *testing.T, role string, info http.HandlerFunc, change func(*Config)) (e *Engine, runtime string, options []string) {
	t.Helper()
	var host struct {
		Runtime     string
		SecurityOpt []string
	}
	e, _ = connect(t, map[string]http.HandlerFunc{
		"GET info": info,
		"POST containers/create": func(w http.ResponseWriter, r *http.Request) {
			body := struct{ HostConfig any }{&host}
			assert.NoError(t, json.NewDecoder(r.Body).Decode(&body))
			reply(http.StatusCreated, map[string]string{"Id": strings.Repeat("c", 64)})(w, r)
		},
	}, change)
	_, err := e.create(t.Context(), role, &container.Config{Image: "assay/node:24"}, harden(&container.HostConfig{}))
	require.NoError(t, err)
	return e, host.Runtime, host.SecurityOpt
}

func TestContainersAreConfined(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options []string
		want    int
		name    string
	}{
		"the engine has seccomp":          {[]string{"name=seccomp,profile=default", "name=cgroupns"}, 1, seccompOurs},
		"its kernel is built without it":  {[]string{"name=cgroupns"}, 0, seccompNone},
		"it is switched off by the owner": {nil, 0, seccompNone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, runtime, options := confined(t, roleCandidate, offers(tt.options...), func(*Config) {})
			profiles := 0
			for _, option := range options {
				if strings.HasPrefix(option, `seccomp={"`) {
					profiles++
				}
			}
			assert.Equal(t, tt.want, profiles, options)
			assert.Contains(t, options, "no-new-privileges")
			assert.Empty(t, runtime, "the engine's default")
			info, err := e.Info(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tt.name, info.Seccomp)
			assert.Equal(t, "runc", info.Runtime)
		})
	}
}

// A pod shares namespaces, and so do build steps and the forwarder; what has a network keeps the engine's runtime.
func TestRuntimeOfEachRole(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		roleDriver: "runsc", roleCandidate: "runsc", roleBuild: "runsc", roleForward: "runsc", roleDiskWatch: "runsc", roleProxy: "", roleStage: "",
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			e, runtime, _ := confined(t, role, offers(), func(c *Config) { c.Runtime = "runsc" })
			assert.Equal(t, want, runtime)
			info, err := e.Info(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "runsc", info.Runtime)
		})
	}
}

func TestGivenSeccompProfile(t *testing.T) {
	t.Parallel()
	text := "{\n \"defaultAction\": \"SCMP_ACT_ERRNO\",\n \"syscalls\": []\n}\n"
	file := filepath.Join(t.TempDir(), "profile.json")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	profile, err := ReadSeccompProfile(file)
	require.NoError(t, err)
	for _, role := range []string{roleDriver, roleCandidate, roleBuild, roleForward, roleProxy} {
		e, _, options := confined(t, role, offers("name=seccomp,profile=default"), func(c *Config) { c.Seccomp = profile })
		assert.Equal(t, []string{"no-new-privileges", `seccomp={"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}`}, options, role)
		info, err := e.Info(t.Context())
		require.NoError(t, err)
		sum := sha256.Sum256([]byte(text))
		assert.Equal(t, "sha256:"+hex.EncodeToString(sum[:]), info.Seccomp)
	}
}

func TestEngineThatCannotConfine(t *testing.T) {
	t.Parallel()
	profile, err := parseSeccompProfile([]byte(`{"defaultAction": "SCMP_ACT_ERRNO"}`))
	require.NoError(t, err)
	for _, tt := range []struct {
		name   string
		change func(*Config)
		text   string
	}{
		{"unknown runtime", func(c *Config) { c.Runtime = "runcs" }, `use runtime "runcs": not offered by this engine, which has runc, runsc`},
		{"no seccomp", func(c *Config) { c.Seccomp = profile }, "use a seccomp profile: not offered by this engine"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, d := connect(t, map[string]http.HandlerFunc{"GET info": offers()})
			cfg := e.cfg
			tt.change(&cfg)
			_, err := New(t.Context(), cfg)
			require.ErrorIs(t, err, ErrNotOffered)
			require.ErrorContains(t, err, tt.text)
			assert.False(t, d.asked("POST containers/create"))
		})
	}
}

func TestReadSeccompProfileRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"empty":             {"", "no profile in JSON"},
		"no JSON":           {"unconfined", "no profile in JSON"},
		"a list":            {"[]", "no profile in JSON"},
		"nothing confined":  {"{}", `defaultAction is ""`},
		"null":              {"null", `defaultAction is ""`},
		"another action":    {`{"defaultAction": "allow"}`, `defaultAction is "allow"`},
		"wrong type":        {`{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": {}}`, "no profile in JSON"},
		"more after it":     {`{"defaultAction": "SCMP_ACT_ERRNO"} {}`, "no profile in JSON"},
		"larger than bound": {`{"defaultAction": "SCMP_ACT_ERRNO"}` + strings.Repeat(" ", maxSeccomp), "larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "profile.json")
			require.NoError(t, os.WriteFile(file, []byte(tt.text), 0o600))
			_, err := ReadSeccompProfile(file)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := ReadSeccompProfile(filepath.Join(t.TempDir(), "none.json"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ReadSeccompProfile("/dev/zero")
	require.ErrorContains(t, err, "larger than 1 MiB", "what has no end is not read to it")
}

// FuzzSeccompProfile: what is accepted confines, is one JSON document of bounded size, and is the same when it is read again.
func FuzzSeccompProfile(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", `{"defaultAction": "SCMP_ACT_ERRNO"}`,
		`{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":[]}],"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}}]}`,
		`{"defaultAction":"SCMP_ACT_ERRNO","defaultAction":""}`, `{"DEFAULTACTION":"SCMP_ACT_ALLOW"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := parseSeccompProfile(raw)
		if err != nil {
			assert.Equal(t, SeccompProfile{}, p)
			return
		}
		assert.LessOrEqual(t, len(p.text), maxSeccomp)
		var decoded struct{ DefaultAction string }
		require.NoError(t, json.Unmarshal([]byte(p.text), &decoded), "one document, and nothing after it")
		assert.True(t, strings.HasPrefix(decoded.DefaultAction, "SCMP_ACT_"), p.text)
		again, err := parseSeccompProfile([]byte(p.text))
		require.NoError(t, err)
		assert.Equal(t, p.text, again.text)
		sum := sha256.Sum256(raw)
		assert.Equal(t, "sha256:"+hex.EncodeToString(sum[:]), p.Digest)
	})
}
