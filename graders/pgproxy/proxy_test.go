package pgproxy

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer is a server of one's own script: it obeys, and notes what it was asked.
type fakeServer struct {
	t        *testing.T
	listener net.Listener
	wg       sync.WaitGroup
	mu       sync.Mutex
	asked    []string // statements, in the order in which they came
	started  []map[string]string
	cancels  int
}

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test of its own
	require.NoError(t, err)
	f := &fakeServer{t: t, listener: l}
	f.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.serve(nc) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.wg.Wait()
	})
	return f
}

func (f *fakeServer) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", f.listener.Addr().String())
}

func (f *fakeServer) note(sql string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, sql)
}

func (f *fakeServer) heard() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.asked...)
}

// serve knows transactions and nothing else: every statement is carried out, "too many" and "wrong" are errors.
func (f *fakeServer) serve(nc net.Conn) {
	defer nc.Close()
	b := pgproto3.NewBackend(nc, nc)
	m, err := b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	start, ok := m.(*pgproto3.StartupMessage)
	f.mu.Lock()
	if !ok {
		f.cancels++
		f.mu.Unlock()
		return
	}
	f.started = append(f.started, start.Parameters)
	f.mu.Unlock()
	status := byte('I')
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
	prepared, portal := map[string]string{}, ""
	run := func(sql string) {
		f.note(sql)
		tag := strings.ToUpper(strings.Trim(strings.Fields(sql)[0], ";"))
		switch tag {
		case "BEGIN":
			status = 'T'
		case "COMMIT", "ROLLBACK":
			status = 'I'
		case "WRONG":
			b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42601"})
			return
		case "TOO":
			b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "53300"})
			return
		}
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
	}
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *pgproto3.Query:
			run(m.String)
			b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
		case *pgproto3.Parse:
			prepared[m.Name] = m.Query
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			portal = prepared[m.PreparedStatement]
			b.Send(&pgproto3.BindComplete{})
		case *pgproto3.Execute:
			run(portal)
		case *pgproto3.Sync:
			b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
		}
	}
}

// client is a submission's connection.
type client struct {
	t  *testing.T
	nc net.Conn
	f  *pgproto3.Frontend
}

func listen(t *testing.T, f *fakeServer, o Options) *Proxy {
	t.Helper()
	o.Dial, o.User, o.Database = f.dial, "app", "app"
	p, err := Listen(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// bare opens a connection on which nothing was said.
func bare(t *testing.T, p *Proxy) *client {
	t.Helper()
	nc, err := net.Dial("tcp", p.listener.Addr().String()) //nolint:noctx // a test of its own
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(20*time.Second)))
	return &client{t: t, nc: nc, f: pgproto3.NewFrontend(nc, nc)}
}

func (c *client) start(user, database string) {
	c.t.Helper()
	c.f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": user, "database": database}})
	require.NoError(c.t, c.f.Flush())
}

func connect(t *testing.T, p *Proxy) *client {
	t.Helper()
	c := bare(t, p)
	c.start("app", "app")
	_, err := c.ready()
	require.NoError(t, err)
	return c
}

// ready reads answers up to the next ReadyForQuery and returns the tags on the way.
func (c *client) ready() (tags []string, err error) {
	for {
		m, err := c.f.Receive()
		if err != nil {
			return tags, err
		}
		switch m := m.(type) {
		case *pgproto3.CommandComplete:
			tags = append(tags, string(m.CommandTag))
		case *pgproto3.ErrorResponse:
			tags = append(tags, m.Code)
		case *pgproto3.ReadyForQuery:
			return tags, nil
		}
	}
}

func (c *client) ask(sql string) ([]string, error) {
	c.t.Helper()
	c.f.Send(&pgproto3.Query{String: sql})
	require.NoError(c.t, c.f.Flush())
	return c.ready()
}

// askPrepared uses the extended protocol, with a named statement.
func (c *client) askPrepared(sql string) ([]string, error) {
	c.t.Helper()
	c.f.Send(&pgproto3.Parse{Name: "s", Query: sql})
	c.f.Send(&pgproto3.Bind{PreparedStatement: "s"})
	c.f.Send(&pgproto3.Execute{})
	c.f.Send(&pgproto3.Sync{})
	require.NoError(c.t, c.f.Flush())
	return c.ready()
}

