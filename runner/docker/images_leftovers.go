package docker

import (
	"context"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
)

// Leftovers counts what sessions of a state directory that are no longer alive have left on the engine. It removes
// nothing; Engine.Sweep does.
func (m *Images) Leftovers(ctx context.Context, stateID string, alive func(session string) bool) (runner.Swept, error) {
	var found runner.Swept
	dead := func(labels map[string]string) bool {
		session := labels[labelSession]
		return session != "" && !alive(session)
	}
	ours := client.Filters{}.Add("label", labelState+"="+stateID)
	containers, err := m.cli.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return found, fault(ctx, "list containers", err)
	}
	for _, c := range containers.Items {
		if dead(c.Labels) {
			found.Containers++
		}
	}
	volumes, err := m.cli.VolumeList(ctx, client.VolumeListOptions{Filters: ours})
	if err != nil {
		return found, fault(ctx, "list volumes", err)
	}
	for _, v := range volumes.Items {
		if dead(v.Labels) {
			found.Volumes++
		}
	}
	networks, err := m.cli.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	if err != nil {
		return found, fault(ctx, "list networks", err)
	}
	for _, n := range networks.Items {
		if dead(n.Labels) {
			found.Networks++
		}
	}
	return found, nil
}

// PruneDrivers removes the driver images that no container uses, and returns how many. Every build of Assay makes one of its
// own, and makes it again when it is needed and not there.
func (m *Images) PruneDrivers(ctx context.Context) (removed int, err error) {
	list, err := m.cli.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("reference", driverRepository)})
	if err != nil {
		return 0, fault(ctx, "list driver images", err)
	}
	for _, image := range list.Items {
		_, err := m.cli.ImageRemove(ctx, image.ID, client.ImageRemoveOptions{PruneChildren: true})
		switch {
		case err == nil:
			removed++
		case errdefs.IsConflict(err), errdefs.IsNotFound(err): // in use, or gone
		default:
			return removed, fault(ctx, "remove driver image", err)
		}
	}
	return removed, nil
}
