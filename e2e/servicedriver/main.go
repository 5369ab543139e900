// Command servicedriver is a driver for tests in real pods: its one workload starts the services and lets a program at them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/assay-run/assay/graders/pgproxy"
	"github.com/assay-run/assay/graders/postgres"
	"github.com/assay-run/assay/graders/redis"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/driver"
)

// facts are what the test wants to know.
type facts struct {
	PostgresNs, RedisNs int64
	Total               int64 // what the program has counted up to, as the server says itself
	Counts              pgproxy.Counts
	Committed           []int64 // by the end of each of three transactions: passed on, cut after the commit, cut before it
	Told                []bool  // whether the client learnt of the commit
	StallNs             int64   // how long a question took while all stood still for 300 ms
}

type services struct{}

func (services) Name() string { return "services" }

func (services) Drive(ctx context.Context, pod workload.Pod, _ json.RawMessage) ([]evidence.Execution, error) {
	pg, err := postgres.Start(ctx, pod, 4)
	if err != nil {
		return nil, err
	}
	cache, err := redis.Start(ctx, pod)
	if err != nil {
		return nil, err
	}
	err = pg.Exec(ctx, "CREATE TABLE counters (key text PRIMARY KEY, total bigint NOT NULL)", "INSERT INTO counters VALUES ('a', 0), ('cut', 0)",
		"GRANT SELECT, UPDATE ON counters TO "+postgres.App)
	if err != nil {
		return nil, err
	}
	proxy, err := pgproxy.Listen(pgproxy.Options{Dial: pg.Dial, User: postgres.App, Database: postgres.Database})
	if err != nil {
		return nil, err
	}
	defer func() { _ = proxy.Close() }()
	p, err := pod.Start(ctx, workload.Command{
		Name: "program", Timeout: time.Minute, Env: map[string]string{"DATABASE_URL": proxy.URL(), "REDIS_URL": cache.URL},
	})
	if err != nil {
		return nil, err
	}
	x, err := p.Wait(ctx)
	if err != nil {
		return nil, err
	}
	f := facts{PostgresNs: pg.ReadyNs, RedisNs: cache.ReadyNs, Counts: proxy.Counts()}
	conn, err := pg.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := conn.QueryRow(ctx, "SELECT total FROM counters WHERE key = 'a'").Scan(&f.Total); err != nil {
		return nil, err
	}
	if err := cuts(ctx, pg, conn, &f); err != nil {
		return nil, err
	}
	if err := cache.Ask(ctx, "PING"); err != nil {
		return nil, err
	}
	x.Facts, err = json.Marshal(f)
	return []evidence.Execution{x}, err
}

// cuts commits three times through a proxy of its own, which passes the first commit on, loses the answer to the second, and keeps the third
// from the server; admin sees what has become of each.
func cuts(ctx context.Context, pg *postgres.Server, admin *pgx.Conn, f *facts) error {
	proxy, err := pgproxy.Listen(pgproxy.Options{Dial: pg.Dial, User: postgres.App, Database: postgres.Database, Cuts: func(n int) pgproxy.Cut {
		return []pgproxy.Cut{pgproxy.CutNot, pgproxy.CutAfter, pgproxy.CutBefore}[n-1]
	}})
	if err != nil {
		return err
	}
	defer func() { _ = proxy.Close() }()
	for range 3 {
		conn, err := pgx.Connect(ctx, proxy.URL()+"?sslmode=prefer")
		if err != nil {
			return err
		}
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE counters SET total = total + $1 WHERE key = $2", 1, "cut"); err != nil {
			return err
		}
		f.Told = append(f.Told, tx.Commit(ctx) == nil)
		_ = conn.Close(ctx)
		var total int64
		// The row is free again when the server has seen the end of the connection.
		if err := admin.QueryRow(ctx, "SELECT total FROM counters WHERE key = 'cut' FOR UPDATE").Scan(&total); err != nil {
			return err
		}
		f.Committed = append(f.Committed, total)
	}
	conn, err := pgx.Connect(ctx, proxy.URL())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	began := time.Now()
	proxy.Stall(300 * time.Millisecond)
	_, err = conn.Exec(ctx, "SELECT 1")
	f.StallNs = int64(time.Since(began))
	return err
}

func main() {
	err := driver.Main(context.Background(), os.Stdin, os.Stdout, os.Stderr,
		[]workload.Workload{services{}}, driver.Options{Exclusive: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
