package web

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
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

// state is what a candidate's page is made of, as far as it changes by itself.
type state struct {
	ends, paused int64
	sum          uint64
}

func stateOf(own service.Own) state {
	h := fnv.New64a()
	attempt := platform.AttemptState("")
	if own.Attempt != nil {
		attempt = own.Attempt.State
	}
	fmt.Fprintf(h, "%q %d %q", attempt, own.NextAttempt, own.Invitation.State)
	for _, g := range own.Gradings {
		fmt.Fprintf(h, " %q %q %q %d", g.Job.ID, g.Job.State, g.Job.Progress, g.Place.Ahead)
	}
	for _, sub := range own.Submissions {
		fmt.Fprintf(h, " %q", sub.ID)
	}
	out := state{sum: h.Sum64()}
	if own.Paused {
		out.paused = 1 // the end moves on with the clock then: that is no news
	} else if !own.EndsAt.IsZero() {
		out.ends = own.EndsAt.UnixMilli()
	}
	return out
}

// streamNews tells a candidate's page that something has changed. It says no more than that: the page asks for what it shows
// as it would without. "clock" carries a new end, so that more time is seen at once.
func (s *Web) streamNews(v *visit) error {
	end, ok := s.news.begin(v.invitation)
	if !ok {
		return platform.Errorf(platform.RateLimited, "Too many windows follow this attempt.")
	}
	defer end()
	own, err := s.look(v)
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
	if err := s.follow(v, out, own); err != nil && v.r.Context().Err() == nil {
		s.log().DebugContext(v.r.Context(), "a stream of news ended", "error", err)
	}
	return nil // the answer has begun: nothing else can be said
}

// follow looks for news until somebody has enough of it.
func (s *Web) follow(v *visit, out *stream, own service.Own) error {
	ctx, cancel := context.WithTimeout(v.r.Context(), streamLasts)
	defer cancel()
	tick := time.NewTicker(s.opts.NewsEvery)
	defer tick.Stop()
	last, told := stateOf(own), time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.opts.Ending:
			return nil
		case <-tick.C:
		}
		own, err := s.service.LookOwn(ctx, v.actor)
		if platform.ErrorCode(err) == platform.Gone {
			return out.send("event: changed\ndata: {}\n\n")
		}
		if err != nil {
			return err
		}
		now := stateOf(own)
		if now.ends != last.ends || now.paused != last.paused {
			if err := out.clock(own); err != nil {
				return err
			}
			told = time.Now()
		}
		if now.sum != last.sum || now.paused != last.paused {
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
func (o *stream) clock(own service.Own) error {
	if own.EndsAt.IsZero() || own.Paused {
		return nil
	}
	data, err := json.Marshal(map[string]int64{"ends": own.EndsAt.UnixMilli(), "now": own.Now.UnixMilli()})
	if err != nil {
		return fmt.Errorf("encode clock: %w", err)
	}
	return o.send("event: clock\ndata: " + string(data) + "\n\n")
}