func TestCounts(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	p := listen(t, f, Options{})
	one, two := connect(t, p), connect(t, p)
	for _, sql := range []string{"BEGIN", "UPDATE a", "COMMIT", "UPDATE b", "WRONG", "BEGIN", "UPDATE c", "ROLLBACK", "TOO many"} {
		_, err := one.ask(sql)
		require.NoError(t, err)
	}
	for _, sql := range []string{"BEGIN", "UPDATE d", "commit;", "UPDATE e", "UPDATE " + strings.Repeat("x", 2*maxLooked)} {
		_, err := two.askPrepared(sql)
		require.NoError(t, err)
	}
	require.NoError(t, one.nc.Close())
	require.Eventually(t, func() bool { return p.Counts().ConnectionsNow == 1 }, 10*time.Second, time.Millisecond)
	got := p.Counts()
	assert.Equal(t, Counts{
		Connections: 2, ConnectionsNow: 1, ConnectionsMax: 2, Refused: 1, Queries: 9, Parses: 5, Binds: 5, Executes: 5,
		Commits: 2, Rollbacks: 1, Implicit: 3, Errors: 2,
	}, got)
	assert.Len(t, f.heard(), 14)
	assert.Equal(t, int64(14), got.Statements())
	events, dropped := p.Events()
	assert.Zero(t, dropped)
	kinds := map[string]int{}
	for i, e := range events {
		kinds[e.Kind]++
		assert.True(t, i == 0 || e.AtNs >= events[i-1].AtNs, "the log is in order of time")
	}
	assert.Equal(t, map[string]int{"open": 2, "close": 1, "commit": 2, "refused": 1}, kinds)
}

func TestCuts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		cut      Cut
		prepared bool
		reached  bool
	}{
		{"before, simple", CutBefore, false, false},
		{"before, extended", CutBefore, true, false},
		{"after, simple", CutAfter, false, true},
		{"after, extended", CutAfter, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFakeServer(t)
			p := listen(t, f, Options{Cuts: func(n int) Cut {
				if n == 2 {
					return tt.cut
				}
				return CutNot
			}})
			c := connect(t, p)
			ask := c.ask
			if tt.prepared {
				ask = c.askPrepared
			}
			for _, sql := range []string{"BEGIN", "COMMIT", "BEGIN"} {
				_, err := ask(sql)
				require.NoError(t, err)
			}
			tags, err := ask("COMMIT")
			require.Error(t, err, "the connection ends")
			assert.Empty(t, tags, "and nobody learns how it went")
			require.Eventually(t, func() bool { return p.Counts().ConnectionsNow == 0 }, 10*time.Second, time.Millisecond)
			commits := strings.Count(strings.Join(f.heard(), " "), "COMMIT")
			if tt.reached {
				assert.Equal(t, 2, commits)
			} else {
				assert.Equal(t, 1, commits)
			}
			assert.Equal(t, 1, p.Counts().Cuts)
		})
	}
}

func TestStallAndDelay(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	p := listen(t, f, Options{})
	c := connect(t, p)
	const stall = 300 * time.Millisecond
	began := time.Now()
	p.Stall(stall)
	_, err := c.ask("UPDATE a")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(began), stall)
	connect(t, p) // after the stall there is none

	p.Delay(50 * time.Millisecond)
	began = time.Now()
	_, err = c.askPrepared("UPDATE b")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	p.Delay(0)

	began = time.Now()
	p.Stall(stall)
	connect(t, p)
	assert.GreaterOrEqual(t, time.Since(began), stall, "a new connection waits too")
}

func TestWhoIsLetThrough(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	p := listen(t, f, Options{})
	for _, who := range [][2]string{{"postgres", "app"}, {"app", "postgres"}, {"postgres", ""}, {"", "app"}} {
		c := bare(t, p)
		c.start(who[0], who[1])
		m, err := c.f.Receive()
		require.NoError(t, err)
		require.IsType(t, &pgproto3.ErrorResponse{}, m, "%q", who)
	}
	c := bare(t, p)
	c.f.Send(&pgproto3.SSLRequest{})
	require.NoError(t, c.f.Flush())
	answer := make([]byte, 1)
	_, err := c.nc.Read(answer)
	require.NoError(t, err)
	assert.Equal(t, "N", string(answer))
	c.start("app", "")
	_, err = c.ready()
	require.NoError(t, err, "the database is that of the role's name, as with libpq")

	cancel := bare(t, p)
	raw, err := (&pgproto3.CancelRequest{ProcessID: 1, SecretKey: []byte{0, 0, 0, 2}}).Encode(nil)
	require.NoError(t, err)
	_, err = cancel.nc.Write(raw)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.cancels == 1
	}, 10*time.Second, time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	assert.Equal(t, []map[string]string{{"user": "app", "database": "app"}}, f.started)
}

// TestNonsense ends a connection and nothing else.
func TestNonsense(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t)
	p := listen(t, f, Options{})
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff"} {
		c := bare(t, p)
		_, err := c.nc.Write([]byte(text))
		require.NoError(t, err)
		n, err := c.nc.Read(make([]byte, 1))
		assert.Zero(t, n)
		require.Error(t, err)
	}
	c := connect(t, p)
	_, err := c.nc.Write([]byte("Q\x00\x00\x00\x01"))
	require.NoError(t, err)
	_, err = c.f.Receive()
	require.Error(t, err)
	_, err = connect(t, p).ask("UPDATE a")
	require.NoError(t, err)
}

func TestIsCommit(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{
		"COMMIT": true, " commit work": true, "END": true, "commit;": true, "\n;COMMIT": true,
		"": false, "COMMITTED": false, "UPDATE a": false, "SELECT 'COMMIT'": false, "ROLLBACK": false,
	} {
		assert.Equal(t, want, isCommit(sql), sql)
	}
}
