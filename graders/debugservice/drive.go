package debugservice

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// execution is the name of the only execution of a scenario.
const execution = "service"

// auditWithin is how long the lines of the script may take to be in the audit log.
const auditWithin = 2 * time.Second

// The log shipper reads nothing for a while, again and again, while there is load.
const (
	stutterEvery = 700 * time.Millisecond
	stutterFor   = 150 * time.Millisecond
)

// driver is the state of one Drive.
type driver struct {
	pod    workload.Pod
	params params
	svc    *service.Service
	up     *upstreams
	audit  *auditLog
	facts  facts
}

// Drive implements workload.Workload: one process beside the services it needs, which is asked and then killed.
func (*Grader) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) (list []evidence.Execution, err error) {
	d := &driver{pod: pod, facts: facts{ReadyNs: -1}}
	if err := json.Unmarshal(raw, &d.params); err != nil {
		return nil, fmt.Errorf("read params of %s: %w", Name, err)
	}
	if d.params.Kind != kindChecks && d.params.Kind != kindLoad {
		return nil, fmt.Errorf("read params of %s: kind %q is unknown", Name, d.params.Kind)
	}
	if d.up, err = startUpstreams(); err != nil {
		return nil, err
	}
	defer d.up.Close()
	if d.audit, err = openAudit(pod.Paths().Out); err != nil {
		return nil, err
	}
	defer d.audit.Close()
	env := d.up.env()
	env["AUDIT_LOG"] = d.audit.path
	if d.svc, err = service.Start(ctx, pod, service.Options{Name: execution, Env: env, Timeout: d.params.TimeoutNs}); err != nil {
		return nil, err
	}
	e, err := d.run(ctx)
	if err != nil {
		return nil, errors.Join(err, d.svc.Abandon(ctx))
	}
	return []evidence.Execution{e}, nil
}

// run does everything from the start of the process to its end.
func (d *driver) run(ctx context.Context) (evidence.Execution, error) {
	var curve evidence.Series
	if d.svc.Ready() {
		d.facts.ReadyNs = d.svc.ReadyNs
		within := d.svc.Within()
		if d.params.Kind == kindLoad {
			var err error
			if curve, err = d.load(within); err != nil {
				return evidence.Execution{}, err
			}
		} else {
			d.script(within)
			d.fresh(within)
			d.checks(within)
		}
	}
	d.facts.Ended = d.svc.Gone()
	e, err := d.svc.End(ctx, d.facts)
	if err != nil {
		return evidence.Execution{}, err
	}
	if curve.Name != "" {
		e.Series = append(e.Series, curve)
	}
	return e, nil
}

// script asks for everything whose answer is known, one after the other, and looks for it in the audit log.
func (d *driver) script(ctx context.Context) {
	d.facts.Cases = map[string]*seen{}
	all := pool()
	for i, c := range all {
		if ctx.Err() != nil {
			return
		}
		a := ask(ctx, d.svc.Addr, c, caseID(i))
		// Whether points come in time is also the machine's doing, so who has none is asked again.
		for tries := 0; tries < 2 && c.forgiving() && c.Takes != loyaltyTimeout && strings.Contains(a.body, `"available":false`); tries++ {
			a = ask(ctx, d.svc.Addr, c, caseID(i))
		}
		d.facts.Cases[c.Name] = &a.seen
		d.tell("script", i+1, len(all), "requests")
	}
	d.facts.AuditAsked = len(all)
	until := time.Now().Add(auditWithin)
	for {
		d.facts.Audited = 0
		for i, c := range all {
			if l, ok := d.audit.line(caseID(i)); ok && l.Status == d.facts.Cases[c.Name].Status && l.URL == c.Path[:min(len(c.Path), 200)] {
				d.facts.Audited++
			}
		}
		if d.facts.Audited == len(all) || ctx.Err() != nil || time.Now().After(until) {
			return
		}
		loopback.Pause(ctx, 50*time.Millisecond)
	}
}

func caseID(i int) string { return fmt.Sprintf("case-%03d", i) }

// drawn is the chance of a part of the run, the same for the same seed.
func (d *driver) drawn(part string) *rand.Rand {
	key := sha256.Sum256(append([]byte(part), d.params.Seed...))
	return rand.New(rand.NewChaCha8(key)) //nolint:gosec // repeatable by design
}

// checks makes the sixteen, or those that were asked for.
func (d *driver) checks(ctx context.Context) {
	b := &bench{addr: d.svc.Addr, up: d.up, audit: d.audit, random: d.drawn("checks")}
	d.facts.Checks = map[string]*reading{}
	all := causes()
	for i, c := range all {
		if len(d.params.Only) > 0 && !slices.Contains(d.params.Only, c.name) {
			continue
		}
		d.facts.Checks[c.name] = b.run(ctx, c)
		d.tell("checks", i+1, len(all), "checks")
	}
}

// stutter lets the shipper pause again and again until the function it returns is called.
func (d *driver) stutter(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			loopback.Pause(ctx, stutterEvery)
			d.audit.hold()
			loopback.Pause(ctx, stutterFor)
			d.audit.release()
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// tell says how far the run is.
func (d *driver) tell(phase string, done, total int, unit string) {
	d.pod.Report(workload.Progress{Phase: phase, Done: int64(done), Total: int64(total), Unit: unit})
}
