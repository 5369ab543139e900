package scalebench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/assay-run/assay/internal/accuracy"
	"github.com/assay-run/assay/internal/platform/store"
)

// job is what is looked at afterwards.
type job struct {
	org                        string
	created, started, finished int64 // milliseconds
	tries                      int
	graded                     bool
}

func (b *queueBench) jobs(ctx context.Context) (all []job, err error) {
	err = b.store.View(ctx, func(tx *store.Tx) error {
		all = nil
		rows, err := tx.SQL().QueryContext(ctx, `SELECT o.name, j.created_at, j.started_at, j.finished_at, j.tries, j.state = 'graded'
			FROM jobs j JOIN organizations o ON o.id = j.org_id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var j job
			if err := rows.Scan(&j.org, &j.created, &j.started, &j.finished, &j.tries, &j.graded); err != nil {
				return err
			}
			all = append(all, j)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return all, nil
}

// waits computes what the rows of the jobs say.
func (b *queueBench) waits(ctx context.Context) error {
	all, err := b.jobs(ctx)
	if err != nil {
		return err
	}
	d := &b.report.Drain
	byWho, perSecond := map[string][]float64{}, map[int64]int{}
	first, last, took := all[0].started, all[0].finished, int64(0)
	for _, j := range all {
		if j.graded {
			d.Graded++
		}
		d.Tries += j.tries
		first, last = min(first, j.started), max(last, j.finished)
		took += j.finished - j.started
		perSecond[j.started/1000]++
	}
	for _, j := range all {
		// What was handed in before anybody worked has waited from when they began.
		byWho[b.who(j.org)] = append(byWho[b.who(j.org)], float64(j.started-max(j.created, first)))
	}
	n := float64(len(all))
	d.Seconds = float64(last-first) / 1000
	d.JobsPerSecond = n / d.Seconds
	for _, claims := range perSecond {
		d.ClaimsPerSec = max(d.ClaimsPerSec, float64(claims))
	}
	grading := ms(b.Least+b.Most) / 2
	d.OverheadMs = float64(took)/n - grading
	d.PredictedSeconds = n * (grading + d.OverheadMs) / 1000 / float64(b.Clients)
	for _, who := range []string{"largest", "others", "late"} {
		list := byWho[who]
		b.report.Waits = append(b.report.Waits, Wait{
			Who: who, Jobs: len(list), P50Ms: accuracy.Quantile(list, .5), P99Ms: accuracy.Quantile(list, .99), MaxMs: slices.Max(list),
		})
	}
	return nil
}

func (b *queueBench) who(org string) string {
	switch {
	case strings.HasPrefix(org, "Late"):
		return "late"
	case strings.HasPrefix(org, "Organisation 001 "):
		return "largest"
	}
	return "others"
}

// Write writes the report in words.
func (r *QueueReport) Write(out io.Writer) error {
	var t accuracy.Table
	t.Head = []string{"what", "figure"}
	row := func(what, format string, args ...any) { t.Add(what, fmt.Sprintf(format, args...)) }
	row("enqueued, 8 at once", "%.0f/s", r.EnqueuePerSecond)
	if r.Idle.Seconds > 0 {
		row("idle: transactions of a worker", "%.2f/s", r.Idle.TransactionsPerWorkerSec)
		row("idle: statements of a worker", "%.2f/s", r.Idle.StatementsPerSecond/float64(r.Clients))
		row("idle: CPU of the database for a worker", "%.2f ms/s", r.Idle.DatabaseMsPerSecond/float64(r.Clients))
		row("idle: CPU of a worker", "%.2f ms/s", r.Idle.WorkersMsPerSecond/float64(r.Clients))
		row("idle: connections", "%d at most, %d in the end, of %d", r.Idle.Connections.Most, r.Idle.Connections.Last, r.Idle.Connections.Allowed)
	}
	d := r.Drain
	row("graded", "%d, in %d tries", d.Graded, d.Tries)
	row("took", "%.1f s", d.Seconds)
	row("predicted from slots and times", "%.1f s", d.PredictedSeconds)
	row("jobs", "%.0f/s", d.JobsPerSecond)
	row("claims, best second", "%.0f/s", d.ClaimsPerSec)
	row("CPU of the database for a job", "%.2f ms", d.DatabaseMs)
	row("CPU of the workers for a job", "%.2f ms", d.WorkersMs)
	row("transactions of a job", "%.1f", d.Transactions)
	row("statements of a job", "%.1f", d.Statements)
	row("time of a job beside its grading", "%.0f ms", d.OverheadMs)
	row("database grew by, for a submission", "%.1f KiB", float64(r.BytesEach)/1024)
	row("connections", "%d of %d, %d active, %d waiting for a lock", d.Connections.Most, d.Connections.Allowed, d.Connections.MostActive, d.Connections.MostLocked)
	for _, w := range r.Waits {
		row(fmt.Sprintf("wait for the claim, %s (%d)", w.Who, w.Jobs), "p50 %.0f ms, p99 %.0f ms, at most %.0f ms", w.P50Ms, w.P99Ms, w.MaxMs)
	}
	_, err := fmt.Fprintf(out, "%s, %d submissions of %d organisations (the largest has %d), %d workers in %d processes, gradings of %d to %d ms, %d CPUs\n\n%s",
		r.Database, r.Submissions, r.Organisations, r.Largest, r.Clients, r.Processes, r.LeastMs, r.MostMs, r.CPUs, t.String())
	for _, list := range []struct {
		title string
		of    []Statement
	}{{"idle", r.Idle.Statements}, {"working", r.Statements}} {
		for _, s := range list.of {
			if err == nil {
				_, err = fmt.Fprintf(out, "%-7s %9.1f ms %8d calls  %s\n", list.title, s.Ms, s.Calls, s.Text)
			}
		}
	}
	return err
}
