package httpbase

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts requests by method, route and status: never by address, path or person.
type Metrics struct {
	running  prometheus.Gauge
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewMetrics makes the figures and registers them.
func NewMetrics(to prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "assay_http_requests_running", Help: "Requests that are being answered."}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "assay_http_requests_total", Help: "Requests that were answered.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "assay_http_request_seconds", Help: "How long requests took.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		}, []string{"method", "route"}),
	}
	for _, c := range []prometheus.Collector{m.running, m.requests, m.seconds} {
		if err := to.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// ServeMetrics adds /metrics to routes: those of an address that is not for the public.
func ServeMetrics(routes *http.ServeMux, from prometheus.Gatherer) {
	routes.Handle("GET /metrics", promhttp.HandlerFor(from, promhttp.HandlerOpts{MaxRequestsInFlight: scrapers, Timeout: scrapeTimeout}))
}

const (
	scrapers      = 4
	scrapeTimeout = 10 * time.Second
)

func (m *Metrics) begin() {
	if m != nil {
		m.running.Inc()
	}
}

func (m *Metrics) end(verb, route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	if route == "" {
		route = "none" // what matched nothing: one label, whatever path was tried
	}
	m.running.Dec()
	m.requests.WithLabelValues(method(verb), route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method(verb), route).Observe(took.Seconds())
}

// method is one of those that exist; anything can stand in a request.
func method(verb string) string {
	switch verb {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return verb
	}
	return "other"
}
