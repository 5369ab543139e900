package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/assay-run/assay/graders/loopback"
)

// answer is the handler of every call.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	nc, _ := r.Context().Value(connKey{}).(*conn)
	s.mu.Lock()
	if s.down || nc == nil {
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	s.wg.Add(1)
	s.number++
	c := Call{Upstream: s.o.Name, Number: s.number, Conn: nc.number, Method: bounded(r.Method), Path: bounded(r.URL.RequestURI()), Ended: -1, How: Open}
	rules := s.rules
	s.mu.Unlock()
	defer s.wg.Done()
	for _, name := range s.o.Keep {
		if v := r.Header.Get(name); v != "" {
			if c.Header == nil {
				c.Header = map[string]string{}
			}
			c.Header[name] = bounded(v)
		}
	}
	at := s.o.Log.begin(&c)
	reply := s.o.Default
	if i := match(rules, s.o.Seed, &c); i >= 0 {
		reply, c.Rule = rules[i].Reply, rules[i].Name
	}
	if reply.Spread > 0 {
		reply.Latency += time.Duration(float64(reply.Spread) * chance(s.o.Seed, -1, c.Number))
	}
	c.How = Gone // unless it ends in another way, a panic of net/http included
	defer func() {
		if c.How == Gone && s.ended(r.Context()) {
			c.How = Closed
		}
		s.o.Log.end(at, &c)
	}()
	s.reply(w, r, &c, &reply)
	if c.How == Gone {
		panic(http.ErrAbortHandler) // whoever returns without a word has answered 200
	}
}

// ended says whether it was us who ended a call.
func (s *Server) ended(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down || errors.Is(context.Cause(ctx), errClosed)
}

// reply does what the script says, and writes into the call how it ended.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, c *Call, reply *Reply) {
	if reply.Fault == ResetBeforeBody {
		if loopback.Pause(r.Context(), reply.Latency) {
			hijackAndReset(w, nil)
			c.How = Reset
		}
		return
	}
	if err := s.readBody(r, c); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			c.Status, c.How = http.StatusRequestEntityTooLarge, Answered
			w.WriteHeader(c.Status)
		}
		return
	}
	if reply.Fault == Hang {
		<-r.Context().Done()
		return
	}
	if !loopback.Pause(r.Context(), max(c.Arrived+reply.Latency, reply.NotBefore)-s.o.Log.now()) {
		return
	}
	body := reply.Body
	if body == nil && (reply.Status == 0 || reply.Status < 300) {
		body = s.o.Answer(*c)
	}
	switch reply.Fault {
	case ResetAfterBody:
		hijackAndReset(w, nil)
		c.How = Reset
	case ResetMidway:
		half := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", 2*len(body)+2)
		hijackAndReset(w, append(half, body...))
		c.How = Reset
	case HangMidway:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		w.WriteHeader(max(reply.Status, http.StatusOK))
		if _, err := w.Write(body[:(len(body)+1)/2]); err == nil && http.NewResponseController(w).Flush() == nil {
			<-r.Context().Done()
		}
	default:
		c.Status = max(reply.Status, http.StatusOK)
		if write(w, r, reply, c.Status, body) {
			c.How = Answered
		}
	}
}

// readBody reads the whole body of a request and keeps its beginning.
func (s *Server) readBody(r *http.Request, c *Call) error {
	var kept bytes.Buffer
	body := http.MaxBytesReader(nil, r.Body, bodyLimit)
	if _, err := io.CopyN(&kept, body, int64(s.o.KeepBody)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	c.Body = string(bytes.ToValidUTF8(kept.Bytes(), []byte("\uFFFD")))
	_, err := io.Copy(io.Discard, body)
	return err
}

// midway is how long a client has to take what was sent before its connection is reset, which throws away what it has not read.
const midway = 20 * time.Millisecond

// hijackAndReset writes some bytes as they are and resets the connection.
func hijackAndReset(w http.ResponseWriter, before []byte) {
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the connection is gone already
	}
	if len(before) > 0 {
		if _, err := nc.Write(before); err == nil {
			time.Sleep(midway)
		}
	}
	reset(nc)
}

// pieces is into how many pieces a slow body is cut.
const pieces = 20

// write writes an answer; false when the client does not take it.
func write(w http.ResponseWriter, r *http.Request, reply *Reply, status int, body []byte) bool {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	for name, values := range reply.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	size := max(reply.Fill, int64(len(body)))
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return true
	}
	if len(body) == 0 {
		body = []byte(" ")
	}
	source := io.LimitReader(&repeat{text: body}, size)
	if reply.Slow == 0 {
		_, err := io.Copy(w, source)
		return err == nil && r.Context().Err() == nil
	}
	flush := http.NewResponseController(w)
	for i := range int64(pieces) {
		if flush.Flush() != nil || !loopback.Pause(r.Context(), reply.Slow/pieces) {
			return false
		}
		if _, err := io.CopyN(w, source, (i+1)*size/pieces-i*size/pieces); err != nil {
			return false
		}
	}
	return true
}

// repeat is a text over and over.
type repeat struct {
	text []byte
	at   int
}

// Read implements io.Reader.
func (r *repeat) Read(b []byte) (int, error) {
	n := copy(b, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// bounded is a piece of text of a submission that can be kept.
func bounded(text string) string {
	return string(bytes.ToValidUTF8([]byte(text[:min(len(text), textLimit)]), []byte("\uFFFD")))
}
