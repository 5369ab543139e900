// Package backends starts the services of a scenario (PostgreSQL behind a proxy that counts, Redis) for workloads that know no more of
// them than that they are there.
package backends

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/assay-run/assay/graders/pgproxy"
	"github.com/assay-run/assay/graders/postgres"
	"github.com/assay-run/assay/graders/redis"
	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// Variables that a submission finds the services by.
const (
	DatabaseURL = "DATABASE_URL"
	RedisURL    = "REDIS_URL"
)

// The names of the metrics.
const (
	metricStatements  = "db.statements"
	metricConnections = "db.connections"
)

// Bounds and defaults.
const (
	maxSQL             = 1 << 20
	defaultConnections = 20
)

// Settings are those of the services, "database:" in the settings of a workload.
type Settings struct {
	// SQL is a file of the challenge that is run, as the submission's role, before the submission starts.
	SQL string `json:"sql,omitempty"`
	// Connections is how many the submission may have to PostgreSQL at one time; 20 when 0.
	Connections int `json:"connections,omitempty"`
}

// Plan is what the driver does about services.
type Plan struct {
	Services    []string `json:"services,omitempty"`
	SQL         string   `json:"sql,omitempty"` // the text
	Connections int      `json:"connections,omitempty"`
}

// File is the file that settings name, "" for none; it must be there.
func (s *Settings) File(files fs.FS) (string, error) {
	if s == nil || s.SQL == "" {
		return "", nil
	}
	_, err := s.read(files)
	return s.SQL, err
}

func (s *Settings) read(files fs.FS) (string, error) {
	if !fs.ValidPath(s.SQL) {
		return "", fmt.Errorf("%q is not a file of the challenge's folder; write it with / and without ..", s.SQL)
	}
	data, err := settings.ReadFile(files, s.SQL, maxSQL)
	return string(data), err
}

// Plan says what to start: the services that the scenario lists, with these settings.
func (s *Settings) Plan(services []string, files fs.FS) (Plan, error) {
	p := Plan{Services: services, Connections: defaultConnections}
	if s == nil {
		return p, nil
	}
	if !slices.Contains(services, postgres.Name) {
		return p, fmt.Errorf("there are settings for a database, but the scenario has no services: [%s]", postgres.Name)
	}
	if s.Connections > 0 {
		p.Connections = s.Connections
	}
	if s.SQL == "" {
		return p, nil
	}
	var err error
	p.SQL, err = s.read(files)
	return p, err
}

// Counts are what went through to PostgreSQL.
type Counts struct {
	Statements  int64 `json:"statements"`
	Connections int   `json:"connections"` // most at one time
}

// Running are services that answer. The zero value has none.
type Running struct {
	env   map[string]string
	proxy *pgproxy.Proxy
}

// Start starts what is planned and waits until it answers. An error is a fault of ours, or a mistake in the SQL of the challenge.
func (p Plan) Start(ctx context.Context, pod workload.Pod) (*Running, error) {
	r := &Running{env: map[string]string{}}
	if slices.Contains(p.Services, postgres.Name) {
		if err := p.database(ctx, pod, r); err != nil {
			r.Close()
			return nil, err
		}
	}
	if slices.Contains(p.Services, redis.Name) {
		server, err := redis.Start(ctx, pod)
		if err != nil {
			r.Close()
			return nil, err
		}
		r.env[RedisURL] = server.URL
	}
	return r, nil
}

func (p Plan) database(ctx context.Context, pod workload.Pod, r *Running) error {
	server, err := postgres.Start(ctx, pod, p.Connections)
	if err != nil {
		return err
	}
	if p.SQL != "" {
		if err := server.Exec(ctx, "SET ROLE "+postgres.App, p.SQL); err != nil {
			return fmt.Errorf("run the SQL of the challenge: %w", err)
		}
	}
	if r.proxy, err = pgproxy.Listen(pgproxy.Options{Dial: server.Dial, User: postgres.App, Database: postgres.Database}); err != nil {
		return err
	}
	r.env[DatabaseURL] = r.proxy.URL()
	return nil
}

// Env is where the submission finds the services.
func (r *Running) Env() map[string]string { return r.env }

// Counts are those so far; nil without a database.
func (r *Running) Counts() *Counts {
	if r.proxy == nil {
		return nil
	}
	c := r.proxy.Counts()
	return &Counts{Statements: c.Statements(), Connections: c.ConnectionsMax}
}

// Close ends the connections; the services end with the pod.
func (r *Running) Close() {
	if r.proxy != nil {
		r.proxy.Close()
	}
}

// Metrics documents the numbers of Measure.
func Metrics() []evidence.MetricDoc {
	return []evidence.MetricDoc{
		{Name: metricStatements, Unit: "count", Better: evidence.LowerIsBetter, Doc: "how often PostgreSQL was asked to do something; absent where the scenario does not have it"},
		{Name: metricConnections, Unit: "count", Better: evidence.LowerIsBetter, Doc: "most connections to PostgreSQL at one time; absent where the scenario does not have it"},
	}
}

// Measure adds the metrics to values.
func Measure(values map[string]float64, c *Counts) {
	if c != nil {
		values[metricStatements], values[metricConnections] = float64(c.Statements), float64(c.Connections)
	}
}
