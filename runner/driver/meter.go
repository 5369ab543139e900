package driver

import (
	"fmt"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner/kernel"
)

// rateEvery is the time over which rates are taken: long against the clock tick in which the kernel counts CPU time.
const rateEvery = 100 * time.Millisecond

// meter turns readings into usage and curves. Its memory does not grow with time.
type meter struct {
	machine *kernel.Machine
	cgroup  *kernel.Cgroup // nil without one
	began   time.Time
	steal   int64
	memory  kernel.Pressure
	cpu     kernel.Pressure

	scored     int64 // of the last sample
	peak       int64
	procPeak   int64
	cgroupPeak int64
	threads    int
	processes  int
	samples    int
	lastSample time.Time
	maxGap     time.Duration
	totals     kernel.Totals
	thrash     thrash
	stolen     stolen
	busy       busy

	rateAt time.Time
	rate   rates

	curves [curveCount]evidence.Thinner
}

// rates are cumulative figures of which curves show the growth.
type rates struct{ cpu, main, delay, throttled, read, write int64 }

// The curves, in the order of curveNames.
const (
	curveMemory = iota
	curveProc
	curveThreads
	curveProcesses
	curveCPU
	curveMain
	curveDelay
	curveThrottled
	curveRead
	curveWrite
	curveCount
)

func curveNames() [curveCount][2]string {
	return [curveCount][2]string{
		{evidence.SeriesMemory, "bytes"},
		{evidence.SeriesMemoryProc, "bytes"},
		{evidence.SeriesThreads, "count"},
		{evidence.SeriesProcesses, "count"},
		{evidence.SeriesCPU, "ratio"},
		{evidence.SeriesMainCPU, "ratio"},
		{evidence.SeriesRunDelay, "ratio"},
		{evidence.SeriesThrottled, "ratio"},
		{evidence.SeriesReadRate, "bytes/s"},
		{evidence.SeriesWriteRate, "bytes/s"},
	}
}

func newMeter(m *kernel.Machine) *meter { return &meter{machine: m} }

func (m *meter) close() {
	m.machine.Close()
	if m.cgroup != nil {
		m.cgroup.Close()
	}
}

// begin sets the zero of the time axis.
func (m *meter) begin(at time.Time) {
	m.began, m.lastSample, m.rateAt = at, at, at
	m.machine.Read()
	m.steal, m.memory, m.cpu = m.machine.StealNs, m.machine.Memory, m.machine.CPU
}

// sample takes one sample of a submission that runs.
func (m *meter) sample(now, began time.Time, t *kernel.Table) {
	living := t.Living()
	if len(living) == 0 {
		return
	}
	var proc int64
	threads := 0
	for _, p := range living {
		proc += p.Status.RssAnonBytes + p.Status.RssShmemBytes
		threads += p.Status.Threads
	}
	m.scored = proc
	if m.cgroup != nil && m.cgroup.HasMemory() && m.cgroup.ReadMemory() {
		m.scored = m.cgroup.Memory.ScoredBytes
		m.cgroupPeak = max(m.cgroupPeak, m.scored)
	}
	m.peak = max(m.peak, m.scored)
	m.procPeak = max(m.procPeak, proc)
	m.threads = max(m.threads, threads)
	m.processes = max(m.processes, len(living))
	m.totals = t.Totals()
	m.samples++
	m.maxGap = max(m.maxGap, now.Sub(m.lastSample))
	m.lastSample = now

	if main := t.Main(); main != nil {
		m.busy.observe(now, time.Duration(main.Main.RunNs+main.Main.DelayNs))
	}
	m.findStolen(now, t)
	at := now.Sub(began).Seconds()
	m.curves[curveMemory].Add(at, float64(m.scored))
	m.curves[curveProc].Add(at, float64(proc))
	m.curves[curveThreads].Add(at, float64(threads))
	m.curves[curveProcesses].Add(at, float64(len(living)))
	if now.Sub(m.rateAt) >= rateEvery {
		m.addRates(now, t)
	}
}

// findStolen looks for time that somebody else took. Without the control group's CPU time nothing can be told.
func (m *meter) findStolen(now time.Time, t *kernel.Table) {
	main := t.Main()
	if main == nil || m.cgroup == nil || !m.cgroup.HasCPU() {
		return
	}
	m.cgroup.ReadCPU()
	m.stolen.observe(now, main.Main.DelayNs, m.cgroup.Counters.CPUNs)
}

// addRates adds a point to the curves of growth and looks for thrashing.
func (m *meter) addRates(now time.Time, t *kernel.Table) {
	if m.cgroup != nil {
		m.cgroup.ReadCounters()
		c := m.cgroup.Counters
		m.thrash.observe(thrashSample{
			at: now, usage: c.UsageBytes, limit: c.LimitBytes, refaults: m.cgroup.Memory.Refaults,
			read: m.totals.ReadBytes, stall: c.StallNs,
		})
	}
	next := m.cumulative(t)
	span := now.Sub(m.rateAt)
	at := m.rateAt.Sub(m.began).Seconds()
	ns, sec := float64(span), span.Seconds()
	growth := [curveCount]float64{
		curveCPU:  float64(next.cpu-m.rate.cpu) / ns,
		curveMain: float64(next.main-m.rate.main) / ns,
		// The kernel books a wait when it ends, so a long one would show as more than all of the time.
		curveDelay:     min(float64(next.delay-m.rate.delay)/ns, 1),
		curveThrottled: float64(next.throttled-m.rate.throttled) / ns,
		curveRead:      float64(next.read-m.rate.read) / sec,
		curveWrite:     float64(next.write-m.rate.write) / sec,
	}
	for curve := curveCPU; curve < curveCount; curve++ {
		m.curves[curve].Add(at, max(growth[curve], 0)) // a process that is gone can take its last tick with it
	}
	m.rate, m.rateAt = next, now
}

