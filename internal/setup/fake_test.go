package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeMachine answers by the first word of a command, and notes every one.
type fakeMachine struct {
	programs []string
	root     bool
	files    map[string]string
	answers  map[string]string // by the start of the command
	fail     map[string]error
	then     func(argv []string) error // what a command does besides
	ran      []string
	started  []string
}

func (m *fakeMachine) Run(_ context.Context, argv ...string) (string, error) {
	line := strings.Join(argv, " ")
	m.ran = append(m.ran, line)
	if m.then != nil {
		if err := m.then(argv); err != nil {
			return "", err
		}
	}
	for start, err := range m.fail {
		if strings.HasPrefix(line, start) {
			return "", err
		}
	}
	for start, answer := range m.answers {
		if strings.HasPrefix(line, start) {
			return answer, nil
		}
	}
	return "", nil
}

func (m *fakeMachine) Start(_ string, argv ...string) error {
	m.started = append(m.started, strings.Join(argv, " "))
	return m.fail["start "+argv[0]]
}

func (m *fakeMachine) Has(name string) bool { return slices.Contains(m.programs, name) }
func (m *fakeMachine) Root() bool           { return m.root }

func (m *fakeMachine) ReadFile(path string) ([]byte, error) {
	content, ok := m.files[path]
	if !ok {
		return nil, fmt.Errorf("read %s: %w", path, fs.ErrNotExist)
	}
	return []byte(content), nil
}

const bookworm = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n"

// debian is a machine on which everything can be done.
func debian() *fakeMachine {
	return &fakeMachine{
		programs: []string{"apt-get", "npm", "debootstrap", "dockerd"}, root: true,
		files: map[string]string{"/etc/os-release": bookworm, "/proc/1/comm": "sh\n"},
		answers: map[string]string{
			"npm config list":      `{"registry":"https://user:secret@npm.example/","cafile":"/etc/ca.pem","//npm.example/:_authToken":"(protected)"}`,
			"apt-get indextargets": "bookworm-updates|main|http://deb.example/debian/\nbookworm|main|http://deb.example/debian/\n",
		},
		fail: map[string]error{},
	}
}

// fakeEngine answers after some failures.
type fakeEngine struct {
	down   int // how often it does not answer first
	status docker.EngineStatus
}

func (e *fakeEngine) Status(context.Context) (docker.EngineStatus, error) {
	if e.down > 0 {
		e.down--
		return docker.EngineStatus{}, fmt.Errorf("ask engine: %w", runner.ErrEngineDown)
	}
	return e.status, nil
}

func goodEngine() docker.EngineStatus {
	return docker.EngineStatus{Version: "20.10", APIVersion: "1.41", CgroupVersion: 2, Arch: "x86_64", OS: "Debian", CPUs: 4, MemoryBytes: 8 << 30}
}

// fakeStore keeps images in memory.
type fakeStore struct {
	images  map[string]fakeImage
	pulled  string            // digest that a pull answers, empty for no registry
	outputs map[string]string // by image and command
	log     []string
}

type fakeImage struct {
	labels map[string]string
	root   []byte
	spec   docker.ImportSpec
}

func newStore() *fakeStore {
	return &fakeStore{images: map[string]fakeImage{}, outputs: map[string]string{}}
}

func (s *fakeStore) Inspect(_ context.Context, ref string) (docker.Image, error) {
	img, ok := s.images[ref]
	if !ok {
		return docker.Image{}, fmt.Errorf("use image %s: %w", ref, runner.ErrImageMissing)
	}
	return docker.Image{ID: "sha256:" + ref, Labels: img.labels}, nil
}

func (s *fakeStore) Pull(_ context.Context, ref string) (string, error) {
	s.log = append(s.log, "pull "+ref)
	if s.pulled == "" {
		return "", errors.New("no such host")
	}
	return s.pulled, nil
}

func (s *fakeStore) Import(_ context.Context, ref string, spec docker.ImportSpec, write func(io.Writer) error) error {
	s.log = append(s.log, "import "+ref)
	var root bytes.Buffer
	if err := write(&root); err != nil {
		return err
	}
	s.images[ref] = fakeImage{labels: spec.Labels, root: root.Bytes(), spec: spec}
	return nil
}

func (s *fakeStore) Export(_ context.Context, ref string, read func(io.Reader) error) error {
	s.log = append(s.log, "export "+ref)
	return read(bytes.NewReader(s.images[ref].root))
}

func (s *fakeStore) Output(_ context.Context, ref string, argv ...string) (string, error) {
	key := ref + " " + strings.Join(argv, " ")
	s.log = append(s.log, "output "+key)
	out, ok := s.outputs[key]
	if !ok {
		return "", fmt.Errorf("run %s: exit code 1", key)
	}
	return out, nil
}

// newTestSetup is a set-up of that machine and what it says.
func newTestSetup(t *testing.T, opts Options, m machine) (*setup, *[]string) {
	t.Helper()
	said := &[]string{}
	opts.StateDir, opts.WorkDir = t.TempDir(), t.TempDir()
	opts.Progress = func(line string) { *said = append(*said, line) }
	s, err := newSetup(opts, m)
	if err != nil {
		t.Fatal(err)
	}
	return s, said
}
