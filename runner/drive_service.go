package runner

import (
	"fmt"
	"slices"

	"github.com/assay-run/assay/runner/driver/protocol"
)

// maxServiceLog bounds what is told of the output of a service that ended before its time.
const maxServiceLog = 1 << 10

// service starts a service for the driver and watches over it. What a driver may start is what the scenario asks for.
func (d *drive) service(m *protocol.StartService) {
	name := m.Service.Name
	if !slices.Contains(d.spec.Services, name) {
		d.fail(fmt.Errorf("%w: it asked for the service %q, which scenario %s does not list under services in challenge.yaml",
			ErrDriver, name, d.spec.Scenario))
		return
	}
	s, err := d.pod.StartService(d.ctx, m.Service)
	if err != nil {
		d.fail(fmt.Errorf("start service %s: %w", name, err))
		return
	}
	if err := d.send(&protocol.ServiceStarted{Ref: m.Ref}); err != nil {
		d.fail(err)
		return
	}
	res, err := s.Wait(d.ctx)
	if d.ending.Load() || d.ctx.Err() != nil {
		return
	}
	if err != nil {
		d.fail(fmt.Errorf("watch service %s: %w", name, err))
		return
	}
	// A submission may have brought it down with what it asked of it, so this alone is no fault of ours.
	said := res.Stdout.Text + res.Stderr.Text
	text := fmt.Sprintf("service %s ended before the run (%s, code %d): %s",
		name, res.Exit.Status, res.Exit.Code, said[max(0, len(said)-maxServiceLog):])
	d.mu.Lock()
	d.fallen = text
	d.mu.Unlock()
	d.note(text)
}

// note keeps a sentence for the run.
func (d *drive) note(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.notes) < maxNotes {
		d.notes = append(d.notes, text)
	}
}

// blameService adds to a failure of the driver that a service had ended, which is then the likely reason.
func (d *drive) blameService(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fallen == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, d.fallen)
}
