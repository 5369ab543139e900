package exactlyonce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/broker"
	"github.com/assay-run/assay/graders/killrounds"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/graders/pgproxy"
	"github.com/assay-run/assay/graders/postgres"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

const (
	publishEvery = 10 * time.Millisecond
	lookEvery    = 20 * time.Millisecond
	// catchWithin is how long a round waits for an ack to fall upon.
	catchWithin = 2 * time.Second
	// catchLeast is how many messages it should be about, and catchFor for how long others may join it before the kill.
	catchLeast = 5
	catchFor   = 20 * time.Millisecond
	// drainWithin is how long is waited for what is left when the last message was published.
	drainWithin = 6 * time.Second
	// restFor is between the last ack and the time that counts as idle, which takes idleFor.
	restFor = 700 * time.Millisecond
	idleFor = 2 * time.Second
	// databaseAway and queueAway are how far away the database and the broker are: both, so that one message after the other is too slow on
	// every machine.
	databaseAway = 2 * time.Millisecond
	queueAway    = time.Millisecond
	// serverConnections is how many connections the server admits; the contract has fewer, and leaves room for those of a process that was
	// killed a moment ago.
	serverConnections = 2 * contractConnections

	errorShare    = 0.02
	earlyShare    = 0.01
	duplicates    = 0.05
	duplicateFrom = 3 * time.Second
)

// Drive implements workload.Workload.
func (*Grader) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) (_ []evidence.Execution, err error) {
	d := &driver{pod: pod}
	if err := json.Unmarshal(raw, &d.plan); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	d.messages = d.plan.messages()
	if d.server, err = postgres.Start(ctx, pod, serverConnections); err != nil {
		return nil, err
	}
	d.facts = facts{ReadyNs: -1, PostgresNs: d.server.ReadyNs, Rounds: []round{}}
	if err := d.server.Exec(ctx, schema()...); err != nil {
		return nil, err
	}
	d.proxy, err = pgproxy.Listen(pgproxy.Options{Dial: d.server.Dial, User: postgres.App, Database: postgres.Database})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.proxy.Close()) }()
	d.proxy.Delay(databaseAway)
	d.epoch = time.Now()
	d.queue, err = broker.Listen(broker.Options{
		Seed: d.plan.rng(3).Uint64(), Visibility: visibility, Away: queueAway, Errors: errorShare, Early: earlyShare, EarlyFrom: 200 * time.Millisecond,
		EarlyTo: 800 * time.Millisecond, Duplicates: duplicates, DuplicateWithin: duplicateFrom, Epoch: d.epoch,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.queue.Close()) }()
	d.keeper, err = killrounds.Start(ctx, pod, service.Options{
		Timeout: d.plan.TimeoutNs, Env: map[string]string{"QUEUE_URL": d.queue.URL(), "DATABASE_URL": d.proxy.URL()},
	}, d.epoch)
	if err != nil {
		return nil, err
	}
	list, err := d.run(ctx)
	if err != nil {
		return nil, errors.Join(err, d.keeper.Abandon(ctx))
	}
	return list, nil
}

// schema is the database as the submission finds it. What changes a row is noted by a trigger that is not the submission's.
func schema() []string {
	return []string{
		"CREATE SCHEMA audit",
		"CREATE UNLOGGED TABLE audit.changes (seq bigserial, key text NOT NULL, by bigint NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())",
		"CREATE TABLE counters (key text PRIMARY KEY, total bigint NOT NULL DEFAULT 0)",
		`CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
			BEGIN INSERT INTO audit.changes (key, by) VALUES (NEW.key, NEW.total - OLD.total); RETURN NULL; END $$`,
		"CREATE TRIGGER note AFTER UPDATE ON counters FOR EACH ROW WHEN (OLD.total IS DISTINCT FROM NEW.total) EXECUTE FUNCTION audit.note()",
		fmt.Sprintf("INSERT INTO counters (key) SELECT 'account-' || lpad(i::text, 2, '0') FROM generate_series(0, %d) AS i", keys-1),
		"GRANT SELECT, UPDATE (total) ON counters TO " + postgres.App,
	}
}

