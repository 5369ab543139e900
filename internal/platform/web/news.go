package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// Bounds of streams of news. A browser begins a new one when one ends.
const (
	maxStreams     = 4000 // altogether
	maxStreamsEach = 4    // of one invitation: a few windows
	streamLasts    = 10 * time.Minute
	streamBeat     = 20 * time.Second // without news, so that nobody between takes it for dead
	newsWrite      = 10 * time.Second // how long a client may take to read
)

// news counts the streams that are open.
type news struct {
	mu   sync.Mutex
	all  int
	each map[platform.ID]int
}

func newNews() *news { return &news{each: map[platform.ID]int{}} }

// begin takes a stream's place; ok is false when there is none.
func (n *news) begin(id platform.ID) (end func(), ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all >= maxStreams || n.each[id] >= maxStreamsEach {
		return nil, false
	}
	n.all++
	n.each[id]++
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.all--
		if n.each[id]--; n.each[id] == 0 {
			delete(n.each, id)
		}
	}, true
}

// streamNews tells a candidate's page that something has changed. It says no more than that: the page asks for what it shows
// as it would without. "clock" carries a new end, so that more time is seen at once.
func (s *Web) streamNews(v *visit) error {
	end, ok := s.news.begin(v.invitation)
	if !ok {
		return platform.Errorf(platform.RateLimited, "Too many windows follow this attempt.")
	}
	defer end()
	pulse, err := s.service.OwnPulse(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	out := &stream{w: v.w, control: http.NewResponseController(v.w)}
	if err := out.control.SetReadDeadline(time.Time{}); err != nil { // that of requests would end the stream
		return fmt.Errorf("lift deadline of stream: %w", err)
	}
	if err := out.send("retry: 3000\n\n"); err != nil {
		return nil //nolint:nilerr // the client has gone
	}
	if err := s.follow(v, out, pulse); err != nil && v.r.Context().Err() == nil {
		s.log().DebugContext(v.r.Context(), "a stream of news ended", "error", err)
	}
	return nil // the answer has begun: nothing else can be said
}

// follow looks for news until somebody has enough of it.
func (s *Web) follow(v *visit, out *stream, last service.Pulse) error {
	ctx, cancel := context.WithTimeout(v.r.Context(), streamLasts)
	defer cancel()
	tick := time.NewTicker(s.opts.NewsEvery)
	defer tick.Stop()
	told := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.opts.Ending:
			return nil
		case <-tick.C:
		}
		now, err := s.service.OwnPulse(ctx, v.actor)
		if platform.ErrorCode(err) == platform.Gone {
			return out.send("event: changed\ndata: {}\n\n")
		}
		if err != nil {
			return err
		}
		paused := now.Paused != last.Paused
		if paused || !now.Paused && !now.EndsAt.Equal(last.EndsAt) { // while it is paused the end moves on with the clock: that is no news
			if err := out.clock(now); err != nil {
				return err
			}
			told = time.Now()
		}
		if paused || now.Sum != last.Sum {
			if err := out.send("event: changed\ndata: {}\n\n"); err != nil {
				return err
			}
			told = time.Now()
		}
		last = now
		if time.Since(told) >= streamBeat {
			if err := out.send(": still here\n\n"); err != nil {
				return err
			}
			told = time.Now()
		}
	}
}

// stream is a stream of events. A client that does not read is given up.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (o *stream) send(text string) error {
	if err := o.control.SetWriteDeadline(time.Now().Add(newsWrite)); err != nil {
		return fmt.Errorf("set deadline of stream: %w", err)
	}
	if _, err := fmt.Fprint(o.w, text); err != nil {
		return fmt.Errorf("write to stream: %w", err)
	}
	if err := o.control.Flush(); err != nil {
		return fmt.Errorf("write to stream: %w", err)
	}
	return nil
}

// clock tells the new end of an attempt. Nothing is told of one that nothing ends.
func (o *stream) clock(p service.Pulse) error {
	if p.EndsAt.IsZero() || p.Paused {
		return nil
	}
	data, err := json.Marshal(map[string]int64{"ends": p.EndsAt.UnixMilli(), "now": p.Now.UnixMilli()})
	if err != nil {
		return fmt.Errorf("encode clock: %w", err)
	}
	return o.send("event: clock\ndata: " + string(data) + "\n\n")
}
