package exportstream

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/loopback"
)

// contractCase is a request that is answered without a source.
type contractCase struct {
	ID     string
	Title  string
	Path   string
	status int
}

// contractCases are asked one after the other, of a fresh process.
func contractCases() []contractCase {
	return []contractCase{
		{"health", "GET /healthz answers", "/healthz", http.StatusOK},
		{"unknown-route", "A route that does not exist is 404", "/exports", http.StatusNotFound},
		{"rows-missing", "An export without a number of rows is 400", "/export?format=csv", http.StatusBadRequest},
		{"rows-text", "A number of rows that is none is 400", "/export?rows=12x&format=csv", http.StatusBadRequest},
		{"rows-negative", "A negative number of rows is 400", "/export?rows=-1&format=csv", http.StatusBadRequest},
		{"rows-fraction", "Half a row is 400", "/export?rows=1.5&format=csv", http.StatusBadRequest},
		{"format-missing", "An export without a format is 400", "/export?rows=5", http.StatusBadRequest},
		{"format-unknown", "A format that is neither csv nor ndjson is 400", "/export?rows=5&format=xlsx", http.StatusBadRequest},
	}
}

// requestWithin bounds each of them.
const requestWithin = 5 * time.Second

// together is how many exports of the contract are read at the same time.
const together = 3

// contract asks for what must be right, lets clients leave, lets sources fail, and asks once more.
func (d *driver) contract(ctx context.Context) {
	ctx, cancel := d.untilWithin(ctx)
	defer cancel()
	d.facts.Cases = map[string]*exchange.Answer{}
	for _, c := range contractCases() {
		one, cancel := context.WithTimeout(ctx, requestWithin)
		d.facts.Cases[c.ID] = exchange.Send(one, d.svc.Addr, d.epoch, exchange.Request(d.svc.Addr, http.MethodGet, c.Path, nil, false))
		cancel()
	}
	d.atOnce(ctx, groupBytes, together)
	d.atOnce(ctx, groupLeaving, len(d.params.Specs))
	d.untilClosed(d.svc.Within())
	d.atOnce(ctx, groupFailure, len(d.params.Specs))
	d.atOnce(ctx, groupAfter, 1)
	d.source.StopListening()
	d.atOnce(ctx, groupDown, 1)
}

// atOnce reads the exports of a group, so many at a time.
func (d *driver) atOnce(ctx context.Context, g group, width int) {
	var wg sync.WaitGroup
	turn := make(chan struct{}, width)
	for _, s := range d.params.Specs {
		if s.Group != g || d.svc.Ended() || ctx.Err() != nil {
			continue
		}
		turn <- struct{}{}
		st := d.ask(s)
		wg.Go(func() {
			defer func() { <-turn }()
			loopback.Pause(ctx, st.spec.Start)
			st.read(ctx, d)
		})
	}
	wg.Wait()
}

// isLeaving lists the groups whose clients hang up by plan or at the end of the time.
func (g group) isLeaving() bool {
	return slices.Contains([]group{groupLeaving, groupSlow, groupStalled, groupFast}, g)
}
