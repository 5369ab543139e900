package probe

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/evidence"
)

// socket is where the records come from.
var socket = netip.MustParseAddrPort("127.0.0.1:4001")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const good = `{"v":1,"k":"tick","p":42,"t":0,"n":3,"d":[1000,10,100],"u":[0.5,0.25],"h":[10,20,30,5,100],"g":[2,500],"V":"v24.1.0"}`

func TestParseRecord(t *testing.T) {
	t.Parallel()
	r, err := parseRecord([]byte(good))
	require.NoError(t, err)
	assert.Equal(t, record{
		V: 1, Kind: "tick", PID: 42, N: 3, Delay: [3]float64{1000, 10, 100}, Use: [2]float64{0.5, 0.25},
		Heap: [5]float64{10, 20, 30, 5, 100}, GC: [2]float64{2, 500}, Version: "v24.1.0",
	}, r)
	for name, in := range map[string]string{
		"empty":          "",
		"text":           "hello",
		"number":         "1",
		"another form":   strings.Replace(good, `"v":1`, `"v":2`, 1),
		"unknown kind":   strings.Replace(good, "tick", "tock", 1),
		"no process":     strings.Replace(good, `"p":42`, `"p":0`, 1),
		"process -1":     strings.Replace(good, `"p":42`, `"p":-1`, 1),
		"thread -1":      strings.Replace(good, `"t":0`, `"t":-1`, 1),
		"negative delay": strings.Replace(good, "1000", "-1000", 1),
		"endless delay":  strings.Replace(good, "1000", "1e300", 1),
		"use above one":  strings.Replace(good, "0.25", "2.5", 1),
		"long version":   strings.Replace(good, "v24", strings.Repeat("v", 100), 1),
		"too long":       good + strings.Repeat(" ", MaxRecordBytes),
		"overflow":       strings.Replace(good, `"p":42`, `"p":99999999999999999999`, 1),
	} {
		_, err := parseRecord([]byte(in))
		assert.ErrorIs(t, err, errRecord, name)
	}
}

func FuzzCollector(f *testing.F) {
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newCollector()
		c.add(b, socket, time.Second)
		p, series := c.result(0, 0, 2*time.Second)
		if p == nil || p.Records+p.Dropped != 1 {
			t.Fatalf("%+v", p)
		}
		if _, err := json.Marshal(p); err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(series); err != nil {
			t.Fatal(err)
		}
	})
}

func tick(pid, thread int, delay float64) []byte {
	return fmt.Appendf(nil, `{"v":1,"k":"tick","p":%d,"t":%d,"d":[%g,0,0],"u":[0.5,0.25],"h":[10,20,30,5,100],"g":[1,500]}`, pid, thread, delay)
}

func TestCollectorBoundsAFlood(t *testing.T) {
	t.Parallel()
	c := newCollector()
	for i := range 100_000 { // one second
		c.add(tick(i, i, 1), socket, time.Duration(i)*10*time.Microsecond)
	}
	p, _ := c.result(0, 0, time.Second)
	assert.LessOrEqual(t, p.Records, MaxPerSecond+maxBurst)
	assert.Equal(t, 100_000, p.Records+p.Dropped)
	assert.LessOrEqual(t, len(c.loops), maxProcesses)
	assert.LessOrEqual(t, p.Threads, maxThreads)
}

func TestCollectorSums(t *testing.T) {
	t.Parallel()
	c := newCollector()
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	c.add(tick(7, 0, 1e6), socket, ms(1000))
	c.add(tick(7, 1, 9e9), socket, ms(1050)) // a worker's loop is its own affair
	c.add(tick(8, 0, 8e9), socket, ms(1060)) // a child's too
	c.add(tick(7, 0, 4e8), socket, ms(1500))
	c.add([]byte("noise"), socket, ms(1500))
	p, series := c.result(7, ms(900), ms(3500))
	assert.Equal(t, &evidence.Probe{
		Records: 4, Dropped: 1, Threads: 3, DelayMaxNs: 4e8, GapMaxNs: 2e9, GCCount: 4, GCNs: 2000,
		RSSMaxBytes: 100, HeapMaxBytes: 10, Utilization: 0.25,
	}, p)
	byName := map[string]evidence.Series{}
	for _, s := range series {
		byName[s.Name] = s
	}
	delay := byName[evidence.SeriesProbeDelay]
	assert.InDeltaSlice(t, []float64{0.1, 0.6}, delay.T, 1e-9)
	assert.Equal(t, []float64{1e6, 4e8}, delay.Max)
	gap := byName[evidence.SeriesProbeGap]
	assert.InDelta(t, 2.6, gap.T[len(gap.T)-1], 1e-9, "the silence up to the end shows")
	none, _ := (&collector{}).result(0, 0, 0)
	assert.Nil(t, none)
}

// run runs a script in Node with the probe and returns what was reported.
func run(t *testing.T, script string, options ...string) (*evidence.Probe, string, error) {
	t.Helper()
	node, err := exec.LookPath("node")
	require.NoError(t, err, "these tests need Node on the path")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), Source(), 0o600))
	main := filepath.Join(dir, "main.mjs")
	require.NoError(t, os.WriteFile(main, []byte(script), 0o600))
	l, err := Listen()
	require.NoError(t, err)
	defer l.Close()
	cmd := exec.CommandContext(t.Context(), node, append(options, main)...)
	cmd.Env = append(os.Environ(),
		"NODE_OPTIONS=--import file://"+filepath.Join(dir, FileName), fmt.Sprintf("%s=%d", PortVariable, l.Port()))
	began := time.Now()
	out, err := cmd.CombinedOutput()
	// Loopback hands datagrams over at once, but this process may not have read them yet.
	settle(t, l)
	p, _ := l.Result(cmd.Process.Pid, began, time.Now())
	return p, string(out), err
}

