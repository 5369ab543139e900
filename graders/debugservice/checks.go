package debugservice

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/loopback"
)

// reading is what the check of one cause measured. It is judged as Value / Base.
type reading struct {
	Value float64 `json:"value"`
	Base  float64 `json:"base"`
	// Failed is why there is none: a request of the check was not answered as it must.
	Failed string `json:"failed,omitempty"`
	// Before are readings of the same check that were made again, without those of their own.
	Before []reading `json:"before,omitempty"`
}

// bench is a running submission with everything around it.
type bench struct {
	addr  string
	up    *upstreams
	audit *auditLog
	// random draws what is asked for, anew for each try: what has been kept for what the harness is known to ask gains nothing. It is used by one
	// goroutine.
	random *rand.Rand
}

// from draws a whole number of 1 to n.
func (b *bench) from(n int) int { return 1 + b.random.IntN(n) }

// failure is a request of a check that was not answered as it must.
type failure struct {
	call call
	seen seen
}

func (f *failure) Error() string {
	if f.seen.Error != "" {
		return fmt.Sprintf("%s %s: no answer (%s)", f.call.Method, f.call.Path, f.seen.Error)
	}
	return fmt.Sprintf("%s %s: status %d", f.call.Method, f.call.Path, f.seen.Status)
}

// check is the micro-check of one cause.
type check func(ctx context.Context, b *bench) (value, base float64, err error)

// checkOf returns the check of a cause.
func checkOf(name string) check {
	return map[string]check{
		pbkdf2Sync: checkLogins, jsonParse: checkQuotes, regex: checkTypos, gzipSync: checkExports,
		nPlusOne: checkOrders, missingIndex: checkTracking, quadratic: checkBaskets, cacheKey: checkRelated,
		serialAwaits: checkAvailability, poolOfOne: checkProducts, noKeepAlive: checkReviews, retryStorm: checkPoints,
		syncLogging: checkAudit, threadpool: checkInvoices, gcGarbage: checkReports, dnsPerCall: checkPrices,
	}[name]
}

// settle is left between two checks, so that nothing of the one before is under way.
const settle = 60 * time.Millisecond

// run makes one check, again where times may have been spoilt.
func (b *bench) run(ctx context.Context, c cause) *reading {
	v := b.once(ctx, c.name)
	for c.timed() && len(v.Before) < maxTries-1 && ctx.Err() == nil && c.judge(v) != "" {
		next := b.once(ctx, c.name)
		next.Before = append(v.Before, reading{Value: v.Value, Base: v.Base, Failed: v.Failed})
		v = next
	}
	return v
}

// once makes one check once.
func (b *bench) once(ctx context.Context, name string) *reading {
	loopback.Pause(ctx, settle)
	value, base, err := checkOf(name)(ctx, b)
	switch {
	case ctx.Err() != nil:
		return &reading{Failed: "the process had ended, or the time was used up"}
	case err != nil:
		return &reading{Failed: err.Error()}
	}
	return &reading{Value: value, Base: base}
}

// want asks, and fails unless the answer has the status.
func (b *bench) want(ctx context.Context, c call, status int) (asked, error) {
	a := ask(ctx, b.addr, c, "")
	if a.Error != "" || a.Status != status {
		return a, &failure{c, a.seen}
	}
	return a, nil
}

// median is the middle of how long n requests took, one after the other, in seconds; one more goes ahead of them.
func (b *bench) median(ctx context.Context, n, status int, make1 func(i int) call) (float64, error) {
	var took []float64
	for i := range n + 1 {
		a, err := b.want(ctx, make1(i), status)
		if err != nil {
			return 0, err
		}
		if i > 0 {
			took = append(took, a.Took)
		}
	}
	return middle(took), nil
}

