package exportstream

import (
	"time"

	"github.com/assay-run/assay/graders/readers"
	"github.com/assay-run/assay/internal/evidence"
)

// held is what piles up behind slow clients.
func (r *run) held(m *evidence.Measures) {
	sum, n, began, slow := int64(0), 0, 0, 0
	for i := range r.specs {
		s := &r.specs[i]
		st := r.facts.Streams[s.ID]
		if s.Group != groupSlow && s.Group != groupStalled {
			continue
		}
		if st != nil {
			sum, n = sum+st.PeakHeld, n+1
		}
		if s.Group == groupSlow {
			slow++
			if st != nil && st.Client != nil && st.Client.FirstNs >= 0 {
				began++
			}
		}
	}
	if sum > 0 {
		m.Values[metricHeld] = float64(sum) / float64(n)
	}
	if slow > 0 {
		m.Values[metricBegan] = float64(began) / float64(slow)
	}
}

// beginning is what is left out of the pace of a slow client.
const beginning = time.Second

// pace is how the slow clients and the fast one were served.
func (r *run) pace(m *evidence.Measures) {
	sum, n := 0.0, 0
	for i := range r.specs {
		s := &r.specs[i]
		if s.Group != groupSlow {
			continue
		}
		n++
		st := r.facts.Streams[s.ID]
		// Whoever was cut off has been given nothing that is of use.
		if st == nil || st.Client == nil || st.Client.SentNs < 0 || st.Client.Status != 200 || st.Client.End != readers.Left || st.givenUp() {
			continue
		}
		wanted := float64(s.Script.Rate) * (time.Duration(st.Client.EndedNs-st.Client.SentNs) - beginning).Seconds()
		if wanted > 0 {
			sum += min(float64(st.Client.Bytes)/wanted, 1)
		}
	}
	if n > 0 {
		m.Values[metricServed] = sum / float64(n)
	}
	if r.facts.FastNs > 0 && !r.facts.Ended {
		m.Values[metricRate] = float64(r.facts.FastBytes) / time.Duration(r.facts.FastNs).Seconds()
	}
}

// givenUp says that the submission had closed the source before the client left, and not had everything. What waits in the kernel may
// go on to reach a slow client for a long time, so it need not have seen it.
func (r *result) givenUp() bool {
	for _, c := range r.Source.Conns {
		if c.DoneNs >= 0 || c.ClosedNs < 0 || c.ClosedNs >= r.Client.EndedNs {
			return false
		}
	}
	return true
}

// enoughBytes is from how many bytes on the CPU time for each GiB is told.
const enoughBytes = 16 << 20

// resources are figures of the kernel.
func (r *run) resources(m *evidence.Measures) {
	u := &r.exec.Usage
	if u.MemoryPeakBytes > 0 {
		m.Values[metricMemPeak] = float64(u.MemoryPeakBytes)
	}
	if u.MaxProcesses > 0 {
		m.Values[metricProcesses] = float64(u.MaxProcesses)
	}
	if r.facts.ReadyNs >= 0 {
		m.Values[metricStart] = float64(r.facts.ReadyNs)
	}
	given := int64(0)
	for _, st := range r.facts.Streams {
		if st != nil {
			given += st.GivenBytes
		}
	}
	if given >= enoughBytes {
		m.Values[metricCPU] = float64(u.CPUNs) / (float64(given) / (1 << 30))
	}
}
