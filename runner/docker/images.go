package docker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
)

// Labels of the images that set-up makes.
const (
	// LabelNode is the version of Node in an image, e.g. "v24.21.0".
	LabelNode = "assay.node"
	// LabelSource says what an image was made from, for people.
	LabelSource = "assay.source"
	// LabelRecipe is the version of the recipe; set-up makes an image with another one anew.
	LabelRecipe = "assay.recipe"
	// LabelRegistry is the npm registry of the machine at the time of set-up; Build uses it unless Config says otherwise.
	LabelRegistry = "assay.registry"
)

// RunImage and BuildImage name the images that set-up makes for a major version of Node.
func RunImage(major int) string { return "assay/node:" + strconv.Itoa(major) }

// BuildImage names the image that build steps run in. It has npm and a shell; the run image has neither.
func BuildImage(major int) string { return "assay/node-build:" + strconv.Itoa(major) }

// probeTimeout bounds a short program in a fresh image.
const probeTimeout = 60 * time.Second

// Images makes and inspects images on a container engine. It needs no session: nothing it makes outlives its methods
// but images. Its methods may be called from several goroutines. Close it at the end.
type Images struct {
	cli *client.Client
}

// Image is what set-up and the doctor want to know of an image.
type Image struct {
	ID      string // "sha256:…"
	Digests []string
	Labels  map[string]string
	Bytes   int64
}

// EngineStatus describes an engine that answers.
type EngineStatus struct {
	Version       string
	APIVersion    string // the newest that the engine speaks
	CgroupVersion int    // 1, 2, or 0 where unknown
	Arch          string // as uname -m says, e.g. "x86_64"
	OS            string
	CPUs          int
	MemoryBytes   int64
	Root          string // where the engine stores data; empty for an engine on another machine
	Rootless      bool
	// Missing are limits that this engine cannot set, of "memory", "swap", "pids", "cpuset".
	Missing []string
}

// OpenImages prepares a client for the engine at host (empty: that of the environment). It does not connect yet.
func OpenImages(host string) (*Images, error) {
	opts := []client.Opt{client.FromEnv}
	if host != "" {
		opts = append(opts, client.WithHost(host))
	}
	cli, err := client.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("configure docker client: %w", err)
	}
	return &Images{cli: cli}, nil
}

// Close drops idle connections.
func (m *Images) Close() error { return m.cli.Close() }

// Status asks the engine what it is. It fails with runner.ErrEngineDown when the engine does not answer.
func (m *Images) Status(ctx context.Context) (EngineStatus, error) {
	version, err := m.cli.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return EngineStatus{}, fault(ctx, "ask engine for its version", err)
	}
	res, err := m.cli.Info(ctx, client.InfoOptions{})
	if err != nil {
		return EngineStatus{}, fault(ctx, "ask engine", err)
	}
	i := res.Info
	cgroup, _ := strconv.Atoi(i.CgroupVersion) // empty before API 1.41: unknown
	s := EngineStatus{
		Version:       version.Version,
		APIVersion:    version.APIVersion,
		CgroupVersion: cgroup,
		Arch:          i.Architecture,
		OS:            i.OperatingSystem,
		CPUs:          i.NCPU,
		MemoryBytes:   i.MemTotal,
		Rootless:      slices.ContainsFunc(i.SecurityOptions, func(o string) bool { return strings.Contains(o, "name=rootless") }),
	}
	if strings.HasPrefix(m.cli.DaemonHost(), "unix://") {
		s.Root = i.DockerRootDir
	}
	for _, l := range []struct {
		name string
		has  bool
	}{{"memory", i.MemoryLimit}, {"swap", i.SwapLimit}, {"pids", i.PidsLimit}, {"cpuset", i.CPUSet}} {
		if !l.has {
			s.Missing = append(s.Missing, l.name)
		}
	}
	return s, nil
}

// Inspect looks an image up. It fails with runner.ErrImageMissing when there is none.
func (m *Images) Inspect(ctx context.Context, ref string) (Image, error) {
	res, err := m.cli.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return Image{}, missingImage(ref, err)
	}
	if err != nil {
		return Image{}, fault(ctx, "inspect image "+ref, err)
	}
	img := Image{ID: res.ID, Digests: res.RepoDigests, Bytes: res.Size}
	if res.Config != nil {
		img.Labels = res.Config.Labels
	}
	return img, nil
}

// discard removes an image by its id. One that is gone, in use, or still has a name is left as it is.
func (m *Images) discard(ctx context.Context, id string) error {
	_, err := m.cli.ImageRemove(ctx, id, client.ImageRemoveOptions{})
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return fault(ctx, "remove image", err)
}

// ImportSpec is what an imported image carries besides its files.
type ImportSpec struct {
	Env    map[string]string
	Labels map[string]string
	User   string
	Dir    string // working directory; empty for the root
	// Entrypoint is the program that a container of it runs unless it is told another; empty for none.
	Entrypoint []string
}

