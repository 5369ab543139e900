package debugservice

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/httpload"
	"github.com/assay-run/assay/graders/latency"
	"github.com/assay-run/assay/graders/wire"
	"github.com/assay-run/assay/internal/evidence"
)

// SeriesLoad is the curve of the open load: ns, latency by intended time.
const SeriesLoad = "load"

// mixture is how often each route is asked, of 100 requests.
func mixture() []struct {
	route string
	share int
} {
	return []struct {
		route string
		share int
	}{
		{"list", 6}, {"product", 14}, {"availability", 8}, {"price", 8}, {"related", 10}, {"orders", 8}, {"summary", 7}, {"login", 3},
		{"invoice", 5}, {"basket", 5}, {"newsletter", 5}, {"shipment", 4}, {"tracking", 8}, {"quote", 6}, {"report", 2}, {"export", 1},
	}
}

const (
	// fullClients ask in the second part of the load, each for the next thing when it has its answer: few enough that waiting costs answers too.
	fullClients = 10
	// loadWithin is how long a client waits under load, and what a request that failed is counted as.
	loadWithin = 10 * time.Second
	fullRate   = 2_000 // due a second there, which is always more than is taken
	// maxDigests bounds the different answers to one call that are counted apart.
	maxDigests = 4
	// overflow is where others are counted.
	overflow = "others"
	// asKnown is where answers to calls that were drawn are counted when they are as they must be.
	asKnown = "as known"
)

// mix draws n requests: in each hundred every route as often as the mixture says.
func mix(random *rand.Rand, n int) []call {
	byRoute := map[string][]call{}
	for _, c := range pool() {
		byRoute[c.Route] = append(byRoute[c.Route], c)
	}
	list := make([]call, 0, n+100)
	for len(list) < n {
		from := len(list)
		for _, m := range mixture() {
			for range m.share {
				calls := byRoute[m.route]
				one := calls[random.IntN(len(calls))]
				if fresh, ok := draw(m.route, random); ok && random.IntN(8) < drawnOf {
					one = fresh
				}
				list = append(list, one)
			}
		}
		random.Shuffle(len(list)-from, func(i, j int) { list[from+i], list[from+j] = list[from+j], list[from+i] })
	}
	return list[:n]
}

// tally counts answers.
type tally struct {
	mu      sync.Mutex
	answers map[string]map[string]int
}

func (t *tally) add(c *call, a wire.Answer) {
	name, key := c.Name, ""
	switch {
	case c.Status == 0:
		key = fmt.Sprintf("%d %s", a.Status, digest(canonical(unpacked(a.Body))))
	case c.answered(&a):
		key = asKnown
	default:
		key = fmt.Sprintf("%d", a.Status)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.answers[name]
	if of == nil {
		of = map[string]int{}
		t.answers[name] = of
	}
	if _, known := of[key]; !known && len(of) >= maxDigests {
		key = overflow
	}
	of[key]++
}

// warmUpWithin bounds the warm-up; the load comes in any case.
const warmUpWithin = 10 * time.Second

// warmUp asks everything of the mixture once.
func (d *driver) warmUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmUpWithin)
	defer cancel()
	for _, c := range pool() {
		if ctx.Err() != nil {
			return
		}
		if c.Route != "" {
			ask(ctx, d.svc.Addr, c, "")
		}
	}
}

// options are those of both parts of the load.
func (d *driver) options(list []call, t *tally, rate float64, long time.Duration, inFlight int) httpload.Options {
	return httpload.Options{
		Addr: d.svc.Addr, Start: time.Now(), Schedule: httpload.Schedule{Steps: []httpload.Step{{Rate: rate, For: long}}},
		Timeout: loadWithin, MaxInFlight: inFlight, Stolen: d.svc.Process.Stolen,
		Request: func(i int) httpload.Request {
			c := list[i%len(list)]
			r := httpload.Request{Method: c.Method, Path: c.Path, Body: []byte(c.Body)}
			if c.Method != http.MethodGet {
				r.Header = []httpload.Header{{Name: "Content-Type", Value: "application/json"}}
			}
			return r
		},
		Check: func(i int, a wire.Answer) bool {
			t.add(&list[i%len(list)], a)
			return a.Status < http.StatusInternalServerError
		},
	}
}

// load is the measured scenario.
func (d *driver) load(ctx context.Context) (evidence.Series, error) {
	d.warmUp(ctx)
	t := &tally{answers: map[string]map[string]int{}}
	f := &loadFacts{Answers: t.answers}
	d.facts.Load = f
	p := d.params
	list := mix(d.drawn("open"), int(p.Rate*p.OpenNs.Seconds())+1)
	open := d.options(list, t, p.Rate, p.OpenNs, 128)
	defer d.stutter(ctx)()
	result, err := httpload.Run(ctx, open)
	if err != nil {
		return evidence.Series{}, fmt.Errorf("run load: %w", err)
	}
	f.P50Ns, f.P95Ns = beyond(result, list)
	curve := result.Curve(SeriesLoad, open.Start.Sub(d.svc.Process.Started()))
	sum := result.Window(0, p.OpenNs)
	f.Due, f.Good = sum.Due, sum.Good

	within, cancel := context.WithTimeout(ctx, p.FullNs)
	defer cancel()
	again := d.options(mix(d.drawn("full"), 4_000), t, fullRate, p.FullNs, fullClients)
	if result, err = httpload.Run(within, again); err != nil {
		return evidence.Series{}, fmt.Errorf("run full load: %w", err)
	}
	f.FullSeconds = min(result.End, p.FullNs).Seconds()
	for i := range result.Records {
		if result.Records[i].Outcome == httpload.Good {
			f.FullGood++
		}
	}
	return curve, nil
}

// beyond are quantiles of what requests waited more than the services behind them take. Those that are work by themselves are left out:
// what they do to others is seen at the others.
func beyond(r *httpload.Result, list []call) (p50, p95 int64) {
	var waits []time.Duration
	for i := range r.Records {
		one, c := &r.Records[i], &list[i%len(list)]
		switch {
		case c.heavy():
		case one.Outcome != httpload.Good: // to be turned away at once is no quick answer, and neither is none in the time of the run
			waits = append(waits, loadWithin)
		default:
			waits = append(waits, max(one.Latency-c.Takes, 0))
		}
	}
	slices.Sort(waits)
	return latency.Quantile(waits, 0.5), latency.Quantile(waits, 0.95)
}
