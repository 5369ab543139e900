package exportstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/graders/rowsource"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/tcpqueue"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// execution is the name of the only execution of a scenario.
const execution = "service"

const (
	// calm is how long a service has nothing but the heartbeat to answer, before its clients come.
	calm = 400 * time.Millisecond
	// warm is how long the fast client reads before its throughput counts: the buffers of all others fill meanwhile.
	warm = time.Second
	// closeWithin is the contract's time from the moment a client has left to the end of its source's connection.
	closeWithin = time.Second
	// leakAfter is from when on a connection that is still open has been forgotten: until then it may be closed late.
	leakAfter = 5 * time.Second
	// lookEvery is how often it is looked at what is held of each export.
	lookEvery = 50 * time.Millisecond
	// deathGrace is how long clients may go on to read what a process that ended has left in the kernel.
	deathGrace = 200 * time.Millisecond
	beatHz     = 100
	// exportBeat is which of the beats asks for a small export instead of GET /healthz.
	exportBeat = 10
)

// Drive implements workload.Workload: one process, which is asked for exports and then killed.
func (*Grader) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) ([]evidence.Execution, error) {
	var p params
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("read params of %s: %w", Name, err)
	}
	if len(p.Seed) == 0 || len(p.Specs) == 0 {
		return nil, fmt.Errorf("read params of %s: seed or exports are missing", Name)
	}
	d := driver{pod: pod, params: p, epoch: time.Now()}
	d.makeTables() // before the process starts: it has its core to itself, but memory and caches are shared
	var err error
	if d.source, err = rowsource.Listen("rows", d.epoch); err != nil {
		return nil, fmt.Errorf("start source: %w", err)
	}
	defer d.source.Close()
	if k, err := tcpqueue.Open(); err == nil {
		d.kernel = k
		defer func() { _ = k.Close() }()
	}
	d.svc, err = service.Start(ctx, pod, service.Options{
		Name: execution, Env: map[string]string{"SOURCE_URL": d.source.URL()}, Timeout: p.TimeoutNs,
	})
	if err != nil {
		return nil, err
	}
	if d.addr, err = netip.ParseAddrPort(d.svc.Addr); err != nil {
		return nil, errors.Join(fmt.Errorf("read address of service: %w", err), d.svc.Abandon(ctx))
	}
	e, err := d.run(ctx)
	if err != nil {
		return nil, errors.Join(err, d.svc.Abandon(ctx))
	}
	return []evidence.Execution{e}, nil
}

// queue is what the kernel holds at one end of a connection; ok is false when there is no such connection. Where the kernel tells nothing it
// is nothing: everybody's figures are then larger by it, the reference's too.
func (d *driver) queue(local, remote netip.AddrPort) (q tcpqueue.Queue, ok bool) {
	if d.kernel == nil {
		return tcpqueue.Queue{}, true
	}
	return d.kernel.Of(local, remote)
}

// driver is the state of one Drive.
type driver struct {
	pod    workload.Pod
	params params
	epoch  time.Time
	tables map[flavour]*table
	source *rowsource.Server
	svc    *service.Service
	addr   netip.AddrPort   // of the submission
	kernel *tcpqueue.Kernel // nil where it tells nothing of its queues
	facts  facts
	held   evidence.Thinner

	mu      sync.Mutex
	streams []*stream // all that were asked for
	fast    atomic.Int64
	done    atomic.Int64
}

// makeTables makes the rows of every flavour that is asked for.
func (d *driver) makeTables() {
	d.tables = map[flavour]*table{ordinary: newTable(d.params.Seed, ordinary)}
	for i := range d.params.Specs {
		if f := d.params.Specs[i].Flavour; d.tables[f] == nil {
			d.tables[f] = newTable(d.params.Seed, f)
		}
	}
}

// run does everything from the start of the process to its end.
func (d *driver) run(ctx context.Context) (evidence.Execution, error) {
	d.facts = facts{ReadyNs: -1, DiedNs: -1, Queues: d.kernel != nil, Streams: map[string]*result{}}
	d.tell()
	stop := d.watchDeath()
	defer stop()
	var hb *evidence.Heartbeat
	var curves []evidence.Series
	if d.svc.Ready() {
		d.facts.ReadyNs = d.svc.ReadyNs
		var err error
		if hb, curves, err = d.serve(ctx); err != nil {
			return evidence.Execution{}, err
		}
	}
	d.facts.Ended = d.svc.Gone()
	d.collect()
	stop()
	e, err := d.svc.End(ctx, &d.facts)
	if err != nil {
		return evidence.Execution{}, err
	}
	e.Heartbeat = hb
	e.Series = append(e.Series, curves...)
	return e, nil
}

// watchDeath notes when the process ends by itself, until stop is called, which may be more than once.
func (d *driver) watchDeath() (stop func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-d.svc.Process.Done():
			d.facts.DiedNs = int64(time.Since(d.epoch))
		case <-quit:
			if d.svc.Ended() {
				d.facts.DiedNs = int64(time.Since(d.epoch))
			}
		}
	}()
	var once sync.Once
	return func() {
		once.Do(func() {
			close(quit)
			<-gone
		})
	}
}

// collect takes down what became of every export. It comes before the process is killed, which closes all that it has open.
func (d *driver) collect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.streams {
		d.facts.Streams[s.spec.ID] = s.result()
	}
}

