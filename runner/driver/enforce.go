package driver

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner/driver/protocol"
)

const (
	// killWithin bounds how long the ending of a submission may take. A process can be beyond signals for a while, in
	// an uninterruptible wait for a disk.
	killWithin = 5 * time.Second
	// killPause is the time between two rounds.
	killPause = 2 * time.Millisecond
)

// enforce ends a submission that is over a limit which the engine does not hold itself.
func (e *execution) enforce(now time.Time) error {
	var reason killReason
	began := e.startedAt
	if began.IsZero() {
		began = e.confirmed
	}
	limit := e.pod.run.MemoryBytes
	switch {
	case e.killed.status != "":
		return nil // on its way
	case e.cmd.Timeout > 0 && now.Sub(began) >= e.cmd.Timeout:
		reason = killReason{evidence.TimedOut, fmt.Sprintf("It was ended after its time limit of %s.", e.cmd.Timeout)}
	case e.cpuLimit() > 0 && e.meter.cpuUsed(e.table) > e.cpuLimit():
		reason = killReason{evidence.CPULimit, fmt.Sprintf("It had used its %s of CPU time.", e.cpuLimit())}
	case e.pod.run.EnforceMemory && limit > 0 && e.meter.scored > limit:
		reason = killReason{evidence.OOMKilled, fmt.Sprintf(
			"It used %d MiB and was ended above its limit of %d MiB.", e.meter.scored>>20, limit>>20)}
	case e.meter.thrash.found:
		reason = killReason{evidence.Thrashing, e.meter.thrash.detail()}
	default:
		return nil
	}
	return e.killAll(reason)
}

// cpuLimit is how much CPU time it may use: what the run says, or a tenth more than there is time. 0 for no limit. On one core a program
// that computes uses up both at the same moment, and which of the two ended it would be chance.
func (e *execution) cpuLimit() time.Duration {
	if limit := time.Duration(e.pod.run.CPUNs); limit > 0 {
		return limit
	}
	limit := e.cmd.Timeout
	if limit <= 0 {
		limit = e.pod.run.Timeout
	}
	return limit + limit/10
}

// killAll ends every process of the submission and returns when none is left. The first reason given is kept.
//
// A submission may fork faster than one pass over its processes: from the second round on all are stopped before
// they are killed. The dead are collected afterwards only; until then they fill the limit on processes, which ends
// the race for us.
func (e *execution) killAll(r killReason) error {
	e.killing = true
	if r.status != "" && e.killed.status == "" {
		e.killed = r
	}
	var errs []error
	deadline := time.Now().Add(killWithin)
	for round := 0; ; round++ {
		now := time.Now()
		if err := e.rescan(now); err != nil {
			return err
		}
		living := e.table.Living()
		if len(living) == 0 {
			break
		}
		if now.After(deadline) {
			errs = append(errs, fmt.Errorf("%d processes did not end within %s", len(living), killWithin))
			break
		}
		if round > 0 {
			for _, p := range living {
				_, _ = signalStop(p.PID) // refusals are reported by the kill that follows
			}
			if err := e.rescan(now); err != nil {
				return err
			}
		}
		for _, p := range e.table.Living() {
			if _, err := signalKill(p.PID); err != nil {
				e.askHost()
				if round == 0 {
					errs = append(errs, err)
				}
			}
		}
		time.Sleep(killPause)
	}
	e.reapOrphans()
	if e.endedAt.IsZero() && e.engine == nil && e.table.Main() == nil && !e.confirmed.IsZero() {
		e.askHost() // it runs and was never seen: only the engine can end it
	}
	if len(e.table.Living()) == 0 {
		return nil
	}
	return errors.Join(errs...)
}

func (e *execution) rescan(now time.Time) error {
	if err := e.table.Scan(now); err != nil {
		return err
	}
	e.table.Read(now)
	return nil
}

// askHost asks the engine to do what we cannot. Once is enough.
func (e *execution) askHost() {
	if e.asked {
		return
	}
	e.asked = true
	// A stream that is dead ends the driver, and with it the pod.
	_ = e.pod.d.conn.Send(&protocol.Kill{Ref: e.ref})
}

// reapOrphans collects ended processes of the submission that became ours when their parents died: in a pod the driver
// is process 1, and until somebody collects them they count against the limit on processes. One that outlived the main
// process and was killed, but not by us, was left over: some container runtimes end what is left before we do.
func (e *execution) reapOrphans() {
	self := os.Getpid()
	if self != 1 {
		return
	}
	for _, pid := range e.table.Zombies(self, nil) {
		if reap(pid) && !e.endedAt.IsZero() && !e.killing {
			e.leftover++
		}
	}
}
