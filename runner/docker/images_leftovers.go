package docker

import (
	"context"

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
