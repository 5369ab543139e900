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
	"github.com/assay-run/assay/runner/diskwatch"
)

const (
	watchMemory = 256 << 20
	watchPids   = 64
	// endedWithin is how long the end of a step may take to be known after its watch has ended with it.
	endedWithin = 5 * time.Second
)

// errTooMuchOnDisk is the cause that ends a step which has written too much.
var errTooMuchOnDisk = errors.New("the build has written too much")

// watchStep watches what a step writes, in a container that shares the step's PID namespace and so ends with it. over is called when there
// is too much. It returns when the step has ended or ctx is over; an error means that the step was not watched although it ran.
func (b *build) watchStep(ctx context.Context, step *candidate, over func(diskwatch.Over)) error {
	image, err := b.e.ensureDriverImage(ctx)
	if err != nil {
		return err
	}
	pids := int64(watchPids)
	said := false
	h, err := b.e.startHelper(ctx, roleDiskWatch, &container.Config{
		Image:      image,
		User:       "0:0",
		Entrypoint: []string{driverPath},
		Cmd: slices.Concat(orDefault(b.e.cfg.DiskWatchArgs, "disk-watch"), []string{
			"-dir", stageDir + "/app", "-bytes", strconv.FormatInt(b.spec.DiskBytes, 10), "-files", strconv.FormatInt(b.spec.DiskFiles, 10),
		}),
	}, watchHost(b.ws.volume, step.id, &pids), func(line []byte) {
		var o diskwatch.Over
		if json.Unmarshal(line, &o) == nil {
			said = true
			over(o)
		}
	})
	if err == nil {
		select {
		case <-h.done:
			if !said {
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

// watchHost sees the workspace, whatever a step has shut there, and the open files of the step's processes.
func watchHost(volume, step string, pids *int64) *container.HostConfig {
	h := harden(&container.HostConfig{
		NetworkMode: "none",
		PidMode:     container.PidMode("container:" + step),
		Resources:   container.Resources{Memory: watchMemory, MemorySwap: watchMemory, PidsLimit: pids},
		Mounts:      []mount.Mount{volumeMount(volume, stageDir, true)},
	})
	h.CapAdd = []string{"DAC_READ_SEARCH", "SYS_PTRACE"}
	return h
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