// settle waits until a record of our own, sent last, has arrived.
func settle(t *testing.T, l *Listener) {
	t.Helper()
	conn, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", l.Port()))
	require.NoError(t, err)
	defer conn.Close()
	dropped := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.all.sum.Dropped
	}
	before := dropped()
	_, err = conn.Write([]byte("end"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return dropped() > before }, 5*time.Second, time.Millisecond)
}

const block = `const block = (ms) => { const end = Date.now() + ms; while (Date.now() < end); };
`

func TestProbeInNode(t *testing.T) {
	t.Parallel()
	const ms = int64(time.Millisecond)
	for name, tc := range map[string]struct {
		script           string
		threads          int
		minGap, minDelay int64
	}{
		"idle, then ends by itself":    {"setTimeout(() => {}, 150);", 1, 0, 0},
		"blocks in its first line":     {block + "block(400); setTimeout(() => {}, 150);", 1, 350 * ms, 250 * ms},
		"blocks and exits":             {block + "setTimeout(() => { block(400); process.exit(0); }, 50);", 1, 350 * ms, 250 * ms},
		"hides the delay it reports":   {block + "const { monitorEventLoopDelay: m } = await import('node:perf_hooks'); Object.defineProperty(Object.getPrototypeOf(m()), 'max', { get: () => 1e6 }); setTimeout(() => { block(400); setTimeout(() => {}, 150); }, 20);", 1, 350 * ms, 250 * ms},
		"worker":                       {"import { Worker } from 'node:worker_threads'; const w = new URL('data:text/javascript,setTimeout(()=>{},150)'); new Worker(w);", 2, 0, 0},
		"replaces what it would use":   {"globalThis.setInterval = null; JSON.stringify = null; Buffer.from = null; process.memoryUsage = null; setTimeout(() => {}, 250);", 1, 0, 0},
		"replaces the tick of dgram":   {"process.nextTick = (f, ...a) => queueMicrotask(() => f(...a)); setTimeout(() => {}, 150);", 1, 0, 0},
		"closes every way out quickly": {"process.exit(0);", 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, out, err := run(t, tc.script)
			require.NoError(t, err, out)
			assert.Empty(t, out, "it prints nothing")
			require.NotNil(t, p)
			assert.GreaterOrEqual(t, p.Records, 2, "a first and a last one")
			assert.Equal(t, tc.threads, p.Threads)
			assert.GreaterOrEqual(t, p.GapMaxNs, tc.minGap)
			assert.GreaterOrEqual(t, p.DelayMaxNs, tc.minDelay)
			assert.Positive(t, p.HeapMaxBytes)
			assert.Positive(t, p.RSSMaxBytes)
			assert.NotEmpty(t, p.NodeVersion)
		})
	}
}

func TestProbeKeepsTheExitCode(t *testing.T) {
	t.Parallel()
	_, out, err := run(t, "process.exitCode = 7;")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, out)
	assert.Equal(t, 7, exit.ExitCode())
	_, out, err = run(t, "throw new Error('mine');")
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Contains(t, out, "mine")
	assert.NotContains(t, out, FileName)
}

func TestProbeWithNobodyListening(t *testing.T) {
	t.Parallel()
	l, err := Listen()
	require.NoError(t, err)
	port := l.Port()
	l.Close()
	l.Close()
	for _, value := range []string{fmt.Sprint(port), "", "0", "x", "99999", "-1"} {
		file := filepath.Join(t.TempDir(), FileName)
		require.NoError(t, os.WriteFile(file, Source(), 0o600))
		cmd := exec.CommandContext(t.Context(), "node", "--import", "file://"+file, "-e", "setTimeout(() => {}, 150)")
		cmd.Env = append(os.Environ(), PortVariable+"="+value)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%q: %s", value, out)
		assert.Empty(t, string(out))
	}
}

func TestProbeIsSmall(t *testing.T) {
	t.Parallel()
	largest := record{V: 1, Kind: "start", PID: math.MaxInt32, Thread: 1e6, N: 1e9, Version: "v24.21.0-nightly20261122abcdef"}
	for _, group := range [][]float64{largest.Delay[:], largest.Heap[:], largest.GC[:]} {
		for i := range group {
			group[i] = 1 << 49
		}
	}
	b, err := json.Marshal(largest)
	require.NoError(t, err)
	assert.Less(t, len(b), MaxRecordBytes/2)
}

func TestSomebodyElseSpeaksForTheProbe(t *testing.T) {
	t.Parallel()
	c := newCollector()
	stranger := netip.MustParseAddrPort("127.0.0.1:4002")
	for i := range 10 {
		c.add(tick(7, 0, 1e6), socket, time.Duration(i)*time.Second)
	}
	c.add(tick(7, 1, 1e6), stranger, 10*time.Second) // a worker of its own
	for i := range 4 {
		c.add(tick(7, 0, 5e9), stranger, time.Duration(11+i)*time.Second)
	}
	p, _ := c.result(7, 0, 15*time.Second)
	assert.Equal(t, 4, p.Forged)
	assert.Equal(t, 11, p.Records)
	assert.Equal(t, int64(1e6), p.DelayMaxNs, "what the stranger said does not count")
}
