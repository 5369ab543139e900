package setup

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

func TestEngineThatAnswersIsUsed(t *testing.T) {
	t.Parallel()
	m := debian()
	s, said := newTestSetup(t, Options{}, m)
	status, err := s.ensureEngine(t.Context(), &fakeEngine{status: goodEngine()})
	require.NoError(t, err)
	assert.Equal(t, "1.41", status.APIVersion)
	assert.Empty(t, m.ran)
	assert.Len(t, *said, 1)
}

func TestEngineIsInstalledAndStarted(t *testing.T) {
	t.Parallel()
	install := []string{"apt-get update", "apt-get install -y --no-install-recommends docker.io iptables"}
	tests := []struct {
		name    string
		change  func(*fakeMachine)
		ran     []string
		started []string
	}{
		{"installed, no systemd", func(*fakeMachine) {}, nil, []string{"dockerd"}},
		{"not installed", func(m *fakeMachine) { m.programs = []string{"apt-get"} }, install, []string{"dockerd"}},
		{
			"systemd", func(m *fakeMachine) { m.files["/proc/1/comm"] = "systemd\n" },
			[]string{"systemctl enable --now docker.service"}, nil,
		},
		{
			"Ubuntu", func(m *fakeMachine) {
				m.files["/etc/os-release"] = "ID=ubuntu\nID_LIKE=debian\n"
				m.programs = []string{"apt-get"}
			},
			install,
			[]string{"dockerd"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := debian()
			tt.change(m)
			s, _ := newTestSetup(t, Options{}, m)
			_, err := s.ensureEngine(t.Context(), &fakeEngine{down: 2, status: goodEngine()})
			require.NoError(t, err)
			assert.Equal(t, tt.ran, m.ran)
			assert.Equal(t, tt.started, m.started)
		})
	}
}

func TestEngineThatCannotBeSetUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		opts   Options
		change func(*fakeMachine)
		engine fakeEngine
		want   string
	}{
		{"only looking", Options{CheckOnly: true}, nil, fakeEngine{down: 1}, "Install a container engine"},
		{"on another machine", Options{Host: "tcp://engine.example:2376"}, nil, fakeEngine{down: 1}, "Install a container engine"},
		{"not root", Options{}, func(m *fakeMachine) { m.root = false }, fakeEngine{down: 1}, "only root may install"},
		{"not Debian", Options{}, func(m *fakeMachine) { m.files["/etc/os-release"] = "ID=fedora\n" }, fakeEngine{down: 1}, "no Debian or Ubuntu"},
		{"no os-release", Options{}, func(m *fakeMachine) { m.files = nil }, fakeEngine{down: 1}, "no Debian or Ubuntu"},
		{
			"apt-get fails", Options{},
			func(m *fakeMachine) {
				m.programs = []string{"apt-get"}
				m.fail["apt-get install"] = errors.New("no space")
			},
			fakeEngine{down: 1},
			"install docker.io iptables: no space",
		},
		{"dockerd fails", Options{}, func(m *fakeMachine) { m.fail["start dockerd"] = errors.New("no") }, fakeEngine{down: 1}, "start engine"},
		{"too old", Options{}, nil, fakeEngine{status: docker.EngineStatus{APIVersion: "1.39"}}, "at least 1.40"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := debian()
			if tt.change != nil {
				tt.change(m)
			}
			s, _ := newTestSetup(t, tt.opts, m)
			_, err := s.ensureEngine(t.Context(), &tt.engine)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.want)
			if tt.opts.CheckOnly {
				assert.ErrorIs(t, err, runner.ErrEngineDown)
				assert.Empty(t, m.ran)
				assert.Empty(t, m.started)
			}
		})
	}
}

func TestOlderAPI(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		have, want string
		older      bool
	}{
		{"1.40", "1.40", false},
		{"1.41", "1.40", false},
		{"1.9", "1.40", true},
		{"2.0", "1.40", false},
		{"1.100", "1.40", false},
		{"", "1.40", true},
		{"x", "1.40", true},
	} {
		assert.Equal(t, tt.older, olderAPI(tt.have, tt.want), tt.have)
	}
}
