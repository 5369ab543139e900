// Package queue delivers the platform's gradings to workers, through River in the store's own database.
//
// What River carries are tokens. A token says that there is work, not whose: the worker that gets one asks the store for
// the job whose turn it is, so the order is the store's, and so are leases, tries and verdicts. A token may therefore be
// lost, doubled or late without harm. One too many finds nothing to do, and Replenish makes the ones that are missing.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// tokenKind is what River calls a token.
const tokenKind = "grading"

// token is the job that River sees.
type token struct{}

// Kind implements river.JobArgs.
func (token) Kind() string { return tokenKind }

// Options say how tokens are carried.
type Options struct {
	Store *store.Store
	Log   *slog.Logger
	// Poll is how often a worker with a free slot looks for tokens: 1 s on PostgreSQL, which many workers ask, and 200 ms on
	// SQLite unless set; at least 2 ms.
	Poll time.Duration
	// Now is the clock; time.Now unless set.
	Now func() time.Time
}

// The Poll of each database.
const (
	sqlitePoll   = 200 * time.Millisecond
	postgresPoll = time.Second
)

// Queue carries tokens. It may be used by several goroutines.
type Queue struct {
	opts   Options
	insert *river.Client[*sql.Tx]
}

// Open brings River's tables to the newest version and makes a queue. They lie in the same database as the store's, which
// is migrated before.
func Open(ctx context.Context, opts Options) (*Queue, error) {
	if opts.Store == nil || opts.Log == nil {
		return nil, errors.New("open queue: it needs a store and a log")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Poll == 0 {
		opts.Poll = sqlitePoll
		if opts.Store.Postgres() {
			opts.Poll = postgresPoll
		}
	}
	q := &Queue{opts: opts}
	if err := opts.Store.Patiently(ctx, func() error { return q.migrate(ctx) }); err != nil {
		return nil, err
	}
	var err error
	if q.insert, err = river.NewClient(q.driver(), &river.Config{Logger: opts.Log}); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	return q, nil
}

// driver is River's access to the store's database. On SQLite that is the one connection that writes. On PostgreSQL it is
// the store's pool as well, so that a token is written in the transaction that makes its job; River then polls and does
// not listen, which costs a query per worker and Poll.
func (q *Queue) driver() riverdriver.Driver[*sql.Tx] {
	write, _ := q.opts.Store.Databases()
	if q.opts.Store.Postgres() {
		return riverdatabasesql.New(write)
	}
	return riversqlite.New(write)
}

// migrationLock is the number of the advisory lock that lets one server after the other migrate River's tables.
const migrationLock = 0x6173736179 // "assay"

func (q *Queue) migrate(ctx context.Context) (err error) {
	migrator, err := rivermigrate.New(q.driver(), &rivermigrate.Config{Logger: q.opts.Log})
	if err != nil {
		return fmt.Errorf("read migrations of the queue: %w", err)
	}
	// Mostly there is nothing to do, and many workers that start at once need not wait for each other.
	if found, err := migrator.Validate(ctx); err == nil && found.OK {
		return nil
	}
	if q.opts.Store.Postgres() {
		db, _ := q.opts.Store.Databases()
		conn, err := db.Conn(ctx)
		if err != nil {
			return fmt.Errorf("reach database: %w", err)
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, migrationLock); err != nil {
			return fmt.Errorf("wait for other migrations of the queue: %w", err)
		}
		defer func() {
			_, unlock := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock)
			if unlock != nil {
				err = errors.Join(err, fmt.Errorf("let other migrations of the queue go on: %w", unlock))
			}
		}()
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate queue: %w", err)
	}
	return nil
}

// Enqueue puts a token in for a job that waits, in the transaction that makes it wait. The token becomes due when the job
// does.
func (q *Queue) Enqueue(ctx context.Context, tx *sql.Tx, job platform.Job) error {
	opts := &river.InsertOpts{}
	if job.RunAfter.After(q.opts.Now()) {
		opts.ScheduledAt = job.RunAfter
	}
	if _, err := q.insert.InsertTx(ctx, tx, token{}, opts); err != nil {
		return fmt.Errorf("put token into the queue: %w", err)
	}
	return nil
}

// maxReplenished bounds the tokens that are made at once; the next call makes more.
const maxReplenished = 1000

// Replenish makes tokens for jobs that could begin and have none, and tells how many. There are some when a token came
// before its job was due because clocks differ, when River has given one up, or when a job was stored without one.
//
// It counts, since tokens have no names. While a worker has taken a token and not yet its job it may count one too few and
// make one too many.
func (q *Queue) Replenish(ctx context.Context) (made int, err error) {
	err = q.opts.Store.Tx(ctx, func(tx *store.Tx) error {
		made = 0
		due, err := tx.SystemDue(ctx)
		if err != nil || due == 0 {
			return err
		}
		tokens := 0
		err = tx.SQL().QueryRowContext(ctx, `SELECT COUNT(*) FROM river_job WHERE kind = $1 AND state = 'available'`, tokenKind).Scan(&tokens)
		if err != nil {
			return fmt.Errorf("count tokens: %w", err)
		}
		for ; made < min(due-tokens, maxReplenished); made++ {
			if err := q.Enqueue(ctx, tx.SQL(), platform.Job{}); err != nil {
				return err
			}
		}
		return nil
	})
	return made, err
}

// How long River keeps and holds tokens. It takes one for lost that was worked for longer than a grading may take, and
// offers it again; whoever gets it finds other work or none.
const (
	keepDone    = time.Hour
	rescueAfter = 24 * time.Hour
)

// Deliver calls turn for each token that is due, for as many at once as there are slots, until ctx is done. Then it takes no more
// tokens, waits for the turns that run, and returns. An error of turn brings its token back a little later.
func (q *Queue) Deliver(ctx context.Context, slots int, turn func() error) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[token]) error {
		if ctx.Err() != nil {
			return river.JobSnooze(0) // taken at the last moment: for somebody else
		}
		return turn()
	}))
	client, err := river.NewClient(q.driver(), &river.Config{
		Logger:                      q.opts.Log,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: slots}},
		Workers:                     workers,
		PollOnly:                    true,
		FetchPollInterval:           q.opts.Poll,
		FetchCooldown:               min(q.opts.Poll/2, river.FetchCooldownDefault),
		JobTimeout:                  -1, // the worker bounds a grading
		RescueStuckJobsAfter:        rescueAfter,
		CompletedJobRetentionPeriod: keepDone,
		CancelledJobRetentionPeriod: keepDone,
		DiscardedJobRetentionPeriod: keepDone,
		RetryPolicy:                 tokenRetry{q.opts.Now},
	})
	if err != nil {
		return fmt.Errorf("make deliverer: %w", err)
	}
	// River stops what runs when the context of Start ends; a drain does not.
	if err := q.opts.Store.Patiently(ctx, func() error { return client.Start(context.WithoutCancel(ctx)) }); err != nil {
		return fmt.Errorf("start deliverer: %w", err)
	}
	<-ctx.Done()
	if err := client.Stop(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("stop deliverer: %w", err)
	}
	return nil
}

// tokenRetry brings a token back whose worker could not even ask for a job: the database was away.
type tokenRetry struct{ now func() time.Time }

// NextRetry implements river.ClientRetryPolicy: 1 s after the first error, a second more each time, 30 s at most.
func (r tokenRetry) NextRetry(job *rivertype.JobRow) time.Time {
	return r.now().Add(min(time.Duration(max(1, len(job.Errors)+1))*time.Second, 30*time.Second))
}