// serve does what the scenario wants.
func (d *driver) serve(ctx context.Context) (*evidence.Heartbeat, []evidence.Series, error) {
	if d.params.Kind == kindContract {
		d.contract(ctx)
		return nil, nil, nil
	}
	beats, err := d.heartbeat(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer beats.Stop()
	loopback.Pause(d.svc.Within(), calm)
	from := time.Now()
	d.readers(ctx)
	to := time.Now()
	d.untilClosed(d.svc.Within())
	_, curve := beats.Stop()
	// Both are drawn since the start of the process, as everything else is.
	late := d.svc.Epoch.Sub(d.svc.Process.Started()).Seconds()
	for i := range curve.T {
		curve.T[i] += late
	}
	hb := beats.Window(from, to)
	return &hb, []evidence.Series{curve, d.held.Series(SeriesHeld, "bytes")}, nil
}

// SeriesHeld is the curve of what the submission holds of one slow export, the mean of all: bytes of the source.
const SeriesHeld = "held"

// heartbeat knocks at GET /healthz, and now and then asks for a small export: who lets somebody else answer the first must still
// answer the second.
func (d *driver) heartbeat(ctx context.Context) (*heartbeat.Monitor, error) {
	s := spec{ID: "beat", Rows: beatRows, Format: formatCSV, Flavour: ordinary}
	x := d.extract(&s)
	d.source.Add(s.Rows, d.newStream(s).source)
	health, export := request(d.svc.Addr, "/healthz"), request(d.svc.Addr, s.path())
	last := strconv.FormatInt(x.base+beatRows-1, 10)
	isExport := func(beat int) bool { return beat%exportBeat == exportBeat-1 }
	return heartbeat.Start(ctx, heartbeat.Options{
		Addr: d.svc.Addr, Start: d.svc.Epoch, Hz: beatHz, Stolen: d.svc.Process.Stolen, Began: d.svc.Process.Began,
		Target: "GET /healthz, and each tenth time a small export",
		Request: func(i int) []byte {
			if isExport(i) {
				return export
			}
			return health
		},
		Check: func(a heartbeat.Answer) bool {
			return a.Status == http.StatusOK && (!isExport(a.Beat) || strings.Contains(string(a.Body), last))
		},
	})
}

// untilWithin is ctx, ended soon after the time of the run is used up or the process has ended: what it has left in the kernel may
// still be read.
func (d *driver) untilWithin(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.svc.Within(), func() { time.AfterFunc(deathGrace, cancel) })
	return ctx, func() {
		stop()
		cancel()
	}
}

// readers is the measured scenario: all clients at once, for as long as the scenario says.
func (d *driver) readers(ctx context.Context) {
	ctx, cancel := d.untilWithin(ctx)
	defer cancel()
	ctx, timeUp := context.WithTimeout(ctx, d.params.ReadNs)
	defer timeUp()
	var wg sync.WaitGroup
	for i := range d.params.Specs {
		s := d.ask(d.params.Specs[i])
		wg.Go(func() {
			loopback.Pause(ctx, s.spec.Start)
			s.read(ctx, d)
		})
	}
	wg.Go(func() { d.readFast(ctx) })
	wg.Go(func() { d.look(ctx) })
	wg.Wait()
}

// readFast asks for one export after the other.
func (d *driver) readFast(ctx context.Context) {
	for n := 0; n < maxFast && ctx.Err() == nil; n++ {
		s := d.ask(fastSpec(n))
		s.counted = &d.fast
		s.read(ctx, d)
		if s.account.Bytes == 0 {
			loopback.Pause(ctx, lookEvery) // it is refused, or has ended
		}
	}
}

// look takes down, again and again, what is held of each export and what the fast client has.
func (d *driver) look(ctx context.Context) {
	began := time.Now()
	var first time.Time
	firstBytes := int64(0)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		d.lookAtStreams(now)
		fast := d.fast.Load()
		switch {
		case now.Sub(began) < warm:
		case first.IsZero():
			first, firstBytes = now, fast
		default:
			d.facts.FastNs, d.facts.FastBytes = int64(now.Sub(first)), fast-firstBytes
		}
	}
}

// lookAtStreams takes down what is held at the moment.
func (d *driver) lookAtStreams(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum, n := int64(0), 0
	for _, s := range d.streams {
		if g := s.spec.Group; g != groupSlow && g != groupStalled && g != groupLeaving || s.ended.Load() {
			continue
		}
		held, ok := s.look(d, int64(now.Sub(d.epoch)))
		if ok && (s.spec.Group == groupSlow || s.spec.Group == groupStalled) {
			sum, n = sum+held, n+1
		}
	}
	if n > 0 {
		d.held.Add(now.Sub(d.svc.Process.Started()).Seconds(), float64(sum/int64(n)))
	}
}

// untilClosed waits until every source is closed whose client has left, or has been forgotten.
func (d *driver) untilClosed(ctx context.Context) {
	for end := time.Now().Add(leakAfter + 200*time.Millisecond); time.Now().Before(end) && ctx.Err() == nil; loopback.Pause(ctx, lookEvery) {
		open := false
		d.mu.Lock()
		for _, s := range d.streams {
			open = open || s.open()
		}
		d.mu.Unlock()
		if !open {
			return
		}
	}
}

// tell says how far the run is.
func (d *driver) tell() {
	d.pod.Report(workload.Progress{Phase: string(d.params.Kind), Done: d.done.Load(), Total: int64(len(d.params.Specs)), Unit: "exports"})
}