func middle(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// atOnce sends requests together and waits for all.
func (b *bench) atOnce(ctx context.Context, calls []call, status int) error {
	var mu sync.Mutex
	var first error
	var wg sync.WaitGroup
	for _, c := range calls {
		wg.Go(func() {
			if _, err := b.want(ctx, c, status); err != nil {
				mu.Lock()
				first = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return first
}

// probeEvery is how often GET /healthz is asked beside other work, at most maxProbes times.
const (
	probeEvery = 4 * time.Millisecond
	maxProbes  = 2_000
)

// beside is how long GET /healthz waits in the middle while requests are at work: questions are due on a schedule, and wait from then.
func (b *bench) beside(ctx context.Context, calls []call, status int) (float64, error) {
	work, done := context.WithCancel(ctx)
	var failed error
	go func() {
		defer done()
		failed = b.atOnce(ctx, calls, status)
	}()
	var mu sync.Mutex
	var waits []float64
	var wg sync.WaitGroup
	health := get("", "", "/healthz", 0)
	loopback.Pause(work, probeEvery) // the work has begun
	for n := 0; n < maxProbes && work.Err() == nil; n++ {
		wg.Go(func() {
			due := time.Now()
			a := ask(ctx, b.addr, health, "")
			mu.Lock()
			defer mu.Unlock()
			if a.Error == "" && a.Status == http.StatusOK {
				waits = append(waits, time.Since(due).Seconds())
			}
		})
		loopback.Pause(work, probeEvery)
	}
	wg.Wait()
	<-work.Done()
	if failed == nil && len(waits) == 0 {
		failed = &failure{health, seen{Error: "it was not asked"}}
	}
	return middle(waits), failed
}

// compare takes the quickest of n requests of each of two kinds, in turn: what else the machine does makes a request slower and never quicker.
// One of each goes ahead.
func (b *bench) compare(ctx context.Context, n, status int, one, other func(i int) call) (value, base float64, err error) {
	var took [2][]float64
	for i := range n + 1 {
		for k, make1 := range []func(int) call{one, other} {
			a, err := b.want(ctx, make1(i), status)
			if err != nil {
				return 0, 0, err
			}
			if i > 0 {
				took[k] = append(took[k], a.Took)
			}
		}
	}
	return slices.Min(took[0]), slices.Min(took[1]), nil
}

// shipment is reading a shipment, which is next to nothing.
func (b *bench) shipment(int) call {
	return get("", "", fmt.Sprintf("/shipments/s-%d", b.from(shipments)), 0)
}

func loginCall(i int) call {
	who := loginCustomers()[i%len(loginCustomers())]
	return post("", "", "/sessions", map[string]any{"email": who.email, "password": who.password}, 0)
}

func several(n int, make1 func(i int) call) []call {
	list := make([]call, n)
	for i := range list {
		list[i] = make1(i)
	}
	return list
}

func checkLogins(ctx context.Context, b *bench) (value, base float64, err error) {
	if base, err = b.median(ctx, 3, http.StatusCreated, loginCall); err != nil {
		return 0, 0, err
	}
	value, err = b.beside(ctx, several(6, loginCall), http.StatusCreated)
	return value, base, err
}

func checkQuotes(ctx context.Context, b *bench) (value, base float64, err error) {
	quote := func(i int) call {
		return get("", "", fmt.Sprintf("/shipping/quote?country=%s&postcode=%05d&grams=900", countries()[i%len(countries())], b.from(99_999)), 0)
	}
	return b.compare(ctx, 12, http.StatusOK, quote, b.shipment)
}

func checkTypos(ctx context.Context, b *bench) (value, base float64, err error) {
	of := func(letters int) func(int) call {
		return func(int) call {
			return post("", "", "/newsletter", map[string]any{"email": typo(letters, fmt.Sprint(b.random.Uint64())) + "!"}, 0)
		}
	}
	return b.compare(ctx, 6, http.StatusBadRequest, of(24), of(10))
}

// exportCall are three months in a row, other ones each time.
func exportCall(i int) call {
	from := 1 + i%9
	return get("", "", fmt.Sprintf("/exports/shipments?from=2025-%02d&to=2025-%02d", from, from+2), 0)
}

func checkExports(ctx context.Context, b *bench) (value, base float64, err error) {
	first := b.from(9)
	if base, err = b.median(ctx, 2, http.StatusOK, func(i int) call { return exportCall(first + i) }); err != nil {
		return 0, 0, err
	}
	value, err = b.beside(ctx, several(4, func(i int) call { return exportCall(first + 3 + i) }), http.StatusOK)
	return value, base, err
}

// fewOrders are customers in whose orders there are at most 8 articles, manyOrders such with 55 to 69. The service has them at every start.
func fewOrders() []int {
	return []int{152, 234, 254, 271, 289, 302, 386, 421}
}

func manyOrders() []int {
	return []int{38, 60, 93, 104, 140, 192, 261, 265, 287, 334, 380, 451, 461, 488}
}

func checkOrders(ctx context.Context, b *bench) (value, base float64, err error) {
	calls := func(of []int) (float64, error) {
		from := b.up.mark()
		_, err := b.want(ctx, get("", "", fmt.Sprintf("/customers/c-%d/orders", of[b.random.IntN(len(of))]), 0), http.StatusOK)
		return float64(len(b.up.since(itemsName, from))), err
	}
	if base, err = calls(fewOrders()); err != nil {
		return 0, 0, err
	}
	value, err = calls(manyOrders())
	return value, max(base, 1), err
}

func checkTracking(ctx context.Context, b *bench) (value, base float64, err error) {
	found := func(int) call { return get("", "", "/shipments?tracking="+tracking(b.from(shipments)), 0) }
	return b.compare(ctx, 12, http.StatusOK, found, b.shipment)
}

func checkBaskets(ctx context.Context, b *bench) (value, base float64, err error) {
	of := func(distinct bool) func(int) call {
		return func(int) call { return post("", "", "/baskets/price", basketOf(5_000+b.from(100), distinct), 0) }
	}
	return b.compare(ctx, 5, http.StatusOK, of(true), of(false))
}

func checkRelated(ctx context.Context, b *bench) (value, base float64, err error) {
	const n = 10
	c := get("", "", "/products/"+sku(b.from(products))+"/related?segment=trade", 0)
	from := b.up.mark()
	for range n {
		if _, err := b.want(ctx, c, http.StatusOK); err != nil {
			return 0, 0, err
		}
	}
	return float64(len(b.up.since(relatedName, from))), n, nil
}

func checkAvailability(ctx context.Context, b *bench) (value, base float64, err error) {
	from := b.up.mark()
	_, err = b.want(ctx, get("", "", "/products/"+sku(b.from(products))+"/availability", 0), http.StatusOK)
	return float64(together(b.up.since(warehousesName, from))), 1, err
}

func checkProducts(ctx context.Context, b *bench) (value, base float64, err error) {
	from, first := b.up.mark(), b.from(products-20)
	err = b.atOnce(ctx, several(12, func(i int) call { return get("", "", "/products/"+sku(first+i), 0) }), http.StatusOK)
	return float64(together(b.up.since(stockName, from))), 1, err
}

func checkReviews(ctx context.Context, b *bench) (value, base float64, err error) {
	const n = 12
	from, first := b.up.mark(), b.from(products-n)
	for i := range n {
		if _, err := b.want(ctx, get("", "", "/products/"+sku(first+i), 0), http.StatusOK); err != nil {
			return 0, 0, err
		}
	}
	return float64(b.up.opened(reviewsName, from)), n, nil
}

func checkPoints(ctx context.Context, b *bench) (value, base float64, err error) {
	const n = 2
	from, first := b.up.mark(), b.from(customers/4-n)
	for i := range n {
		if _, err := b.want(ctx, get("", "", fmt.Sprintf("/customers/c-%d/summary", 4*(first+i)), 0), http.StatusOK); err != nil {
			return 0, 0, err
		}
	}
	return float64(len(b.up.since(loyaltyName, from))), n, nil
}

const (
	// auditHeld is how long nobody reads the audit log, auditAsked how many requests there are meanwhile: together they write more than a pipe
	// holds, also one that could not be made small.
	auditHeld  = time.Second
	auditAsked = 240
)

func checkAudit(ctx context.Context, b *bench) (value, base float64, err error) {
	within, cancel := context.WithTimeout(ctx, auditHeld)
	defer cancel()
	b.audit.hold()
	answered := 0
	for i := range auditAsked {
		c := b.shipment(i)
		a := ask(within, b.addr, c, "")
		if a.Error == "" && a.Status != http.StatusOK {
			b.audit.release()
			return 0, 0, &failure{c, a.seen}
		}
		if a.Error != "" {
			break
		}
		answered++
	}
	b.audit.release()
	// What was blocked comes free now.
	_, err = b.want(ctx, get("", "", "/healthz", 0), http.StatusOK)
	return float64(answered), auditAsked, err
}

func checkInvoices(ctx context.Context, b *bench) (value, base float64, err error) {
	if base, err = b.median(ctx, 3, http.StatusCreated, loginCall); err != nil {
		return 0, 0, err
	}
	first, began := b.from(orders-24), time.Now()
	err = b.atOnce(ctx, several(24, func(i int) call { return get("", "", fmt.Sprintf("/orders/o-%d/invoice", first+i), 0) }), http.StatusOK)
	return time.Since(began).Seconds(), base, err
}

func checkReports(ctx context.Context, b *bench) (value, base float64, err error) {
	first := b.from(12)
	report := func(name string) func(int) call {
		return func(i int) call {
			return get("", "", fmt.Sprintf("/reports/%s?month=2025-%02d", name, 1+(first+i)%12), 0)
		}
	}
	return b.compare(ctx, 7, http.StatusOK, report("countries"), report("carriers"))
}

func checkPrices(ctx context.Context, b *bench) (value, base float64, err error) {
	const n = 12
	from, first := b.up.names.asked.Load(), b.from(products-n)
	for i := range n {
		if _, err := b.want(ctx, get("", "", "/products/"+sku(first+i)+"/price?currency=USD", 0), http.StatusOK); err != nil {
			return 0, 0, err
		}
	}
	return float64(b.up.names.asked.Load() - from), n, nil
}