// cumulative is everything used so far.
func (m *meter) cumulative(t *kernel.Table) rates {
	r := rates{read: m.totals.ReadBytes, write: m.totals.WriteBytes}
	var before kernel.Baseline
	if p := t.Main(); p != nil {
		before = p.Before
		r.main = p.Main.RunNs - before.Main.RunNs
		r.delay = p.Main.DelayNs - before.Main.DelayNs
	}
	used := (before.UserTicks + before.SystemTicks) * kernel.TickNs
	r.cpu = (m.totals.UserTicks+m.totals.SystemTicks)*kernel.TickNs - used
	if m.cgroup != nil && m.cgroup.HasCPU() {
		r.cpu = m.cgroup.Counters.CPUNs - used
		r.throttled = m.cgroup.Counters.ThrottledNs
	}
	return r
}

// cpuUsed is the CPU time used up to the last sample.
func (m *meter) cpuUsed(t *kernel.Table) time.Duration { return time.Duration(m.cumulative(t).cpu) }

// final reads the counters once more, while they are there.
func (m *meter) final(t *kernel.Table) {
	m.totals = t.Totals()
	if m.cgroup != nil {
		m.cgroup.ReadCounters()
	}
	m.machine.Read()
}

func (m *meter) oomKills() int64 { return m.counters().OOMKills }

// counters are those of the control group, all zero without one.
func (m *meter) counters() kernel.Counters {
	if m.cgroup == nil {
		return kernel.Counters{}
	}
	return m.cgroup.Counters
}

// usage is the sum of it all, for a submission that lived so long.
func (m *meter) usage(t *kernel.Table, life time.Duration) evidence.Usage {
	c := m.cumulative(t)
	u := evidence.Usage{
		MemoryPeakBytes: max(m.peak, t.AnonPeakBytes()),
		ProcPeakBytes:   m.procPeak,
		CgroupPeakBytes: m.cgroupPeak,
		HWMBytes:        t.HWMBytes(),
		CPUNs:           max(c.cpu, 0),
		UserNs:          m.totals.UserTicks * kernel.TickNs,
		SystemNs:        m.totals.SystemTicks * kernel.TickNs,
		MainThreadNs:    max(c.main, 0),
		RunDelayNs:      max(c.delay, 0),
		ThrottledNs:     c.throttled,
		StealNs:         max(m.machine.StealNs-m.steal, 0),
		PressureNs:      max(m.machine.CPU.SomeNs-m.cpu.SomeNs, 0),
		MaxThreads:      m.threads,
		MaxProcesses:    m.processes,
		ReadBytes:       m.totals.ReadBytes,
		WriteBytes:      m.totals.WriteBytes,
		Samples:         m.samples,
		MaxGapNs:        int64(m.maxGap),
	}
	if p := t.Main(); p != nil {
		u.UserNs -= p.Before.UserTicks * kernel.TickNs
		u.SystemNs -= p.Before.SystemTicks * kernel.TickNs
	}
	if m.cgroup != nil {
		u.Refaults = m.cgroup.Memory.Refaults
		if k := m.cgroup.Counters; k.UserNs+k.SystemNs > 0 {
			u.UserNs, u.SystemNs = k.UserNs, k.SystemNs
		}
	}
	if s := life.Seconds(); s > 0 {
		u.SampleHz = float64(m.samples) / s
	}
	return u
}

// machineNote says that the machine itself was short of memory, which makes every figure doubtful.
func (m *meter) machineNote(life time.Duration) string {
	const share = 0.1
	stalled := m.machine.Memory.FullNs - m.memory.FullNs
	if life < time.Second || float64(stalled) < share*float64(life) || m.thrash.found {
		return ""
	}
	return fmt.Sprintf("for %.0f %% of its life the whole machine stood still for lack of memory",
		100*float64(stalled)/float64(life))
}

// series are all curves.
func (m *meter) series() []evidence.Series {
	names := curveNames()
	out := make([]evidence.Series, 0, len(names))
	for i := range m.curves {
		out = append(out, m.curves[i].Series(names[i][0], names[i][1]))
	}
	return out
}

// costs are the durations of the last samples. The smallest of them is what a sample costs; the others waited for a
// core as well, and a sampler that paused for that would see least when there is most to see.
type costs struct {
	last [8]time.Duration
	next int
}

func (c *costs) add(d time.Duration) time.Duration {
	c.last[c.next%len(c.last)] = d
	c.next++
	return slices.Min(c.last[:])
}
