package httpbase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// How long the server waits for a client. An upload may take as long as readTimeout; a stream lifts its own write deadline
// through http.ResponseController.
const (
	headerTimeout  = 10 * time.Second
	readTimeout    = 4 * time.Minute // less than service.UploadGrace
	writeTimeout   = 5 * time.Minute
	idleTimeout    = 2 * time.Minute
	headerBytes    = 32 << 10
	readinessLimit = 2 * time.Second
)

// ServerOptions say where a server listens.
type ServerOptions struct {
	Listener net.Listener
	Handler  http.Handler
	// Side serves on an address of its own what is not for the public: metrics. Nil: nothing.
	SideListener net.Listener
	Side         http.Handler
	// Drain is how long requests that run may go on when the server is asked to end; 20 s unless set.
	Drain time.Duration
	Log   *slog.Logger
}

const defaultDrain = 20 * time.Second

// Server answers requests until it is asked to end.
type Server struct {
	opts     ServerOptions
	draining chan struct{}
	drain    sync.Once
}

// NewServer makes a server of listeners that are open.
func NewServer(o ServerOptions) *Server {
	if o.Drain <= 0 {
		o.Drain = defaultDrain
	}
	return &Server{opts: o, draining: make(chan struct{})}
}

// Draining is closed when the server has been asked to end: streams end themselves then, and readiness is over.
func (s *Server) Draining() <-chan struct{} { return s.draining }

// Run serves until ctx is done, and then ends: it takes no new connection, lets requests go on for Drain, and breaks off
// what is left. The error is nil after an orderly end.
func (s *Server) Run(ctx context.Context) error {
	servers := []*http.Server{s.server(s.opts.Handler)}
	listeners := []net.Listener{s.opts.Listener}
	if s.opts.SideListener != nil && s.opts.Side != nil {
		servers, listeners = append(servers, s.server(s.opts.Side)), append(listeners, s.opts.SideListener)
	}
	ended := make(chan error, len(servers))
	for i, server := range servers {
		go func() { ended <- server.Serve(listeners[i]) }()
	}
	var failed error
	left := len(servers)
	select {
	case <-ctx.Done():
	case failed = <-ended:
		left--
	}
	s.drain.Do(func() { close(s.draining) })
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Drain)
	defer cancel()
	errs := []error{failed}
	for _, server := range servers {
		if err := server.Shutdown(ending); err != nil {
			errs = append(errs, fmt.Errorf("end requests: %w", err), server.Close())
		}
	}
	for range left {
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, fmt.Errorf("serve: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		// What net/http writes names addresses of clients: only the most talkative log has it.
		MaxHeaderBytes: headerBytes, ErrorLog: slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
}

// Check says whether something works that the server cannot do without.
type Check struct {
	Name string
	Do   func(context.Context) error
}

// Health adds /healthz, which answers as long as the process does, and /readyz, which asks the checks, to routes. Why a
// check fails is in the log alone.
func (s *Server) Health(routes *http.ServeMux, checks ...Check) {
	routes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeHealth(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	routes.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-s.draining:
			writeHealth(w, http.StatusServiceUnavailable, map[string]string{"status": "draining"})
			return
		default:
		}
		ctx, cancel := context.WithTimeout(r.Context(), readinessLimit)
		defer cancel()
		out, status := map[string]string{"status": "ready"}, http.StatusOK
		for _, c := range checks {
			out[c.Name] = "ok"
			if err := c.Do(ctx); err != nil {
				out["status"], out[c.Name], status = "not ready", "failed", http.StatusServiceUnavailable
				s.opts.Log.WarnContext(r.Context(), "not ready", "check", c.Name, "error", err)
			}
		}
		writeHealth(w, status, out)
	})
}

func writeHealth(w http.ResponseWriter, status int, what map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) // the client may be gone
}
