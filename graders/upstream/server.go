package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/loopback"
)

// Window is a time since the start of the log; To is not included.
type Window struct{ From, To time.Duration }

// Options say what an upstream is.
type Options struct {
	Name  string // in the log
	Log   *Log   // several upstreams may share one
	Rules []Rule // the first that matches applies
	// Default applies where no rule does.
	Default Reply
	// Down are times in which nobody listens: connections are refused, and those that are open are reset. Ascending, apart from each other.
	Down []Window
	// Answer makes the body of replies that have none; nil for an empty object. It is called from several goroutines.
	Answer func(c Call) []byte
	Seed   []byte // of Rule.Share and Reply.Spread
	// Keep are the names of headers to keep in the log; KeepBody is how much of a request's body, 4 KiB at most.
	Keep     []string
	KeepBody int
	// MaxConns bounds the connections that are open at a time; 2048 unless set. One more is reset at once, and counted in the log.
	MaxConns int
}

const (
	// bodyLimit bounds the body of a request that is read; a longer one is answered by 413.
	bodyLimit = 1 << 20
	// maxKeepBody bounds Options.KeepBody.
	maxKeepBody = 4 << 10
)

// errClosed is why calls end with their upstream.
var errClosed = errors.New("upstream is closed")

// Server is a running upstream.
type Server struct {
	o    Options
	addr string
	srv  *http.Server
	stop func()
	wg   sync.WaitGroup

	mu      sync.Mutex
	rules   []Rule
	number  int // of calls
	accepts int // of connections
	conns   map[*conn]struct{}
	down    bool
}

// Start begins to listen on a port of 127.0.0.1 of its own. The upstream ends with Close, which must be called.
func Start(o Options) (*Server, error) {
	if err := o.withDefaults(); err != nil {
		return nil, fmt.Errorf("upstream %s: %w", o.Name, err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	first, err := loopback.Listen(ctx)
	if err != nil {
		stop(err)
		return nil, fmt.Errorf("upstream %s: %w", o.Name, err)
	}
	s := &Server{o: o, addr: first.Addr().String(), conns: map[*conn]struct{}{}, rules: o.Rules}
	s.stop = func() { stop(errClosed) }
	s.srv = &http.Server{
		Handler: http.HandlerFunc(s.answer), MaxHeaderBytes: 16 << 10, ReadHeaderTimeout: time.Minute,
		IdleTimeout: 10 * time.Minute, // it is the client who closes: what we closed, it might be about to use
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context { return context.WithValue(ctx, connKey{}, nc) },
		ErrorLog:    nobody(),
	}
	s.wg.Go(func() { s.run(ctx, &listener{Listener: first, s: s}) })
	return s, nil
}

// withDefaults checks the options and fills them in.
func (o *Options) withDefaults() error {
	if o.MaxConns == 0 {
		o.MaxConns = 2048
	}
	if o.Answer == nil {
		o.Answer = func(Call) []byte { return []byte("{}") }
	}
	if o.Log == nil || o.MaxConns < 1 || o.KeepBody < 0 || o.KeepBody > maxKeepBody {
		return errors.New("it needs a log, and bounds that are positive")
	}
	last := time.Duration(0)
	for _, w := range o.Down {
		if w.From < last || w.To <= w.From {
			return errors.New("its times of being down must be ascending")
		}
		last = w.To
	}
	for i := range o.Rules {
		if err := o.Rules[i].validate(); err != nil {
			return err
		}
	}
	standard := Rule{Name: "default", Reply: o.Default}
	return standard.validate()
}

// SetRules puts other rules in the place of Options.Rules, for calls that arrive from now on: a script often begins when the submission is
// ready, which nobody knows before.
func (s *Server) SetRules(rules []Rule) error {
	for i := range rules {
		if err := rules[i].validate(); err != nil {
			return fmt.Errorf("upstream %s: %w", s.o.Name, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = slices.Clone(rules)
	return nil
}

// Addr is where it listens: host:port.
func (s *Server) Addr() string { return s.addr }

// URL is its base, without a slash at the end.
func (s *Server) URL() string { return "http://" + s.addr }

// Close ends it, and every connection to it. It returns when nothing of it runs any more.
func (s *Server) Close() {
	s.stop()
	_ = s.srv.Close() // its error is that of a listener that is closed already
	s.resetAll()
	s.wg.Wait()
}

// listenWithin bounds how long somebody else may hold our port when an upstream comes back; a submission could.
const listenWithin = time.Minute

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", s.addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &listener{Listener: l, s: s}, nil
}

// run serves, but for the times of being down.
func (s *Server) run(ctx context.Context, l net.Listener) {
	for _, w := range s.o.Down {
		if !s.serveUntil(ctx, l, w.From) {
			return
		}
		s.resetAll()
		if !loopback.Pause(ctx, w.To-s.o.Log.now()) {
			return
		}
		if l = s.listenAgain(ctx); l == nil {
			return
		}
	}
	s.serveUntil(ctx, l, -1)
}

// listenAgain tries until it can; nil when it cannot.
func (s *Server) listenAgain(ctx context.Context) net.Listener {
	s.mu.Lock()
	s.down = false
	s.mu.Unlock()
	for deadline := time.Now().Add(listenWithin); time.Now().Before(deadline) && ctx.Err() == nil; {
		if l, err := s.listen(ctx); err == nil {
			return l
		}
		loopback.Pause(ctx, 5*time.Millisecond)
	}
	return nil
}

// serveUntil serves a listener until a moment, -1 for as long as it lives; false when ctx ended.
func (s *Server) serveUntil(ctx context.Context, l net.Listener, until time.Duration) bool {
	done := make(chan struct{})
	s.wg.Go(func() {
		defer close(done)
		_ = s.srv.Serve(l) // it ends with its listener, or with the server
	})
	if until >= 0 {
		loopback.Pause(ctx, until-s.o.Log.now())
	} else {
		<-ctx.Done()
	}
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
	_ = l.Close()
	<-done
	return ctx.Err() == nil
}
