package broker

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/assay-run/assay/graders/loopback"
)

const (
	maxLease     = 100
	defaultLease = 10
	maxWait      = 20 * time.Second
	maxBody      = 1 << 20
	maxReceipts  = 1000
)

func (b *Broker) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /lease", b.lease)
	mux.HandleFunc("POST /ack", b.ack)
	mux.HandleFunc("POST /extend", b.extend)
	mux.HandleFunc("POST /dead", b.dead)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.now++
		over := b.now > maxRequests
		if over {
			b.counts.Bad++
		}
		b.mu.Unlock()
		defer func() {
			b.mu.Lock()
			b.now--
			b.mu.Unlock()
		}()
		if over {
			problem(w, http.StatusServiceUnavailable, "too many requests at once")
			return
		}
		if loopback.Pause(r.Context(), b.o.Away) {
			mux.ServeHTTP(w, r)
		}
	})
}

func problem(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": title}) // who is gone does not want it
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who is gone does not want it
}

// bad counts a request that makes no sense.
func (b *Broker) bad(w http.ResponseWriter, title string) {
	b.mu.Lock()
	b.counts.Bad++
	b.mu.Unlock()
	problem(w, http.StatusBadRequest, title)
}

// fails decides about a request: whether it is answered by 500, and whether it is carried out. The caller holds the lock.
func (b *Broker) fails() (fails, done bool) {
	if b.o.Errors <= 0 || b.rng.Float64() >= b.o.Errors {
		return false, true
	}
	b.counts.Errors++
	b.log("error", 1)
	return true, b.rng.IntN(2) == 0
}

// whole reads a number of the query; absent ones are the default.
func whole(r *http.Request, name string, otherwise, most int) (int, bool) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, true
	}
	n, err := strconv.Atoi(text)
	return min(n, most), err == nil && n >= 0
}

// lease waits for messages and gives them out. An answer of 500 has given out nothing.
func (b *Broker) lease(w http.ResponseWriter, r *http.Request) {
	n, ok := whole(r, "max", defaultLease, maxLease)
	waitMs, waits := whole(r, "waitMs", 0, int(maxWait/time.Millisecond))
	if !ok || !waits || n == 0 {
		b.bad(w, "max and waitMs are whole numbers, max from 1 on")
		return
	}
	b.mu.Lock()
	b.counts.Leases++
	fails, _ := b.fails()
	b.mu.Unlock()
	if fails {
		problem(w, http.StatusInternalServerError, "the broker has failed")
		return
	}
	late := time.NewTimer(time.Duration(waitMs) * time.Millisecond)
	defer late.Stop()
	for over := waitMs == 0; ; {
		list, changed := b.take(n)
		if len(list) > 0 || over {
			if len(list) == 0 {
				b.mu.Lock()
				b.counts.Empty++
				b.mu.Unlock()
			}
			answer(w, list)
			return
		}
		select {
		case <-changed:
		case <-late.C:
			over = true
		case <-r.Context().Done():
			return
		}
	}
}

// take leases up to n messages, or returns what to wait for.
func (b *Broker) take(n int) ([]Delivery, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.pass(now)
	lasts := b.o.Visibility
	early := b.o.Early > 0 && b.rng.Float64() < b.o.Early
	if early {
		lasts = b.o.EarlyFrom + time.Duration(b.rng.Float64()*float64(b.o.EarlyTo-b.o.EarlyFrom))
	}
	list := b.q.lease(n, now.Add(lasts))
	if len(list) == 0 {
		return list, b.changed
	}
	b.counts.Deliveries += len(list)
	b.counts.LeasedMax = max(b.counts.LeasedMax, len(b.q.leases))
	b.log("lease", len(list))
	if early {
		b.log("early", len(list))
	}
	return list, nil
}

// receipts reads the body of a request.
func receipts(w http.ResponseWriter, r *http.Request) ([]string, bool) {
	var body struct {
		Receipt  string   `json:"receipt"`
		Receipts []string `json:"receipts"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&body); err != nil {
		return nil, false
	}
	if body.Receipt != "" {
		body.Receipts = append(body.Receipts, body.Receipt)
	}
	return body.Receipts, len(body.Receipts) > 0 && len(body.Receipts) <= maxReceipts
}

// ack takes acknowledgements.
func (b *Broker) ack(w http.ResponseWriter, r *http.Request) {
	list, ok := receipts(w, r)
	if !ok {
		b.bad(w, "receipts is a list of 1 to 1000 receipts")
		return
	}
	b.mu.Lock()
	if c := b.catch; c.takes(len(list)) {
		if c.apply {
			b.settle(list, b.q.ack, &b.counts.Acked)
		}
		if b.log("caught", len(list)); !c.came {
			c.came = true
			close(c.done)
		}
		b.mu.Unlock()
		b.keep(w, r, c.frozen)
		return
	}
	b.counts.Acks++
	b.log("ack", len(list))
	b.finish(w, func() []string { return b.settle(list, b.q.ack, &b.counts.Acked) })
}

// keep holds a request until acks go on, and then lets it fail.
func (b *Broker) keep(w http.ResponseWriter, r *http.Request, frozen <-chan struct{}) {
	select {
	case <-frozen:
		problem(w, http.StatusInternalServerError, "the broker has failed")
	case <-r.Context().Done():
	}
}

// dead takes messages that nobody can deal with.
func (b *Broker) dead(w http.ResponseWriter, r *http.Request) {
	list, ok := receipts(w, r)
	if !ok {
		b.bad(w, "receipt is missing")
		return
	}
	b.mu.Lock()
	b.log("dead", len(list))
	b.finish(w, func() []string { return b.settle(list, b.q.dead, &b.counts.Dead) })
}

// settle ends leases, and returns the receipts of those that had ended. The caller holds the lock.
func (b *Broker) settle(list []string, end func(string, time.Time, time.Duration) bool, counted *int) []string {
	now := time.Now()
	expired := []string{}
	for _, receipt := range list {
		if end(receipt, now, now.Sub(b.o.Epoch)) {
			*counted++
		} else {
			b.counts.Late++
			expired = append(expired, receipt)
		}
	}
	b.wake()
	return expired
}

// extend leases anew.
func (b *Broker) extend(w http.ResponseWriter, r *http.Request) {
	list, ok := receipts(w, r)
	if !ok {
		b.bad(w, "receipts is a list of 1 to 1000 receipts")
		return
	}
	b.mu.Lock()
	b.log("extend", len(list))
	b.finish(w, func() []string {
		now, expired := time.Now(), []string{}
		for _, receipt := range list {
			if b.q.extend(receipt, now, now.Add(b.o.Visibility)) {
				b.counts.Extended++
			} else {
				b.counts.Late++
				expired = append(expired, receipt)
			}
		}
		return expired
	})
}

// finish carries a request out, unless it fails before that, and answers. The caller holds the lock, which is given back.
func (b *Broker) finish(w http.ResponseWriter, do func() []string) {
	fails, done := b.fails()
	var expired []string
	if done {
		expired = do()
	}
	b.mu.Unlock()
	if fails {
		problem(w, http.StatusInternalServerError, "the broker has failed")
		return
	}
	answer(w, map[string]any{"expired": expired})
}