// driver is the state of one Drive.
type driver struct {
	pod      workload.Pod
	plan     plan
	messages []message
	server   *postgres.Server
	proxy    *pgproxy.Proxy
	queue    *broker.Broker
	keeper   *killrounds.Keeper
	epoch    time.Time // of broker and lives; when the first message is due, from then on
	first    time.Time
	facts    facts
}

// ms is a moment since the first message.
func (d *driver) ms(t time.Time) int64 { return t.Sub(d.first).Milliseconds() }

// run does everything from the start of the process to its end.
func (d *driver) run(ctx context.Context) ([]evidence.Execution, error) {
	d.first = d.epoch
	if d.keeper.Ready() {
		d.facts.ReadyNs = d.keeper.Service().ReadyNs
		if err := d.rush(ctx); err != nil {
			return nil, err
		}
	}
	d.settle(ctx)
	return d.keeper.End(ctx, func() (any, error) { return d.look(ctx) })
}

// rush publishes all messages, does to the submission what the plan says, and waits until it is done.
func (d *driver) rush(ctx context.Context) error {
	d.first = time.Now()
	var published error
	var wg sync.WaitGroup
	within, stop := context.WithCancel(ctx)
	defer wg.Wait()
	defer stop()
	wg.Go(func() { published = d.publish(within) })
	stalled := d.plan.Stall == 0
	kills := d.plan.Kills
	end := d.first.Add(time.Duration(d.plan.Seconds) * time.Second)
	for time.Now().Before(end) && ctx.Err() == nil {
		since := time.Since(d.first)
		switch {
		case len(kills) > 0 && since >= kills[0].At:
			if err := d.round(ctx, kills[0]); err != nil {
				return err
			}
			kills = kills[1:]
		case !stalled && since >= d.plan.StallAt:
			d.proxy.Stall(d.plan.Stall)
			stalled = true
		default:
			if _, err := d.keeper.Mind(ctx); err != nil {
				return err
			}
		}
		loopback.Pause(ctx, lookEvery)
	}
	wg.Wait()
	if err := errors.Join(published, context.Cause(ctx)); err != nil {
		return err
	}
	d.queue.Calm()
	d.facts.PublishedMs = d.ms(time.Now())
	return d.drain(ctx)
}

// publish puts each message in when it is due.
func (d *driver) publish(ctx context.Context) error {
	for next := 0; next < len(d.messages) && ctx.Err() == nil; {
		due := min(int(time.Since(d.first).Seconds()*float64(d.plan.Rate))+1, len(d.messages))
		var list []broker.Message
		for ; next < due; next++ {
			list = append(list, d.messages[next].published())
		}
		if err := d.queue.Publish(list...); err != nil {
			return err
		}
		d.pod.Report(workload.Progress{Phase: "publishing", Done: int64(next), Total: int64(len(d.messages)), Unit: "messages"})
		loopback.Pause(ctx, publishEvery)
	}
	return nil
}

