package pgproxy

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	bufferBytes = 32 << 10
	// maxLooked is the size up to which a message is looked at; a commit is short.
	maxLooked = 64 << 10
	// maxNames bounds the statements and portals of a connection that are known to be commits.
	maxNames = 64
	// startWithin bounds the start of a connection.
	startWithin = 30 * time.Second
)

var errRefused = errors.New("connection refused")

// session is one connection of the submission and its twin to the server.
type session struct {
	p      *Proxy
	id     int
	client net.Conn
	server net.Conn
	ctx    context.Context //nolint:containedctx // the session's: it ends with either connection
	cancel context.CancelFunc

	// Of the goroutine that reads from the client: prepared statements and portals that are commits.
	statements, portals map[string]bool
	// lost says that the answer to a commit is not to be passed on.
	lost atomic.Bool

	// Of the goroutine that reads from the server.
	status  byte // of the transaction, as of the last ReadyForQuery
	outside int64
}

func newSession(p *Proxy, id int, client net.Conn) *session {
	s := &session{p: p, id: id, client: client, statements: map[string]bool{}, portals: map[string]bool{}, status: 'I'}
	s.ctx, s.cancel = context.WithCancel(p.ctx)
	return s
}

// serve passes everything on until one side ends.
func (s *session) serve() {
	defer s.cancel()
	defer func() { _ = s.client.Close() }()
	stop := context.AfterFunc(s.ctx, func() { _ = s.client.Close() })
	defer stop()
	from := bufio.NewReaderSize(s.client, bufferBytes)
	_ = s.client.SetDeadline(time.Now().Add(startWithin)) // a connection that cannot have one has failed already
	start, err := s.greet(from)
	if err != nil {
		return
	}
	_ = s.client.SetDeadline(time.Time{})
	s.p.hold(s.ctx, true)
	if s.server, err = s.p.o.Dial(s.ctx); err != nil {
		return
	}
	defer func() { _ = s.server.Close() }()
	unhook := context.AfterFunc(s.ctx, func() { _ = s.server.Close() })
	defer unhook()
	if _, err := s.server.Write(start); err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer s.cancel()
		s.pump(from, s.server, s.fromClient, true)
	})
	wg.Go(func() {
		defer s.cancel()
		s.pump(bufio.NewReaderSize(s.server, bufferBytes), s.client, s.fromServer, false)
	})
	wg.Wait()
}

// greet reads how the submission begins and returns what the server is to get in its place.
func (s *session) greet(from *bufio.Reader) ([]byte, error) {
	backend := pgproto3.NewBackend(oneByOne{from}, s.client)
	for range 4 {
		m, err := backend.ReceiveStartupMessage()
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := s.client.Write([]byte{'N'}); err != nil {
				return nil, err
			}
		case *pgproto3.CancelRequest:
			return nil, s.passCancel(m)
		case *pgproto3.StartupMessage:
			return s.admit(backend, m)
		}
	}
	return nil, errRefused
}

// oneByOne reads no more than it is asked for, so that nothing of what follows is lost in the reader of the first messages.
type oneByOne struct{ r *bufio.Reader }

func (o oneByOne) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

// admit lets one role and one database through. What the server gets is written anew, so that there is one way to read it.
func (s *session) admit(backend *pgproto3.Backend, m *pgproto3.StartupMessage) ([]byte, error) {
	database := m.Parameters["database"]
	if database == "" {
		database = m.Parameters["user"]
	}
	if m.Parameters["user"] != s.p.o.User || database != s.p.o.Database || m.Parameters["replication"] != "" {
		backend.Send(&pgproto3.ErrorResponse{
			Severity: "FATAL", Code: "28000", Message: fmt.Sprintf("role %q may not use database %q", m.Parameters["user"], database),
		})
		return nil, errors.Join(errRefused, backend.Flush())
	}
	delete(m.Parameters, "")
	m.Parameters["database"] = database
	return m.Encode(nil)
}

// passCancel passes on the wish to cancel a query, which comes on a connection of its own.
func (s *session) passCancel(m *pgproto3.CancelRequest) error {
	raw, err := m.Encode(nil)
	if err != nil {
		return err
	}
	server, err := s.p.o.Dial(s.ctx)
	if err != nil {
		return err
	}
	_, err = server.Write(raw)
	return errors.Join(errRefused, err, server.Close())
}

