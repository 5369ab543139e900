package scalebench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/queue"
	"github.com/assay-run/assay/internal/platform/store"
)

// Workers are processes that grade until they are stopped.
type Workers interface {
	// Stop lets them end, waits, and tells how much CPU they have used.
	Stop() (time.Duration, error)
}

// QueueOptions say how the queue is measured. All are needed.
type QueueOptions struct {
	Address string // of an empty database
	Dir     string // for files
	// Submissions are those of so many organisations, of which the first has Largest.
	Submissions, Organisations, Largest int
	// Clients are the workers, in so many Processes; on SQLite they are the slots of one.
	Clients, Processes int
	// Least and Most bound how long a grading takes.
	Least, Most time.Duration
	// Idle is how long the workers are watched while nothing waits.
	Idle time.Duration
	// Start starts so many processes of workers.
	Start func(processes int, o WorkerOptions) (Workers, error)
	// Log hears of what the job engine says; Progress of what is done, in a line for people.
	Log      *slog.Logger
	Progress func(string)
}

// QueueReport is what was measured.
type QueueReport struct {
	Database      string `json:"database"`
	CPUs          int    `json:"cpus"`
	Submissions   int    `json:"submissions"`
	Organisations int    `json:"organisations"`
	Largest       int    `json:"largest"`
	Clients       int    `json:"clients"`
	Processes     int    `json:"processes"`
	LeastMs       int64  `json:"leastMs"`
	MostMs        int64  `json:"mostMs"`

	EnqueuePerSecond float64 `json:"enqueuePerSecond"`
	// BytesEach is how much the database has grown for each submission: with candidate, invitation, attempt, job and result.
	BytesEach int64 `json:"databaseBytesPerSubmission"`

	Idle  Idle  `json:"idle"`
	Drain Drain `json:"drain"`
	// Waits are how long submissions waited for their claim, by what organisation they are of.
	Waits      []Wait      `json:"waits"`
	Statements []Statement `json:"statements,omitempty"` // the dearest while the queue was worked off
}

// Idle is what workers cost that have nothing to do.
type Idle struct {
	Seconds                  float64     `json:"seconds"`
	DatabaseMsPerSecond      float64     `json:"databaseCpuMsPerSecond"` // CPU of the database
	TransactionsPerSecond    float64     `json:"transactionsPerSecond"`
	StatementsPerSecond      float64     `json:"statementsPerSecond"`
	Connections              Connections `json:"connections"`
	WorkersMsPerSecond       float64     `json:"workersCpuMsPerSecond"`
	TransactionsPerWorkerSec float64     `json:"transactionsPerWorkerSecond"`

	Statements []Statement `json:"statements,omitempty"` // the dearest
}

// Drain is what working the queue off cost.
type Drain struct {
	Seconds       float64     `json:"seconds"`
	JobsPerSecond float64     `json:"jobsPerSecond"`
	ClaimsPerSec  float64     `json:"claimsPerSecondMost"` // in the best second
	DatabaseMs    float64     `json:"databaseCpuMsPerJob"`
	WorkersMs     float64     `json:"workersCpuMsPerJob"`
	Transactions  float64     `json:"transactionsPerJob"`
	Statements    float64     `json:"statementsPerJob"`
	Connections   Connections `json:"connections"`
	Tries         int         `json:"tries"`
	Graded        int         `json:"graded"`
	// OverheadMs is what a job took from claim to end beyond its grading, on average.
	OverheadMs float64 `json:"overheadMs"`
	// PredictedSeconds is what slots and mean times say: submissions × (grading + overhead) ÷ slots.
	PredictedSeconds float64 `json:"predictedSeconds"`
}

// Wait is how long submissions of some organisations waited.
type Wait struct {
	Who   string  `json:"who"`
	Jobs  int     `json:"jobs"`
	P50Ms float64 `json:"p50Ms"`
	P99Ms float64 `json:"p99Ms"`
	MaxMs float64 `json:"maxMs"`
}

// queueBench is a measurement under way.
type queueBench struct {
	QueueOptions
	store  *store.Store
	queue  *queue.Queue
	blobs  *blob.Files
	db     *database
	in     *installation
	report *QueueReport
	late   []working // candidates of organisations that come late
}

