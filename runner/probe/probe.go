// Package probe is the look from inside a submission's process: a JavaScript preload that reports its event loop,
// heap and garbage collection by UDP, and the listener for it. Whatever arrives can be forged, so it is bounded,
// checked, and only ever explains; it is never scored.
package probe

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

//go:embed probe.mjs
var source string

// FileName is what the preload is called where it is staged, beside the submission's directory.
const FileName = "probe.mjs"

// PortVariable is the environment variable that tells the preload where to send.
const PortVariable = "ASSAY_PROBE_PORT"

// Source is the preload.
func Source() []byte { return []byte(source) }

// Bounds of what is taken from a process.
const (
	MaxRecordBytes = 1 << 10
	MaxPerSecond   = 200
	maxBurst       = 100
	maxThreads     = 256 // told apart; more are not counted
	maxProcesses   = 8   // whose main thread gets curves
	maxVersion     = 32  // bytes
)

// record is what the preload sends. See probe.mjs.
type record struct {
	V       int        `json:"v"`
	Kind    string     `json:"k"` // "start", "tick", "exit"
	PID     int        `json:"p"`
	Thread  int        `json:"t"` // 0 is the main thread
	N       int64      `json:"n"`
	Delay   [3]float64 `json:"d"` // ns: max, p50, p99 since the last record
	Use     [2]float64 `json:"u"` // utilisation: since the last record, since the start
	Heap    [5]float64 `json:"h"` // bytes: used, total, external, array buffers, rss
	GC      [2]float64 `json:"g"` // since the last record: count, ns
	Starved float64    `json:"s"` // ns the timers were late while ticks ran all the time; see probe.mjs
	Version string     `json:"V"`
}

var errRecord = errors.New("malformed probe record")

// parseRecord reads a datagram and refuses figures that no process can have.
func parseRecord(b []byte) (record, error) {
	var r record
	if len(b) > MaxRecordBytes {
		return r, fmt.Errorf("%w: %d bytes", errRecord, len(b))
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%w: %w", errRecord, err)
	}
	if r.V != 1 || r.PID <= 0 || r.PID > math.MaxInt32 || r.Thread < 0 || r.N < 0 || len(r.Version) > maxVersion {
		return r, errRecord
	}
	switch r.Kind {
	case "start", "tick", "exit":
	default:
		return r, errRecord
	}
	const most = 1 << 50 // a petabyte, or thirteen days in ns
	for _, group := range [][]float64{r.Delay[:], r.Heap[:], r.GC[:], {r.Starved}} {
		for _, v := range group {
			if v < 0 || v > most {
				return r, errRecord
			}
		}
	}
	for i, v := range r.Use {
		if v < 0 || v > 1.5 { // rounding and clock steps take it a little above 1
			return r, errRecord
		}
		r.Use[i] = min(v, 1)
	}
	return r, nil
}

// Listener receives the records of one execution. Close it.
type Listener struct {
	conn  *net.UDPConn
	began time.Time
	done  chan struct{}

	mu  sync.Mutex
	all collector
}

// Listen opens a loopback port and begins to receive.
func Listen() (*Listener, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		return nil, fmt.Errorf("listen for probe: %w", err)
	}
	l := &Listener{conn: conn, began: time.Now(), done: make(chan struct{}), all: newCollector()}
	go l.receive()
	return l, nil
}

// Port is where to send.
func (l *Listener) Port() int {
	return l.conn.LocalAddr().(*net.UDPAddr).Port //nolint:forcetypeassert // of a UDP socket
}

// receive ends when the socket is closed.
func (l *Listener) receive() {
	defer close(l.done)
	buf := make([]byte, MaxRecordBytes+1)
	for {
		n, from, err := l.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an answer to something we did not send; the socket lives
		}
		l.mu.Lock()
		l.all.add(buf[:n], from, time.Since(l.began))
		l.mu.Unlock()
	}
}

// Close stops receiving. It is idempotent.
func (l *Listener) Close() {
	_ = l.conn.Close() // a second close is the only error
	<-l.done
}

// Result is what was received from the process main (the first one that reported when 0), which lived from started to
// ended. It is nil when nothing was.
func (l *Listener) Result(main int, started, ended time.Time) (*evidence.Probe, []evidence.Series) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.result(main, started.Sub(l.began), ended.Sub(l.began))
}
