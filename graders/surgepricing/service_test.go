package surgepricing

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assay-run/assay/graders/service/servicetest"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// contract is what is asked, in Go, with faults to choose.
type contract struct {
	faults faults

	mu    sync.Mutex
	epoch int64
	table table

	room    chan struct{} // running and waiting
	running chan struct{}
	dead    atomic.Bool
	gone    chan struct{} // closed by a service that ends by itself
	once    sync.Once
}

type faults struct {
	blocks     bool // answers nobody while it computes
	noLimit    bool // never refuses
	refuses    bool // refuses every rebuild
	wrongSum   bool
	mixed      bool // an epoch with the multipliers of the one before
	goesBack   bool // some quotes see an older table
	dies       bool // at the first rebuild
	exits      bool // by itself, with code 0, before anything is asked
	silent     bool // never answers /healthz
	lenient    bool // takes ids that are too large, or there twice
	poisonKill bool // no rebuild is answered after a poisoned one
	plainError bool // errors are no problem documents
	ackEarly   bool
}

func newContract(f faults) *contract {
	return &contract{faults: f, room: make(chan struct{}, burstRoom), running: make(chan struct{}, 2), gone: make(chan struct{})}
}

func (s *contract) end() { s.once.Do(func() { close(s.gone) }) }

func (s *contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /healthz":
		if s.faults.silent {
			s.refuse(w, http.StatusServiceUnavailable)
			return
		}
		if s.faults.blocks {
			s.mu.Lock()
			defer s.mu.Unlock()
		}
	case "POST /quote":
		s.quote(w, r)
	case "POST /rebuild":
		s.rebuild(w, r)
	default:
		s.refuse(w, http.StatusNotFound)
	}
}

func (s *contract) refuse(w http.ResponseWriter, status int) {
	if !s.faults.plainError {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status)})
}

// whole reads a whole number within bounds.
func whole(v any, low, high float64) (int64, bool) {
	f, ok := v.(float64)
	return int64(f), ok && f >= low && f <= high && f == float64(int64(f))
}

func (s *contract) quote(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	err := json.NewDecoder(r.Body).Decode(&body)
	id, ok := whole(body["cell"], 0, maxID)
	base, priced := whole(body["baseCents"], 0, 1e8)
	if err != nil || !ok || !priced {
		s.refuse(w, http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	m, epoch := s.table.multiplier(int32(id)), s.epoch
	s.mu.Unlock()
	if s.faults.mixed && epoch > 2 {
		epoch--
	}
	if s.faults.goesBack && epoch > 0 && base%7 == 0 {
		m, epoch = unitMultiplier, 0
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"cents": cents(base, m), "multiplier": float64(m) / unitMultiplier, "epoch": epoch})
}

// parse is rule 1 of a rebuild.
func parse(r *http.Request, lenient bool) ([]cell, int, bool) {
	var body struct {
		Cells      []map[string]any `json:"cells"`
		Iterations any              `json:"iterations"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || len(body.Cells) == 0 {
		return nil, 0, false
	}
	iterations, ok := whole(body.Iterations, 1, 1e6)
	seen := map[int64]bool{}
	var cells []cell
	for _, c := range body.Cells {
		id, a := whole(c["id"], 0, maxID)
		demand, b := whole(c["demand"], 0, 1e6)
		supply, d := whole(c["supply"], 0, 1e6)
		if lenient && b && d {
			a, id = true, id&maxID
		} else if seen[id] {
			return nil, 0, false
		}
		if !a || !b || !d {
			return nil, 0, false
		}
		seen[id] = true
		cells = append(cells, cell{int32(id), int32(demand), int32(supply)})
	}
	return cells, int(iterations), ok
}

func (s *contract) rebuild(w http.ResponseWriter, r *http.Request) {
	if s.faults.dies {
		s.end()
		panic(http.ErrAbortHandler)
	}
	if !s.faults.noLimit {
		select {
		case s.room <- struct{}{}:
			defer func() { <-s.room }()
		default:
			w.Header().Set("Retry-After", "1")
			s.refuse(w, http.StatusServiceUnavailable)
			return
		}
	}
	if s.faults.refuses {
		w.Header().Set("Retry-After", "1")
		s.refuse(w, http.StatusServiceUnavailable)
		return
	}
	if s.dead.Load() {
		<-r.Context().Done()
		return
	}
	cells, iterations, ok := parse(r, s.faults.lenient)
	if !ok {
		if s.faults.poisonKill {
			s.dead.Store(true)
		}
		s.refuse(w, http.StatusBadRequest)
		return
	}
	if s.faults.ackEarly {
		_ = json.NewEncoder(w).Encode(map[string]any{"epoch": 1, "checksum": "00000000"})
		return
	}
	s.running <- struct{}{}
	defer func() { <-s.running }()
	if s.faults.blocks {
		s.mu.Lock()
		time.Sleep(300 * time.Millisecond)
		s.mu.Unlock()
	}
	time.Sleep(30 * time.Millisecond) // in place of much work, which the race detector makes very long
	t := rebuild(cells, iterations)
	s.mu.Lock()
	s.epoch++
	s.table = t
	epoch := s.epoch
	s.mu.Unlock()
	sum := t.checksum()
	if s.faults.wrongSum {
		sum = "deadbeef"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"epoch": epoch, "checksum": sum})
}

// podOf runs a service in this process.
func podOf(s *contract) *servicetest.Pod {
	if s.faults.exits {
		s.end()
	}
	return &servicetest.Pod{
		Serve:  func(workload.Command) (http.Handler, <-chan struct{}) { return s, s.gone },
		Killed: s.end,
		Usage:  evidence.Usage{MaxThreads: 13, MaxProcesses: 1, MemoryPeakBytes: 60 << 20, CPUNs: 1e9},
	}
}

// graded drives a service through a scenario and judges it.
func graded(t *testing.T, k kind, f faults, timeout time.Duration) evidence.Measures {
	t.Helper()
	s := settings{kind: k, work: minWork}
	seed := []byte("0123456789abcdef0123456789abcdef")
	loads := s.loads()
	if k == kindRebuild { // a large body takes long under the race detector
		loads[len(loads)-1] = load{ID: "large", Cells: 5_000, Iterations: 20}
	}
	known, err := solve(t.Context(), seed, loads, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(params{Kind: k, Seed: seed, Loads: loads, TimeoutNs: timeout})
	if err != nil {
		t.Fatal(err)
	}
	executions, err := New().Drive(t.Context(), podOf(newContract(f)), raw)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := json.Marshal(truth{Kind: k, Seed: seed, Loads: known, Watched: watched(seed)})
	if err != nil {
		t.Fatal(err)
	}
	m, err := New().Measure(evidence.Run{Scenario: string(k), Executions: executions}, tr)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