// MeasureQueue measures. The installation stays in the database.
func MeasureQueue(ctx context.Context, o QueueOptions) (_ *QueueReport, err error) {
	if o.Organisations < 2 || o.Submissions < o.Largest+o.Organisations || o.Largest < 1 || o.Clients < 1 || o.Processes < 1 || o.Clients%o.Processes != 0 {
		return nil, errors.New("measure queue: there are two organisations at least, each with a submission, and as many workers in each process")
	}
	b := &queueBench{QueueOptions: o, report: &QueueReport{
		Database: "SQLite", CPUs: runtime.NumCPU(), Submissions: o.Submissions, Organisations: o.Organisations, Largest: o.Largest,
		Clients: o.Clients, Processes: o.Processes, LeastMs: o.Least.Milliseconds(), MostMs: o.Most.Milliseconds(),
	}}
	if b.store, err = store.Open(ctx, store.Options{Address: o.Address}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.store.Close()) }()
	if b.store.Postgres() {
		b.report.Database = "PostgreSQL"
	}
	if b.queue, err = queue.Open(ctx, queue.Options{Store: b.store, Log: o.Log}); err != nil {
		return nil, err
	}
	if b.blobs, err = blob.OpenFiles(b.files(), time.Now()); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.blobs.Close()) }()
	if b.db, err = watchDatabase(ctx, b.store); err != nil {
		return nil, err
	}
	return b.report, b.measure(ctx)
}

func (b *queueBench) files() string { return filepath.Join(b.Dir, "files") }

func (b *queueBench) measure(ctx context.Context) error {
	before, err := b.db.bytes(ctx)
	if err != nil {
		return err
	}
	all, err := b.fill(ctx)
	if err != nil {
		return err
	}
	if err := b.idle(ctx); err != nil {
		return fmt.Errorf("measure idle workers: %w", err)
	}
	archive, err := b.archive(ctx)
	if err != nil {
		return err
	}
	b.Progress(fmt.Sprintf("handing in %d submissions", len(all)))
	begun := time.Now()
	if err := each(ctx, all, 8, func(ctx context.Context, w working) error { return b.submit(ctx, w, archive) }); err != nil {
		return fmt.Errorf("hand in: %w", err)
	}
	b.report.EnqueuePerSecond = float64(len(all)) / time.Since(begun).Seconds()
	if err := b.drain(ctx, archive); err != nil {
		return fmt.Errorf("work the queue off: %w", err)
	}
	after, err := b.db.bytes(ctx)
	if err != nil {
		return err
	}
	b.report.BytesEach = (after - before) / int64(b.Submissions+len(b.late))
	return b.waits(ctx)
}

// lateOrganisations come while the queue is worked off, with one submission each.
const lateOrganisations = 3

