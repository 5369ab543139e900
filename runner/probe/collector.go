package probe

import (
	"net/netip"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// collector adds up records. Its memory is bounded whatever comes.
type collector struct {
	sum     evidence.Probe
	first   int                       // process of the first record
	threads map[[2]int]netip.AddrPort // with the socket that spoke first for each
	loops   map[int]*loop             // main threads by process
	tokens  float64
	filled  time.Duration
}

// loop is the main thread of one process. Times are since the listener began.
type loop struct {
	last     time.Duration
	exited   bool
	gapMax   time.Duration
	delayMax int64
	starved  int64
	use      float64

	delay, gap, heap, util, gc, external evidence.Thinner
}

func newCollector() collector {
	return collector{threads: map[[2]int]netip.AddrPort{}, loops: map[int]*loop{}, tokens: maxBurst}
}

// add takes one datagram that arrived at a time from a socket. A thread's probe has one socket for its whole life, and speaks
// before the submission's first line runs, so a record from another one is not its own.
func (c *collector) add(b []byte, from netip.AddrPort, at time.Duration) {
	if !c.allow(at) {
		c.sum.Dropped++
		return
	}
	r, err := parseRecord(b)
	if err != nil {
		c.sum.Dropped++
		return
	}
	thread := [2]int{r.PID, r.Thread}
	if own, known := c.threads[thread]; known && own != from {
		c.sum.Forged++
		return
	} else if !known && len(c.threads) < maxThreads {
		c.threads[thread] = from
	}
	c.sum.Records++
	if c.first == 0 {
		c.first = r.PID
	}
	if r.Version != "" && c.sum.NodeVersion == "" {
		c.sum.NodeVersion = r.Version
	}
	c.sum.HeapMaxBytes = max(c.sum.HeapMaxBytes, int64(r.Heap[0]))
	c.sum.RSSMaxBytes = max(c.sum.RSSMaxBytes, int64(r.Heap[4]))
	c.sum.GCCount += int(min(r.GC[0], 1e6))
	c.sum.GCNs += int64(min(r.GC[1], 60e9))
	if r.Thread == 0 {
		c.addLoop(r, at)
	}
}

// allow is a token bucket: the driver's time is not the submission's to spend.
func (c *collector) allow(at time.Duration) bool {
	c.tokens = min(c.tokens+(at-c.filled).Seconds()*MaxPerSecond, maxBurst)
	c.filled = at
	if c.tokens < 1 {
		return false
	}
	c.tokens--
	return true
}

func (c *collector) addLoop(r record, at time.Duration) {
	p := c.loops[r.PID]
	if p == nil {
		if len(c.loops) >= maxProcesses {
			return
		}
		p = &loop{last: at}
		c.loops[r.PID] = p
	}
	t := at.Seconds()
	silence := at - p.last
	p.last, p.exited = at, r.Kind == "exit"
	p.gapMax = max(p.gapMax, silence)
	p.delayMax = max(p.delayMax, int64(r.Delay[0]))
	p.starved = max(p.starved, int64(r.Starved))
	p.use = r.Use[1]
	p.gap.Add(t, float64(silence))
	p.delay.Add(t, r.Delay[0])
	p.heap.Add(t, r.Heap[0])
	p.util.Add(t, r.Use[0])
	p.gc.Add(t, r.GC[1])
	p.external.Add(t, r.Heap[2]) // array buffers are part of it
}

// result is for a process that lived from started to ended.
func (c *collector) result(main int, started, ended time.Duration) (*evidence.Probe, []evidence.Series) {
	if c.sum.Records == 0 && c.sum.Dropped == 0 {
		return nil, nil
	}
	sum := c.sum
	sum.Threads = len(c.threads)
	p := c.loops[main]
	if p == nil {
		p = c.loops[c.first]
	}
	if p == nil {
		return &sum, nil
	}
	if silence := ended - p.last; !p.exited && silence > 0 { // it went silent and ended so
		p.gapMax = max(p.gapMax, silence)
		p.gap.Add(ended.Seconds(), float64(silence))
	}
	sum.DelayMaxNs, sum.GapMaxNs, sum.StarvedNs, sum.Utilization = p.delayMax, int64(p.gapMax), p.starved, p.use
	series := []evidence.Series{
		p.delay.Series(evidence.SeriesProbeDelay, "ns"),
		p.gap.Series(evidence.SeriesProbeGap, "ns"),
		p.heap.Series(evidence.SeriesProbeHeap, "bytes"),
		p.util.Series(evidence.SeriesProbeUtil, "ratio"),
		p.gc.Series(evidence.SeriesProbeGC, "ns"),
		p.external.Series(evidence.SeriesProbeExternal, "bytes"),
	}
	for _, s := range series {
		for i := range s.T {
			s.T[i] = max(s.T[i]-started.Seconds(), 0)
		}
	}
	return &sum, series
}
