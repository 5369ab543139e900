package httpload

import (
	"slices"
	"time"

	"github.com/assay-run/assay/graders/latency"
	"github.com/assay-run/assay/internal/evidence"
)

// Outcome is how a request ended.
type Outcome string

// The outcomes of a request.
const (
	Good     Outcome = "good"      // answered, and Check was content
	Wrong    Outcome = "wrong"     // answered, and Check was not
	Refused  Outcome = "refused"   // no connection could be made
	Broken   Outcome = "broken"    // the connection ended, or what came was no HTTP
	TimedOut Outcome = "timed-out" // no complete answer within Options.Timeout
	TooLarge Outcome = "too-large" // the answer was beyond the bounds
	Cut      Outcome = "cut"       // the load was ended before it was answered; not the server's fault
)

// Record is what became of one request. Times are since Options.Start; -1 for what did not happen.
type Record struct {
	Intended time.Duration
	Sent     time.Duration // just before it was written (the last time, if it was written twice)
	Got      time.Duration // when the answer was complete, or the failure known
	// Latency is Got - Intended without the pauses of our own sender and the time stolen from the submission.
	Latency time.Duration
	Status  int
	Tries   int // how often it was written
	Outcome Outcome
}

// Result is what a load measured.
type Result struct {
	Records []Record // by number of the request
	End     time.Duration
	// Paused is how long our sender did not run, and Stolen how long the submission was kept from running; both are taken out of the
	// latencies, unless they were more than a tenth of the time: then they are 0 and nothing was taken out.
	Paused, Stolen time.Duration
}

// result sums up at the end.
func (l *load) result(end time.Duration) *Result {
	if l.o.Stolen != nil {
		l.pauses.Steal(l.o.Stolen(), l.o.Start)
	}
	forgiven := l.pauses.Forgiven(end)
	out := &Result{Records: l.records, End: end, Paused: forgiven.Own(), Stolen: forgiven.Stolen()}
	for i := range out.Records {
		r := &out.Records[i]
		got := r.Got
		if got < 0 {
			got = max(end, r.Intended) // cut while it waited
		}
		r.Latency = forgiven.Without(r.Intended, got-r.Intended)
	}
	return out
}

// Summary is about the requests that were due in a window.
type Summary struct {
	Due   int // requests, without those that we cut
	Sent  int // of these, written at all
	Good  int // of these, answered as Check wants it
	Count map[Outcome]int
	// Rate is how many were written a second, GoodRate how many of them were good ones.
	Rate, GoodRate float64
	// Latencies in ns of all of Due, however they ended; 0 when there are none.
	P50Ns, P99Ns, P999Ns, MaxNs int64
}

// Window sums up the requests that were due from one time to another, the end not included.
func (r *Result) Window(from, to time.Duration) Summary {
	s := Summary{Count: map[Outcome]int{}}
	var latencies []time.Duration
	for i := range r.Records {
		one := &r.Records[i]
		if one.Intended < from || one.Intended >= to {
			continue
		}
		s.Count[one.Outcome]++
		if one.Outcome == Cut {
			continue
		}
		s.Due++
		if one.Tries > 0 {
			s.Sent++
		}
		if one.Outcome == Good {
			s.Good++
		}
		latencies = append(latencies, one.Latency)
	}
	if span := (to - from).Seconds(); span > 0 {
		s.Rate, s.GoodRate = float64(s.Sent)/span, float64(s.Good)/span
	}
	slices.Sort(latencies)
	s.P50Ns, s.P99Ns = latency.Quantile(latencies, 0.5), latency.Quantile(latencies, 0.99)
	s.P999Ns, s.MaxNs = latency.Quantile(latencies, 0.999), latency.Quantile(latencies, 1)
	return s
}

// Curve is the latency of each request by its intended time, for the report. offset is added to the times: from the start of the process to
// that of the schedule.
func (r *Result) Curve(name string, offset time.Duration) evidence.Series {
	var curve evidence.Thinner
	for i := range r.Records {
		if one := &r.Records[i]; one.Outcome != Cut {
			curve.Add((offset + one.Intended).Seconds(), float64(one.Latency))
		}
	}
	return curve.Series(name, "ns")
}
