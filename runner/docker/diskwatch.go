package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/diskwatch"
)

const (
	watchMemory = 256 << 20
	watchPids   = 64
	// endedWithin is how long the end of a step may take to be known after its watch has ended with it.
	endedWithin = 5 * time.Second
	// lookWithin bounds a look at the room of a file system.
	lookWithin = 20 * time.Second
)

// errTooMuchOnDisk is the cause that ends a step which has written too much.
var errTooMuchOnDisk = errors.New("the build has written too much")

// watchStep watches what a step writes, in a container that shares the step's PID namespace and so ends with it. said is called with what
// it says, before watchStep returns. It returns when the step has ended or ctx is over; an error means that the step was not watched although it ran.
func (b *build) watchStep(ctx context.Context, step *candidate, said func(diskwatch.Said)) error {
	over := false
	h, err := b.startWatch(ctx, container.PidMode("container:"+step.id), []string{
		"-bytes", strconv.FormatInt(b.spec.DiskBytes, 10), "-files", strconv.FormatInt(b.spec.DiskFiles, 10),
	}, func(s diskwatch.Said) {
		over = over || s.Over != nil
		said(s)
	})
	if err == nil {
		select {
		case <-h.done:
			if !over {
				err = fmt.Errorf("watch of the build's disk ended: %s", h.stderr.Log().Text)
			}
		case <-step.ended:
		case <-ctx.Done():
		}
	}
	rerr := h.remove(ctx)
	if err == nil || ctx.Err() != nil {
		return rerr
	}
	if h != nil && h.stderr.Log().Bytes > 0 { // it had something to say: this is not the end of the step
		return errors.Join(err, rerr)
	}
	// It ends with the step, without a word, and cannot begin when that has ended already.
	late := time.NewTimer(endedWithin)
	defer late.Stop()
	select {
	case <-step.ended:
		return rerr
	case <-ctx.Done():
		return rerr
	case <-late.C:
		return errors.Join(err, rerr)
	}
}

// startWatch starts the watch of the workspace. What is returned is to be removed, as with startHelper.
func (b *build) startWatch(ctx context.Context, processes container.PidMode, args []string, said func(diskwatch.Said)) (*helperContainer, error) {
	image, err := b.e.ensureDriverImage(ctx)
	if err != nil {
		return nil, err
	}
	return b.e.startHelper(ctx, roleDiskWatch, &container.Config{
		Image:      image,
		User:       "0:0",
		Entrypoint: []string{driverPath},
		Cmd:        slices.Concat(orDefault(b.e.cfg.DiskWatchArgs, "disk-watch"), []string{"-dir", stageDir + "/app"}, args),
	}, watchHost(b.ws.volume, processes), func(line []byte) {
		var s diskwatch.Said
		if json.Unmarshal(line, &s) == nil {
			said(s)
		}
	})
}

// watchHost sees the workspace, whatever a step has shut there, and the open files of some processes.
func watchHost(volume string, processes container.PidMode) *container.HostConfig {
	pids := int64(watchPids)
	h := harden(&container.HostConfig{
		NetworkMode: "none",
		PidMode:     processes,
		Resources:   container.Resources{Memory: watchMemory, MemorySwap: watchMemory, PidsLimit: &pids},
		Mounts:      []mount.Mount{volumeMount(volume, stageDir, true)},
	})
	h.CapAdd = []string{"DAC_READ_SEARCH", "SYS_PTRACE"}
	return h
}

// roomFor says whether a step that failed had room to write to. seen is what its watch saw of a full disk, nil for nothing. A step may
// have failed before its watch looked, so it is looked once more.
//
// Whoever fills the disk within what a build may take gains nothing by it: there is less room than was promised, and no verdict.
func (b *build) roomFor(ctx context.Context, seen *diskwatch.Room) error {
	if seen == nil {
		room, err := b.lookForRoom(ctx)
		if err != nil {
			return err
		}
		seen = &room
	}
	if !seen.Full() {
		return nil
	}
	left := fmt.Sprintf("%d MiB were", seen.Bytes>>20)
	if seen.Files >= 0 {
		left = fmt.Sprintf("%d MiB and %d files were", seen.Bytes>>20, seen.Files)
	}
	return fmt.Errorf("%w: the step failed, and %s free meanwhile; a build may take %d MiB", runner.ErrEngineFull, left, b.spec.DiskBytes>>20)
}

// lookForRoom looks at the file system of the workspace.
func (b *build) lookForRoom(ctx context.Context) (room diskwatch.Room, err error) {
	known := false
	h, err := b.startWatch(ctx, "", []string{"-look"}, func(s diskwatch.Said) {
		if s.Room != nil {
			known, room = true, *s.Room
		}
	})
	defer func() { err = errors.Join(err, h.remove(ctx)) }()
	if err != nil {
		return room, err
	}
	late := time.NewTimer(lookWithin)
	defer late.Stop()
	select {
	case <-h.done:
	case <-ctx.Done():
		return room, context.Cause(ctx)
	case <-late.C:
	}
	if !known {
		err = fmt.Errorf("look for room on the engine's disk: nothing was said: %s", h.stderr.Log().Text)
	}
	return room, err
}

// diskExit is the end of a step that wrote too much, and the limit that it reached.
func (b *build) diskExit(o diskwatch.Over, after time.Duration) (evidence.Exit, evidence.LimitHit) {
	exit := killed(evidence.DiskLimit)
	hit := evidence.LimitHit{Limit: evidence.LimitDisk, AtSeconds: after.Seconds(), Allowed: b.spec.DiskBytes}
	switch {
	case o.Deep:
		exit.Detail = "It nested directories deeper than can be followed."
	case o.Bytes > b.spec.DiskBytes:
		exit.Detail = fmt.Sprintf("The project's folder had grown to %d MiB; it may have %d MiB.", o.Bytes>>20, b.spec.DiskBytes>>20)
	default:
		exit.Detail = fmt.Sprintf("The project's folder had more than the %d files that it may have.", b.spec.DiskFiles)
		hit.Limit, hit.Allowed = evidence.LimitDiskFiles, b.spec.DiskFiles
	}
	return exit, hit
}
