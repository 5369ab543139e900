package heartbeat

import "github.com/assay-run/assay/internal/evidence"

// The names of the metrics that every workload with a heartbeat has.
const (
	MetricP50      = "hb.p50"
	MetricP99      = "hb.p99"
	MetricP999     = "hb.p999"
	MetricMax      = "hb.max"
	MetricStall    = "hb.stall"
	MetricAnswered = "hb.answered"
)

// Metrics documents them. target says what is asked and when, e.g. "GET /progress".
func Metrics(target string) []evidence.MetricDoc {
	lower := evidence.LowerIsBetter
	return []evidence.MetricDoc{
		{Name: MetricP50, Unit: "ns", Better: lower, Noise: 0.12, Doc: "median time until the heartbeat (" + target + ") was answered, from when the request was due"},
		{Name: MetricP99, Unit: "ns", Better: lower, Noise: 0.12, Doc: "99th percentile of the same"},
		{Name: MetricP999, Unit: "ns", Better: lower, Noise: 0.25, Doc: "99.9th percentile of the same"},
		{Name: MetricMax, Unit: "ns", Better: lower, Noise: 0.3, Doc: "longest of the same"},
		{Name: MetricStall, Unit: "ns", Better: lower, Noise: 0.3, Doc: "longest stall: from when the main thread began the work during which nothing was answered, by the kernel's account or else the middle between the last answer and the next request, to the answer that ended it"},
		{Name: MetricAnswered, Unit: "share", Better: evidence.HigherIsBetter, Noise: 0.01, Doc: "share of the heartbeats due after the start-up that were answered within one second"},
	}
}

// Measure adds the metrics of a heartbeat to values. One of which no beat counts has none, and false is returned.
func Measure(values map[string]float64, hb *evidence.Heartbeat) bool {
	if hb == nil || hb.Due == 0 {
		return false
	}
	for name, ns := range map[string]int64{
		MetricP50: hb.P50Ns, MetricP99: hb.P99Ns, MetricP999: hb.P999Ns, MetricMax: hb.MaxNs, MetricStall: hb.StallNs,
	} {
		values[name] = float64(ns)
	}
	values[MetricAnswered] = float64(hb.Prompt) / float64(hb.Due)
	return true
}
