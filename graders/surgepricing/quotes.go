package surgepricing

import (
	"sync"
	"time"

	"github.com/assay-run/assay/graders/heartbeat"
)

// quoteRecords bounds the record of quotes: 200 a second for more than five minutes.
const quoteRecords = 1 << 16

// quoteLog takes the answers to quotes as they come.
type quoteLog struct {
	epoch time.Time

	mu   sync.Mutex
	seen quotes
}

// check records the answer to a question and says whether it is a quote at all. Whether it is right is for the judge to say,
// who knows the tables.
func (l *quoteLog) check(number int, a heartbeat.Answer) bool {
	p, ok := priced{}, false
	if a.Status == 200 {
		p, ok = parsePriced(a.Body)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	q := &l.seen
	switch {
	case !ok:
		q.Bad++
		if q.FirstBad == "" {
			q.FirstBad = quoted(string(a.Body[:min(len(a.Body), 400)]))
		}
	case len(q.Number) == quoteRecords:
		q.Dropped++
	default:
		q.Number = append(q.Number, number)
		q.Sent = append(q.Sent, round(a.Sent.Sub(l.epoch)))
		q.Got = append(q.Got, round(a.Got.Sub(l.epoch)))
		q.Cents = append(q.Cents, p.Cents)
		q.Multiplier = append(q.Multiplier, p.Multiplier)
		q.Epoch = append(q.Epoch, p.Epoch)
	}
	return ok
}

// round is a time in seconds, to microseconds, which keeps the record short.
func round(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }

func (l *quoteLog) taken() quotes {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}
