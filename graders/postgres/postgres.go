// Package postgres is the PostgreSQL of a pod as the driver uses it: started, asked until it answers, and with connections of the driver's
// own.
//
// The server listens on an abstract socket of the pod, where the kernel tells it who connects; it lets in nobody but the driver. The
// submission gets to it through the driver only (package pgproxy), as the role App.
package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/assay-run/assay/internal/workload"
)

// Name is that of the service. Admin is the driver's role, App the submission's, Database what both use.
const (
	Name     = "postgres"
	Admin    = "postgres"
	App      = "app"
	Database = "app"
)

const (
	// readyWithin bounds the time from the start of the service to its first answer; it takes well under 2 s.
	readyWithin = 30 * time.Second
	askEvery    = 10 * time.Millisecond
)

// Server is a server that answers.
type Server struct {
	socket string
	// ReadyNs is from the request to start it to its first answer.
	ReadyNs int64
}

// Start starts the service in the pod, waits until it answers, and makes the submission's role, which may connect connections times at once,
// and an empty database in which that role may make tables.
func Start(ctx context.Context, pod workload.Pod, connections int) (*Server, error) {
	host, ok := pod.(workload.ServiceHost)
	if !ok {
		return nil, errors.New("start postgres: the pod has no services")
	}
	began := time.Now()
	raw := make([]byte, 8)
	_, _ = rand.Read(raw) // never fails, by its documentation
	name := "assay-" + hex.EncodeToString(raw)
	if err := host.StartService(ctx, workload.Service{Name: Name, Env: map[string]string{"ASSAY_SOCKET": name}}); err != nil {
		return nil, err
	}
	s := &Server{socket: "@" + name + "/.s.PGSQL.5432"}
	conn, err := s.await(ctx)
	if err != nil {
		return nil, err
	}
	s.ReadyNs = int64(time.Since(began))
	defer func() { _ = conn.Close(ctx) }()
	for _, sql := range []string{
		fmt.Sprintf("CREATE ROLE %s LOGIN CONNECTION LIMIT %d", App, connections),
		"CREATE DATABASE " + Database,
		"REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("prepare postgres: %w", err)
		}
	}
	if err := s.Exec(ctx, "GRANT CREATE ON SCHEMA public TO "+App, "GRANT CREATE ON DATABASE "+Database+" TO "+App); err != nil {
		return nil, err
	}
	return s, nil
}

// await asks until the server answers.
func (s *Server) await(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("postgres did not answer within %s", readyWithin))
	defer cancel()
	for {
		conn, err := s.connect(ctx, "postgres")
		if err == nil {
			var one int
			if err = conn.QueryRow(ctx, "SELECT 1").Scan(&one); err == nil {
				return conn, nil
			}
			_ = conn.Close(ctx)
		}
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// Connect opens a connection of the driver's to the database. The caller closes it.
func (s *Server) Connect(ctx context.Context) (*pgx.Conn, error) { return s.connect(ctx, Database) }

func (s *Server) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig("postgres://" + Admin + "@127.0.0.1/" + database + "?sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("configure postgres client: %w", err)
	}
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Dial(ctx) }
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to postgres: %w", err)
	}
	return conn, nil
}

// Dial opens a bare connection, on which the driver may be Admin or App.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", s.socket)
}

// Exec runs statements one after the other.
func (s *Server) Exec(ctx context.Context, statements ...string) error {
	conn, err := s.Connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("run %.60q: %w", sql, err)
		}
	}
	return nil
}
