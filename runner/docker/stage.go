package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
)

// Where a submission lies in its containers.
const (
	workspaceDir = "/assay"
	appDir       = "/assay/app"
	probeName    = "probe.mjs"
	diagnoseName = "diagnose.mjs"
	dataDir      = "/data"
	outDir       = "/out"
	stageDir     = "/stage" // where containers of our own image have the workspace
)

// workspace is a staged submission in a named volume.
type workspace struct {
	e      *Engine
	volume string
	once   sync.Once
	err    error
}

// Stage copies a submission into a volume of its own: app/ with the files, owned by the submission's user, and
// probe.mjs and diagnose.mjs, which it can read only.
func (e *Engine) Stage(ctx context.Context, s runner.StageSpec) (_ runner.Workspace, err error) {
	began := time.Now()
	image, err := e.ensureDriverImage(ctx)
	if err != nil {
		return nil, err
	}
	volume, err := e.createVolume(ctx, roleWorkspace, nil)
	if err != nil {
		return nil, err
	}
	w := &workspace{e: e, volume: volume}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close(ctx))
		}
	}()
	id, err := e.create(ctx, roleStage, &container.Config{Image: image, Cmd: []string{driverPath}}, &container.HostConfig{
		NetworkMode: "none",
		LogConfig:   container.LogConfig{Type: "none"},
		Mounts:      []mount.Mount{volumeMount(volume, stageDir, false)},
	})
	if err != nil {
		return nil, err
	}
	err = errors.Join(e.fill(ctx, id, s.Dir), e.removeContainer(ctx, id))
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", s.Name, err)
	}
	e.log.DebugContext(ctx, "submission staged", "name", s.Name, "volume", volume, "took", time.Since(began))
	return w, nil
}

// fill streams the submission into the workspace that container id has mounted.
func (e *Engine) fill(ctx context.Context, id, dir string) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := writeWorkspace(ctx, w, dir, e.cfg.ProbeSource, e.cfg.DiagnoseSource)
		w.CloseWithError(err)
		done <- err
	}()
	_, err := e.cli.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: stageDir, Content: r})
	_ = r.Close() // ends the writer when the engine has not read to the end
	// The writer's own error is the cause of the request's, and says more.
	if werr := <-done; werr != nil && !errors.Is(werr, io.ErrClosedPipe) {
		return werr
	}
	return fault(ctx, "copy submission", err)
}

// writeWorkspace writes the content of a workspace as a tar archive.
func writeWorkspace(ctx context.Context, w io.Writer, dir string, probe, diagnose []byte) error {
	tw := tar.NewWriter(w)
	put := func(f runner.StagedFile, uid int, mode int64) error {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Mode: mode, Uid: uid, Gid: uid, Size: f.Size, ModTime: time.Unix(0, 0)}
		if f.Dir {
			h.Typeflag, h.Name = tar.TypeDir, f.Path+"/"
		}
		if err := tw.WriteHeader(h); err != nil {
			return fmt.Errorf("write header of %s: %w", f.Path, err)
		}
		if f.Dir {
			return nil
		}
		if _, err := io.Copy(tw, f.Body); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
		return nil
	}
	preloads := []struct {
		name   string
		source []byte
	}{{probeName, probe}, {diagnoseName, diagnose}}
	for _, l := range preloads {
		file := runner.StagedFile{Path: l.name, Size: int64(len(l.source)), Body: bytes.NewReader(l.source)}
		if err := put(file, 0, 0o444); err != nil {
			return err
		}
	}
	if err := put(runner.StagedFile{Path: "app", Dir: true}, runner.UID, 0o755); err != nil {
		return err
	}
	err := runner.WalkStage(ctx, dir, func(f runner.StagedFile) error {
		mode := int64(f.Mode())
		f.Path = "app/" + f.Path
		return put(f, runner.UID, mode)
	})
	if err != nil {
		return err
	}
	return tw.Close()
}

// ID is the name of the volume.
func (w *workspace) ID() string { return w.volume }

// Close removes the volume. Containers that use it must be gone.
func (w *workspace) Close(ctx context.Context) error {
	if w == nil {
		return nil
	}
	w.once.Do(func() { w.err = w.e.removeVolume(ctx, w.volume) })
	return w.err
}

// createVolume makes a local volume with these options and returns its name. Like create, it is not cut short by ctx.
func (e *Engine) createVolume(ctx context.Context, role string, options map[string]string) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	name := e.objectName(role)
	_, err := e.cli.VolumeCreate(whole, client.VolumeCreateOptions{
		Name: name, Driver: "local", DriverOpts: options, Labels: e.labels(role),
	})
	if err != nil {
		return "", errors.Join(fault(whole, "create "+role+" volume", err), e.removeVolume(ctx, name))
	}
	return name, nil
}

// volumeMount mounts a named volume. What the image has at the target is not copied into it.
func volumeMount(volume, target string, readOnly bool) mount.Mount {
	return mount.Mount{
		Type: mount.TypeVolume, Source: volume, Target: target, ReadOnly: readOnly,
		VolumeOptions: &mount.VolumeOptions{NoCopy: true},
	}
}
