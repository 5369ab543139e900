// Package redis is the Redis of a pod as the driver uses it: started, asked until it answers, with an account for the submission.
package redis

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/internal/workload"
)

const (
	// Name is that of the service.
	Name = "redis"
	// App is the submission's account: every key and channel, and no command that is for administrators.
	App = "app"

	// readyWithin bounds the time from the start of the service to its first answer; it takes well under 1 s.
	readyWithin = 30 * time.Second
	askEvery    = 10 * time.Millisecond
	askWithin   = 2 * time.Second
)

// Server is a server that answers.
type Server struct {
	Addr string // host:port
	URL  string // for the submission, with its account
	// ReadyNs is from the request to start it to its first answer.
	ReadyNs int64

	password string
}

// Start starts the service in the pod, waits until it answers, and makes the submission's account.
func Start(ctx context.Context, pod workload.Pod) (*Server, error) {
	host, ok := pod.(workload.ServiceHost)
	if !ok {
		return nil, errors.New("start redis: the pod has no services")
	}
	port, err := loopback.FreePort()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), password: rand.Text()}
	err = host.StartService(ctx, workload.Service{Name: Name, Env: map[string]string{"ASSAY_PORT": port, "ASSAY_PASSWORD": s.password}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readyWithin, fmt.Errorf("redis did not answer within %s", readyWithin))
	defer cancel()
	for {
		if err = s.Ask(ctx, "PING"); err == nil {
			break
		}
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
	s.ReadyNs = int64(time.Since(began))
	secret := rand.Text()
	if err := s.Ask(ctx, "ACL SETUSER "+App+" on >"+secret+" ~* &* +@all -@admin -@dangerous +info +keys"); err != nil {
		return nil, fmt.Errorf("prepare redis: %w", err)
	}
	s.URL = (&url.URL{Scheme: "redis", Host: s.Addr, User: url.UserPassword(App, secret)}).String()
	return s, nil
}

// Ask sends one command with plain words, as the driver, over a connection of its own. An answer that is an error is one.
func (s *Server) Ask(ctx context.Context, command string) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("connect to redis: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := fmt.Fprintf(conn, "AUTH driver %s\r\n%s\r\n", s.password, command); err != nil {
		return fmt.Errorf("ask redis: %w", err)
	}
	from := bufio.NewReader(conn)
	for range 2 {
		line, err := from.ReadString('\n')
		if err != nil {
			return fmt.Errorf("ask redis: %w", err)
		}
		if strings.HasPrefix(line, "-") {
			return fmt.Errorf("ask redis: %s", strings.TrimSpace(line[1:]))
		}
	}
	return nil
}