// fill makes the organisations and gives their candidates.
func (b *queueBench) fill(ctx context.Context) (all []working, err error) {
	if b.in, err = setUp(ctx, b.store, ""); err != nil {
		return nil, err
	}
	sizes := share(b.Submissions, b.Organisations, b.Largest)
	b.Progress(fmt.Sprintf("making %d organisations with %d candidates", len(sizes), b.Submissions))
	made, numbers := make([][]working, len(sizes)), make([]int, len(sizes))
	for i := range numbers {
		numbers[i] = i
	}
	err = each(ctx, numbers, 4, func(ctx context.Context, i int) (err error) {
		made[i], err = b.in.organisation(ctx, fmt.Sprintf("Organisation %03d of %d", i+1, sizes[i]), sizes[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	all = slices.Concat(made...)
	for i := range lateOrganisations {
		one, err := b.in.organisation(ctx, fmt.Sprintf("Late %d", i+1), 1)
		if err != nil {
			return nil, err
		}
		b.late = append(b.late, one...)
	}
	return all, nil
}

// archive stores the one file that everybody hands in.
func (b *queueBench) archive(ctx context.Context) (platform.Blob, error) {
	return b.blobs.Put(ctx, "orgs/bench/archive.zip", strings.NewReader("what was handed in"), 1<<10)
}

// submit is what the service does to store a submission, without intake.
func (b *queueBench) submit(ctx context.Context, w working, archive platform.Blob) error {
	return b.store.Tx(ctx, func(tx *store.Tx) error {
		handed, err := tx.Submit(ctx, w.org, store.HandIn{
			AttemptID: w.attempt, ChallengeID: challenge, Kind: platform.Final, Archive: archive, DryRunMode: "quick", ReceivedAt: tx.Now(),
			Intake: platform.Intake{Accepted: true, Digest: archive.Digest, Files: 1},
		})
		if err != nil {
			return err
		}
		return b.queue.Enqueue(ctx, tx.SQL(), *handed.Job)
	})
}

// workers starts them.
func (b *queueBench) workers() (Workers, error) {
	o := WorkerOptions{Address: b.Address, Blobs: b.files(), Clients: b.Clients / b.Processes, Slots: 1, Least: b.Least, Most: b.Most, Log: b.Log}
	if !b.store.Postgres() {
		o.Clients, o.Slots = 1, b.Clients
		return b.Start(1, o)
	}
	return b.Start(b.Processes, o)
}

// awaitWorkers waits until all are known to the database.
func (b *queueBench) awaitWorkers(ctx context.Context) error {
	for begun := time.Now(); time.Since(begun) < time.Minute; {
		slots := 0
		err := b.store.View(ctx, func(tx *store.Tx) error {
			list, err := tx.Workers(ctx, b.in.home)
			for _, w := range list {
				if !w.Draining {
					slots += w.Slots
				}
			}
			return err
		})
		if err != nil || slots >= b.Clients {
			return err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("the workers do not begin")
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// settled is how long workers run before they are watched, so that opening connections is over.
const settled = 3 * time.Second

// idle watches workers that have nothing to do.
func (b *queueBench) idle(ctx context.Context) error {
	if b.Idle <= 0 {
		return nil
	}
	b.Progress("watching idle workers")
	w, err := b.workers()
	if err != nil {
		return err
	}
	err = errors.Join(b.awaitWorkers(ctx), pause(ctx, settled), b.db.forget(ctx))
	from, err1 := b.db.count(ctx)
	watched := b.db.connections(ctx)
	err = errors.Join(err, err1, pause(ctx, b.Idle))
	to, err2 := b.db.count(ctx)
	seen, err3 := watched()
	dearest, err5 := b.db.dearest(ctx, 12)
	cpu, err4 := w.Stop()
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		return err
	}
	seconds := to.at.Sub(from.at).Seconds()
	b.report.Idle = Idle{
		Seconds: seconds, DatabaseMsPerSecond: ms(to.cpu-from.cpu) / seconds, TransactionsPerSecond: float64(to.transactions-from.transactions) / seconds,
		StatementsPerSecond: float64(to.statements-from.statements) / seconds, Connections: seen,
		WorkersMsPerSecond:       ms(cpu) / (seconds + settled.Seconds()), // with their start
		TransactionsPerWorkerSec: float64(to.transactions-from.transactions) / seconds / float64(b.Clients), Statements: dearest,
	}
	// Their rows would count as slots.
	return b.store.Tx(ctx, func(tx *store.Tx) error { return tx.SystemForgetWorkers(ctx, tx.Now().Add(time.Hour)) })
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// drain lets the workers work the queue off, and organisations with one submission come meanwhile.
func (b *queueBench) drain(ctx context.Context, archive platform.Blob) error {
	if err := b.db.forget(ctx); err != nil {
		return err
	}
	from, err := b.db.count(ctx)
	if err != nil {
		return err
	}
	watched := b.db.connections(ctx)
	w, err := b.workers()
	if err != nil {
		return err
	}
	err = b.follow(ctx, archive)
	to, err1 := b.db.count(ctx)
	seen, err2 := watched()
	dearest, err3 := b.db.dearest(ctx, 12)
	cpu, err4 := w.Stop()
	if err := errors.Join(err, err1, err2, err3, err4); err != nil {
		return err
	}
	n := float64(b.Submissions + len(b.late))
	d := &b.report.Drain
	d.DatabaseMs, d.WorkersMs = ms(to.cpu-from.cpu)/n, ms(cpu)/n
	d.Transactions, d.Statements = float64(to.transactions-from.transactions)/n, float64(to.statements-from.statements)/n
	d.Connections, b.report.Statements = seen, dearest
	return nil
}

// follow looks until everything is over. The late ones hand in after a quarter, a half and three quarters.
func (b *queueBench) follow(ctx context.Context, archive platform.Blob) error {
	handed, said := 0, -1
	for {
		left := 0
		err := b.store.View(ctx, func(tx *store.Tx) error {
			return tx.SQL().QueryRowContext(ctx, `SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'retrying', 'running')`).Scan(&left)
		})
		if err != nil {
			return err
		}
		for handed < len(b.late) && left <= b.Submissions*(len(b.late)-handed)/(len(b.late)+1) {
			if err := b.submit(ctx, b.late[handed], archive); err != nil {
				return err
			}
			handed++
			left++
		}
		if tenth := 10 * (b.Submissions - left) / b.Submissions; tenth > said {
			b.Progress(fmt.Sprintf("%d submissions are left", left))
			said = tenth
		}
		if left == 0 {
			return nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}
