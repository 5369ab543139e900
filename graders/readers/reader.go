package readers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/graders/loopback"
)

// Verifier checks a body while it streams.
type Verifier interface {
	// Take gets the next bytes of the body, in order and as they come. It must not keep them, and must be quick: while it works, nothing
	// is read. It is called from one goroutine.
	Take(status int, chunk []byte)
}

// Connected is what a Verifier may have besides, to learn which end of a connection its client is.
type Connected interface {
	// Connected is called once, before anything is sent.
	Connected(local netip.AddrPort)
}

const (
	fastPiece = 64 << 10 // read at a time
	slowPiece = 4 << 10
	// headLimit bounds a head, that of interim answers (1xx) included, and maxInterim their number.
	headLimit  = 64 << 10
	maxInterim = 4
)

// Read sends a request over a connection of its own and reads the answer as the script says. It always returns an account: whatever
// the server did is in it. The error is of the script alone. When ctx ends, the client hangs up.
func Read(ctx context.Context, addr string, request []byte, s Script, v Verifier, epoch time.Time) (*Account, error) {
	s, err := s.withDefaults()
	if err != nil {
		return nil, err
	}
	r := reader{script: s, verifier: v, epoch: epoch, account: Account{SentNs: -1, HeadNs: -1, FirstNs: -1, EndedNs: -1}}
	a := &r.account
	d := net.Dialer{Control: prepare(s.Buffer, s.Segment), Timeout: s.Patience}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		a.End = Refused
		if loopback.Ended(ctx) {
			a.End = Left
		}
		a.EndedNs = int64(r.now())
		return a, nil
	}
	r.nc = nc
	if c, ok := v.(Connected); ok {
		if local, is := nc.LocalAddr().(*net.TCPAddr); is {
			c.Connected(local.AddrPort())
		}
	}
	var cut atomic.Int64 // when ctx ended, before the other side could know: what it does then may come before we are here
	stop := context.AfterFunc(ctx, func() {
		cut.Store(int64(r.now()))
		_ = nc.Close()
	})
	defer stop()
	a.End = r.read(ctx, request)
	if a.EndedNs = int64(r.now()); a.End == Left && cut.Load() > 0 {
		a.EndedNs = min(a.EndedNs, cut.Load())
	}
	_ = nc.Close()
	a.Steps = append(a.Steps, Step{AtNs: a.EndedNs, Bytes: a.Bytes})
	return a, nil
}

// reader is the state of one client.
type reader struct {
	script   Script
	verifier Verifier
	epoch    time.Time
	nc       net.Conn
	account  Account

	sent    time.Time
	stalled bool // the stall is behind it
	// since and from are where the rate is counted from: a client that stalled does not make up for it.
	since time.Time
	from  int64
}

func (r *reader) now() time.Duration { return time.Since(r.epoch) }

// errLeft is the end of a script.
var errLeft = errors.New("the client has hung up")

// read does everything over the connection.
func (r *reader) read(ctx context.Context, request []byte) End {
	a := &r.account
	_ = r.nc.SetDeadline(time.Now().Add(r.script.Patience))
	// A server may answer before it has taken the whole request: what went wrong shows in its answer.
	_, _ = r.nc.Write(request)
	r.sent = time.Now()
	a.SentNs = int64(r.now())
	if r.stall(ctx) {
		return Left
	}
	in := &headed{from: r, left: headLimit}
	buffer := bufio.NewReaderSize(in, slowPiece)
	resp, err := r.answer(buffer)
	if err != nil {
		if errors.Is(err, errLeft) {
			return Left
		}
		return a.ended(ctx, err)
	}
	defer func() {
		_ = r.nc.Close() // first: closing a body reads what is left of it
		_ = resp.Body.Close()
	}()
	in.left = -1
	a.head(resp, r.now())
	return r.body(ctx, resp)
}

// answer reads heads until that of the answer itself.
func (r *reader) answer(in *bufio.Reader) (*http.Response, error) {
	for range maxInterim {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, fmt.Errorf("read head: %w", err)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
		_ = resp.Body.Close()
	}
	return nil, errors.New("read head: too many interim answers")
}

// body takes the body as the script says.
func (r *reader) body(ctx context.Context, resp *http.Response) End {
	a, s := &r.account, r.script
	piece := make([]byte, fastPiece)
	if s.Rate > 0 {
		piece = piece[:min(slowPiece, max(s.Rate/4, 1))]
	}
	r.since = time.Now()
	for {
		if r.stall(ctx) || r.pace(ctx, int64(len(piece))) {
			return Left
		}
		want := piece
		if s.AbortAfter > 0 {
			want = piece[:min(int64(len(piece)), s.AbortAfter-a.Bytes)]
		}
		n, err := resp.Body.Read(want)
		if n > 0 {
			if a.FirstNs < 0 {
				a.FirstNs = int64(r.now())
			}
			a.Bytes += int64(n)
			r.verifier.Take(a.Status, want[:n])
			a.step(r.now())
		}
		switch {
		case errors.Is(err, errLeft):
			return Left
		case err != nil:
			return a.ended(ctx, err)
		case s.AbortAfter > 0 && a.Bytes >= s.AbortAfter:
			return Left
		case a.Bytes > s.Limit:
			return Endless
		}
	}
}

// stall waits when it is time to, and says whether the client has left meanwhile.
func (r *reader) stall(ctx context.Context) bool {
	if r.stalled || r.script.StallFor == 0 || time.Since(r.sent) < r.script.StallAt {
		return false
	}
	r.stalled = true
	began := time.Now()
	left := r.pause(ctx, r.script.StallFor)
	r.account.StalledNs += int64(time.Since(began))
	r.since, r.from = time.Now(), r.account.Bytes
	return left
}

// pace waits until the next piece may be taken, and says whether the client has left meanwhile.
func (r *reader) pace(ctx context.Context, next int64) bool {
	if r.script.Rate == 0 {
		return false
	}
	due := time.Duration(float64(r.account.Bytes-r.from+next) / float64(r.script.Rate) * float64(time.Second))
	if ahead := due - time.Since(r.since); ahead > 0 {
		return r.pause(ctx, ahead)
	}
	return false
}

// pause waits, and says whether the client has left meanwhile.
func (r *reader) pause(ctx context.Context, d time.Duration) bool {
	leaves := false
	if at := r.script.AbortAt; at > 0 {
		if until := at - time.Since(r.sent); until <= d {
			d, leaves = max(until, 0), true
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return leaves
	case <-ctx.Done():
		return true
	}
}

// Read takes bytes from the connection. It waits no longer than the script says.
func (r *reader) Read(b []byte) (int, error) {
	now := time.Now()
	deadline := now.Add(r.script.Patience)
	leaves := false
	if at := r.script.AbortAt; at > 0 {
		if until := r.sent.Add(at); !until.After(deadline) {
			deadline, leaves = until, true
		}
	}
	_ = r.nc.SetReadDeadline(deadline)
	n, err := r.nc.Read(b)
	var timeout net.Error
	if n == 0 && leaves && errors.As(err, &timeout) && timeout.Timeout() {
		return 0, errLeft
	}
	return n, err //nolint:wrapcheck // a Reader's errors are the ones its callers know
}

// headed bounds what is read before the head is complete.
type headed struct {
	from io.Reader
	left int // bytes; negative for without bound
}

var errHead = errors.New("the head is too long")

func (h *headed) Read(b []byte) (int, error) {
	if h.left < 0 {
		return h.from.Read(b)
	}
	if h.left == 0 {
		return 0, errHead
	}
	n, err := h.from.Read(b[:min(len(b), h.left)])
	h.left -= n
	return n, err
}