// pump passes messages on. look gets those that are short enough to be looked at, and decides whether the connection goes on.
func (s *session) pump(from *bufio.Reader, to io.Writer, look func(kind byte, body []byte) bool, client bool) {
	out := bufio.NewWriterSize(to, bufferBytes)
	body := make([]byte, 0, 1<<10)
	fresh := true
	for {
		head, err := from.Peek(5)
		if err != nil {
			return
		}
		kind, size := head[0], int64(binary.BigEndian.Uint32(head[1:]))+1
		if size < 5 || size > 1<<30 {
			return
		}
		if fresh { // one wait for what was sent together
			s.p.hold(s.ctx, client)
		}
		if size > maxLooked {
			if !look(kind, nil) { // it counts, and is no commit
				return
			}
			_, err = io.CopyN(out, from, size)
		} else {
			if int64(cap(body)) < size {
				body = make([]byte, 0, size)
			}
			body = body[:size]
			if _, err = io.ReadFull(from, body); err != nil || !look(kind, body[5:]) {
				return
			}
			_, err = out.Write(body)
		}
		if fresh = from.Buffered() == 0; fresh && err == nil {
			err = out.Flush()
		}
		if err != nil {
			return
		}
	}
}

// fromClient counts what the submission asks for and cuts the connection at a commit, where that is planned.
func (s *session) fromClient(kind byte, body []byte) bool {
	commit := false
	switch kind {
	case 'Q':
		s.p.count(func(c *Counts) { c.Queries++ })
		var m pgproto3.Query
		commit = m.Decode(body) == nil && isCommit(m.String)
	case 'P':
		s.p.count(func(c *Counts) { c.Parses++ })
		var m pgproto3.Parse
		if m.Decode(body) == nil {
			remember(s.statements, m.Name, isCommit(m.Query))
		}
	case 'B':
		s.p.count(func(c *Counts) { c.Binds++ })
		var m pgproto3.Bind
		if m.Decode(body) == nil {
			remember(s.portals, m.DestinationPortal, s.statements[m.PreparedStatement])
		}
	case 'E':
		s.p.count(func(c *Counts) { c.Executes++ })
		var m pgproto3.Execute
		commit = m.Decode(body) == nil && s.portals[m.Portal]
	}
	if !commit {
		return true
	}
	switch s.p.commit(s.id) {
	case CutBefore:
		return false
	case CutAfter:
		s.lost.Store(true)
	}
	return true
}

// remember keeps a name as long as it stands for a commit.
func remember(names map[string]bool, name string, commit bool) {
	if !commit {
		delete(names, name)
	} else if len(names) < maxNames {
		names[name] = true
	}
}

// isCommit says whether a statement is one that commits.
func isCommit(sql string) bool {
	word, _, _ := strings.Cut(strings.ToUpper(strings.TrimLeft(sql, " \t\r\n;")), ";")
	for _, w := range strings.Fields(word) {
		return w == "COMMIT" || w == "END"
	}
	return false
}

// fromServer counts what the server has done.
func (s *session) fromServer(kind byte, body []byte) bool {
	switch kind {
	case 'C':
		var m pgproto3.CommandComplete
		if m.Decode(body) == nil {
			return s.done(string(m.CommandTag))
		}
	case 'E':
		var m pgproto3.ErrorResponse
		refused := m.Decode(body) == nil && m.Code == "53300"
		s.p.mu.Lock()
		defer s.p.mu.Unlock()
		s.p.counts.Errors++
		if refused {
			s.p.counts.Refused++
			s.p.log(s.id, "refused")
		}
	case 'Z':
		if len(body) == 1 {
			if s.status == 'I' && body[0] == 'I' && s.outside > 0 {
				s.p.count(func(c *Counts) { c.Implicit += s.outside })
			}
			s.status, s.outside = body[0], 0
		}
	}
	return true
}

// done counts a command that the server has completed.
func (s *session) done(tag string) bool {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	switch tag {
	case "COMMIT":
		s.p.counts.Commits++
		s.p.log(s.id, "commit")
		return !s.lost.Load()
	case "ROLLBACK":
		s.p.counts.Rollbacks++
		s.lost.Store(false) // it was a commit of what had failed already
	case "BEGIN":
	default:
		s.outside++
	}
	return true
}
