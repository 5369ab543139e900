package docker

import (
	"context"
	"errors"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
)

// sweepWorkers bounds how many containers are removed at once.
const sweepWorkers = 4

// Sweep removes what sessions of this machine that are no longer alive have left: containers, then volumes and
// networks, which containers hold. What cannot be removed does not keep the rest from being removed.
func (e *Engine) Sweep(ctx context.Context) (runner.Swept, error) {
	var swept runner.Swept
	ours := client.Filters{}.Add("label", labelState+"="+e.cfg.StateID)

	containers, err := e.cli.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return swept, fault(ctx, "list containers", err)
	}
	var dead []string
	for _, c := range containers.Items {
		if e.dead(c.Labels) {
			dead = append(dead, c.ID)
		}
	}
	var errs []error
	swept.Containers, err = e.removeAll(ctx, dead)
	errs = append(errs, err)

	volumes, err := e.cli.VolumeList(ctx, client.VolumeListOptions{Filters: ours})
	if err != nil {
		return swept, errors.Join(append(errs, fault(ctx, "list volumes", err))...)
	}
	for _, v := range volumes.Items {
		if !e.dead(v.Labels) {
			continue
		}
		if err := e.removeVolume(ctx, v.Name); err != nil {
			errs = append(errs, err)
			continue
		}
		swept.Volumes++
	}
	swept.Networks, err = e.sweepNetworks(ctx, ours)
	return swept, errors.Join(append(errs, err)...)
}

// dead says whether an object with these labels belongs to a session that has ended, which this Engine's own may have
// too. An object without a session is not known to be ours.
func (e *Engine) dead(labels map[string]string) bool {
	session := labels[labelSession]
	return session != "" && e.cfg.SessionAlive != nil && !e.cfg.SessionAlive(session)
}

func (e *Engine) removeAll(ctx context.Context, ids []string) (removed int, err error) {
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		errs []error
		slot = make(chan struct{}, sweepWorkers)
	)
	for _, id := range ids {
		if ctx.Err() != nil {
			errs = append(errs, context.Cause(ctx))
			break
		}
		slot <- struct{}{}
		wg.Go(func() {
			defer func() { <-slot }()
			err := e.removeContainer(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			if errs = append(errs, err); err == nil {
				removed++
			}
		})
	}
	wg.Wait()
	return removed, errors.Join(errs...)
}

func (e *Engine) sweepNetworks(ctx context.Context, ours client.Filters) (removed int, err error) {
	networks, err := e.cli.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	if err != nil {
		return 0, fault(ctx, "list networks", err)
	}
	var errs []error
	for _, n := range networks.Items {
		if !e.dead(n.Labels) {
			continue
		}
		_, err := e.cli.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
		if err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fault(ctx, "remove network", err))
			continue
		}
		removed++
	}
	return removed, errors.Join(errs...)
}
