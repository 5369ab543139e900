package knowntruth

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/internal/evidence"
)

// Load is work for the program as a server: first as much as it can do, over a number of connections that each ask again when
// they have an answer, then a fixed rate on an intended schedule.
type Load struct {
	Connections int           `json:"connections"`
	WarmUp      time.Duration `json:"warmUp"`
	Closed      time.Duration `json:"closed"`
	Open        time.Duration `json:"open"`
	Hz          float64       `json:"hz"`
}

// LoadResult is what came of it.
type LoadResult struct {
	Requests  int                `json:"requests"` // of the closed loop
	PerSecond float64            `json:"perSecond"`
	ClosedP50 int64              `json:"closedP50Ns"`
	ClosedP99 int64              `json:"closedP99Ns"`
	Open      evidence.Heartbeat `json:"open"`
}

const (
	// loadTarget is what is asked of the program.
	loadTarget = "/work"
	// answerWithin is how long the program may take to start to listen.
	answerWithin = 20 * time.Second
	answerEvery  = 20 * time.Millisecond
)

// Validate says what is wrong.
func (l Load) Validate() error {
	if l.Connections < 1 || l.Connections > 1024 || l.Closed <= 0 || l.Open <= 0 || l.WarmUp < 0 || l.Hz <= 0 {
		return fmt.Errorf("load %+v is not possible", l)
	}
	return nil
}

// RunLoad puts a load on the server at addr.
func RunLoad(ctx context.Context, addr string, l Load) (LoadResult, error) {
	var r LoadResult
	if err := l.Validate(); err != nil {
		return r, err
	}
	if err := Await(ctx, addr); err != nil {
		return r, err
	}
	if _, err := closedLoop(ctx, addr, l.Connections, l.WarmUp); err != nil {
		return r, err
	}
	began := time.Now()
	latencies, err := closedLoop(ctx, addr, l.Connections, l.Closed)
	if err != nil {
		return r, err
	}
	r.Requests, r.PerSecond = len(latencies), float64(len(latencies))/time.Since(began).Seconds()
	slices.Sort(latencies)
	r.ClosedP50, r.ClosedP99 = nearest(latencies, 0.5), nearest(latencies, 0.99)
	r.Open, err = OpenLoop(ctx, addr, loadTarget, l.Hz, l.Open)
	return r, err
}

// OpenLoop asks on an intended schedule for a time, with the heartbeat's own machinery.
func OpenLoop(ctx context.Context, addr, target string, hz float64, d time.Duration) (evidence.Heartbeat, error) {
	start := time.Now()
	m, err := heartbeat.Start(ctx, heartbeat.Options{Addr: addr, Path: target, Hz: hz, Start: start})
	if err != nil {
		return evidence.Heartbeat{}, err
	}
	pause(ctx, d)
	m.Stop()
	// The last tenth of a second belongs to the requests that are still out.
	return m.Window(start, start.Add(d-100*time.Millisecond)), context.Cause(ctx)
}

// Await waits until somebody listens.
func Await(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerWithin, errors.New("nobody listens on "+addr))
	defer cancel()
	for ctx.Err() == nil {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		pause(ctx, answerEvery)
	}
	return context.Cause(ctx)
}

// closedLoop keeps connections busy for a time and returns the latency of each answer in ns.
func closedLoop(ctx context.Context, addr string, connections int, d time.Duration) ([]int64, error) {
	until := time.Now().Add(d)
	ctx, cancel := context.WithDeadline(ctx, until.Add(answerWithin))
	defer cancel()
	request := []byte("GET " + loadTarget + " HTTP/1.1\r\nHost: " + addr + "\r\n\r\n")
	lists, errs := make([][]int64, connections), make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() { lists[i], errs[i] = askAgain(ctx, addr, request, until) })
	}
	wg.Wait()
	return slices.Concat(lists...), errors.Join(errs...)
}

// askAgain is one connection of a closed loop.
func askAgain(ctx context.Context, addr string, request []byte, until time.Time) ([]int64, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial server: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	in := bufio.NewReader(c)
	var latencies []int64
	for time.Now().Before(until) {
		sent := time.Now()
		if _, err := c.Write(request); err != nil {
			return nil, fmt.Errorf("ask server: %w", err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("server answered %s", resp.Status)
		}
		latencies = append(latencies, int64(time.Since(sent)))
	}
	return latencies, nil
}

// nearest is the nearest-rank quantile of sorted values, 0 when there are none.
func nearest(sorted []int64, q float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

// pause waits, or returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
