// Command servicedriver is a driver for tests in real pods: its one workload starts the services and lets a program at them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/assay-run/assay/graders/pgproxy"
	"github.com/assay-run/assay/graders/postgres"
	"github.com/assay-run/assay/graders/redis"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/driver"
)

// Facts are what the test wants to know.
type facts struct {
	PostgresNs, RedisNs int64
	Total               int64 // what the program has counted up to, as the server says itself
	Counts              pgproxy.Counts
	StallNs             int64
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
	err = pg.Exec(ctx, "CREATE TABLE counters (key text PRIMARY KEY, total bigint NOT NULL)", "INSERT INTO counters VALUES ('a', 0)",
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
	if err := conn.QueryRow(ctx, "SELECT total FROM counters").Scan(&f.Total); err != nil {
		return nil, err
	}
	if err := cache.Ask(ctx, "PING"); err != nil {
		return nil, err
	}
	x.Facts, err = json.Marshal(f)
	return []evidence.Execution{x}, err
}

func main() {
	err := driver.Main(context.Background(), os.Stdin, os.Stdout, os.Stderr,
		[]workload.Workload{services{}}, driver.Options{Exclusive: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