// changes are the Dockerfile lines of spec, in a fixed order.
func (s ImportSpec) changes() []string {
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		lines = append(lines, "ENV "+k+"="+strconv.Quote(s.Env[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(s.Labels)) {
		lines = append(lines, "LABEL "+k+"="+strconv.Quote(s.Labels[k]))
	}
	if s.User != "" {
		lines = append(lines, "USER "+s.User)
	}
	if s.Dir != "" {
		lines = append(lines, "WORKDIR "+s.Dir)
	}
	if len(s.Entrypoint) > 0 {
		words := make([]string, len(s.Entrypoint))
		for i, word := range s.Entrypoint {
			words[i] = strconv.Quote(word)
		}
		lines = append(lines, "ENTRYPOINT ["+strings.Join(words, ", ")+"]")
	}
	return lines
}

// Import makes an image named ref of one layer from what write writes, a tar archive of a root file system, and discards
// the image that had the name before. An error of write leaves everything as it was.
func (m *Images) Import(ctx context.Context, ref string, spec ImportSpec, write func(io.Writer) error) error {
	before, err := m.Inspect(ctx, ref)
	if err != nil && !errors.Is(err, runner.ErrImageMissing) {
		return err
	}
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(w)
		w.CloseWithError(err)
		written <- err
	}()
	res, err := m.cli.ImageImport(ctx, client.ImageImportSource{Source: r, SourceName: "-"}, ref,
		client.ImageImportOptions{Changes: spec.changes()})
	if err == nil {
		err = errors.Join(readMessages(res), res.Close())
	}
	_ = r.Close() // ends the writer when the engine has not read to the end
	if werr := <-written; werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
		return fmt.Errorf("import image %s: %w", ref, werr)
	}
	if err != nil {
		return fault(ctx, "import image "+ref, err)
	}
	if before.ID == "" {
		return nil
	}
	return m.discard(ctx, before.ID)
}

// Pull fetches an image from the registry its name belongs to and returns its digest ("name@sha256:…").
func (m *Images) Pull(ctx context.Context, ref string) (string, error) {
	res, err := m.cli.ImagePull(ctx, ref, client.ImagePullOptions{})
	if err != nil {
		return "", fault(ctx, "pull image "+ref, err)
	}
	if err := errors.Join(readMessages(res), res.Close()); err != nil {
		return "", fault(ctx, "pull image "+ref, err)
	}
	img, err := m.Inspect(ctx, ref)
	if err != nil {
		return "", err
	}
	if len(img.Digests) == 0 {
		return "", fmt.Errorf("pull image %s: the engine knows no digest for it", ref)
	}
	return img.Digests[0], nil
}

// Export hands the root file system of an image to read, as a tar archive.
func (m *Images) Export(ctx context.Context, ref string, read func(io.Reader) error) (err error) {
	id, err := m.create(ctx, ref, []string{"/export"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.remove(ctx, id)) }()
	stream, err := m.cli.ContainerExport(ctx, id, client.ContainerExportOptions{})
	if err != nil {
		return fault(ctx, "export image "+ref, err)
	}
	return errors.Join(read(stream), stream.Close())
}

// Output runs a short program in an image, without network and with a read-only root, and returns what it wrote to
// standard output, up to 64 KiB. It fails when the program does.
func (m *Images) Output(ctx context.Context, ref string, argv ...string) (_ string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, fmt.Errorf("no end after %s", probeTimeout))
	defer cancel()
	id, err := m.create(ctx, ref, argv)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.remove(ctx, id)) }()
	out, err := m.cli.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return "", fault(ctx, "attach to container", err)
	}
	defer out.Close()
	// Closing the connection is what ends the reads below when ctx does.
	defer context.AfterFunc(ctx, out.Close)()
	if _, err := m.cli.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return "", fault(ctx, "start "+strings.Join(argv, " "), err)
	}
	stdout, stderr := runner.NewBoundedLog(64<<10), runner.NewBoundedLog(4<<10)
	if _, err := stdcopy.StdCopy(stdout, stderr, out.Reader); err != nil {
		return "", fault(ctx, "read output", err)
	}
	wait := m.cli.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case end := <-wait.Result:
		if end.StatusCode != 0 {
			return "", fmt.Errorf("run %s in %s: exit code %d: %s", strings.Join(argv, " "), ref, end.StatusCode, stderr.Log().Text)
		}
		return stdout.Log().Text, nil
	case err := <-wait.Error:
		return "", fault(ctx, "wait for container", err)
	}
}

// create makes a container of an image, to be exported or run once.
func (m *Images) create(ctx context.Context, ref string, argv []string) (string, error) {
	raw := make([]byte, 6)
	_, _ = rand.Read(raw) // never fails, by its documentation
	host := harden(&container.HostConfig{NetworkMode: "none", Tmpfs: map[string]string{"/tmp": "size=64m"}})
	res, err := m.cli.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name:       "assay-setup-" + hex.EncodeToString(raw),
		Config:     &container.Config{Image: ref, Entrypoint: argv[:1], Cmd: argv[1:], Env: []string{"HOME=/tmp"}},
		HostConfig: host,
	})
	if errdefs.IsNotFound(err) {
		return "", missingImage(ref, err)
	}
	if err != nil {
		return "", fault(ctx, "create container of "+ref, err)
	}
	return res.ID, nil
}

// remove removes a container whatever became of ctx.
func (m *Images) remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_, err := m.cli.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return fault(ctx, "remove container", err)
}