// round kills the submission at its next ack and starts it again.
func (d *driver) round(ctx context.Context, k kill) error {
	r := round{Applied: k.Applied}
	caught := d.queue.CatchAck(k.Applied, catchLeast)
	late := time.NewTimer(catchWithin)
	defer late.Stop()
	select {
	case <-caught:
		r.Caught = true
		loopback.Pause(ctx, catchFor)
	case <-late.C:
	case <-d.keeper.Service().Process.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	r.AtMs = d.ms(time.Now())
	index := map[string]int{}
	for i := range d.messages {
		index[d.messages[i].id] = i
	}
	for _, id := range d.queue.Leased() {
		r.Leased = append(r.Leased, index[id])
	}
	err := d.keeper.Kill(ctx)
	d.queue.Thaw()
	if err != nil {
		return err
	}
	if r.Ready, err = d.keeper.Restart(ctx); err != nil {
		return err
	}
	d.facts.Rounds = append(d.facts.Rounds, r)
	return nil
}

// drain waits until nothing is left to do, and then for a time without work.
func (d *driver) drain(ctx context.Context) error {
	end := time.Now().Add(drainWithin)
	for d.queue.Open() > 0 && time.Now().Before(end) && ctx.Err() == nil {
		if _, err := d.keeper.Mind(ctx); err != nil {
			return err
		}
		loopback.Pause(ctx, lookEvery)
	}
	d.facts.WatchedMs = d.ms(time.Now())
	if d.queue.Open() > 0 || d.keeper.Service().Ended() {
		return context.Cause(ctx)
	}
	loopback.Pause(ctx, restFor)
	from, polls := time.Now(), d.queue.Counts().Leases
	loopback.Pause(ctx, idleFor)
	d.facts.Idle = &idle{FromMs: d.ms(from), ToMs: d.ms(time.Now()), Polls: d.queue.Counts().Leases - polls}
	return context.Cause(ctx)
}

// settle lets what was begun come to its end: nothing has been asked of the database for a while.
func (d *driver) settle(ctx context.Context) {
	const calm, most = 300 * time.Millisecond, 3 * time.Second
	began, last, since := time.Now(), int64(-1), time.Now()
	for time.Since(began) < most && time.Since(since) < calm && ctx.Err() == nil {
		if n := d.proxy.Counts().Statements(); n != last {
			last, since = n, time.Now()
		}
		loopback.Pause(ctx, lookEvery)
	}
}

// look reads what is left of it all, when the submission is gone.
func (d *driver) look(ctx context.Context) (*facts, error) {
	f := &d.facts
	offset := d.first.Sub(d.epoch)
	f.Lives = d.keeper.Lives()
	for i := range f.Lives {
		f.Lives[i].StartNs -= int64(offset)
		f.Lives[i].EndNs -= int64(offset)
	}
	since := func(ns int64) int64 {
		if ns < 0 {
			return -1
		}
		return max(0, (time.Duration(ns) - offset).Milliseconds())
	}
	records := d.queue.Records()
	for i := range d.messages {
		if i >= len(records) { // it was never published
			f.Acked, f.Dead, f.Deliveries = append(f.Acked, -1), append(f.Dead, -1), append(f.Deliveries, 0)
			continue
		}
		r := &records[i]
		f.Acked, f.Dead, f.Deliveries = append(f.Acked, since(r.AckedNs)), append(f.Dead, since(r.DeadNs)), append(f.Deliveries, r.Deliveries)
	}
	f.Broker, f.Proxy = d.queue.Counts(), d.proxy.Counts()
	if err := d.readChanges(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		f.Database = err.Error() // a submission may have brought it down
	}
	return f, nil
}

// readChanges reads what the database has noted, when the submission's last connection is gone.
func (d *driver) readChanges(ctx context.Context) error {
	conn, err := d.server.Connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for range 100 {
		var busy int
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", postgres.App).Scan(&busy); err != nil {
			return fmt.Errorf("ask who is connected: %w", err)
		}
		if busy == 0 {
			break
		}
		loopback.Pause(ctx, lookEvery)
	}
	names := map[string]int{}
	for i := range keys {
		names[keyName(i)] = i
	}
	rows, err := conn.Query(ctx, "SELECT key, by, at FROM audit.changes ORDER BY seq")
	if err != nil {
		return fmt.Errorf("read changes: %w", err)
	}
	defer rows.Close()
	c, most := &d.facts.Changes, 4*len(d.messages)+1000
	for rows.Next() {
		var name string
		var by int64
		var at time.Time
		if err := rows.Scan(&name, &by, &at); err != nil {
			return fmt.Errorf("read change: %w", err)
		}
		if len(c.Key) >= most {
			c.Dropped++
			continue
		}
		key, known := names[name]
		if !known {
			key = -1
		}
		c.Key, c.By, c.AtMs = append(c.Key, key), append(c.By, by), append(c.AtMs, at.Sub(d.first.Round(0)).Milliseconds())
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read changes: %w", err)
	}
	c.Key, c.By, c.AtMs = slices.Clip(c.Key), slices.Clip(c.By), slices.Clip(c.AtMs)
	return nil
}
