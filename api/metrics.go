package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the server's own. Labels hold route patterns, never paths.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	streams  prometheus.Gauge
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sparkd_http_requests_total", Help: "Requests answered; streams count when they end.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sparkd_http_request_seconds",
			Help:    "Time to answer a request; for streams, how long they were open.",
			Buckets: []float64{.0005, .001, .005, .01, .05, .1, .5, 1, 5, 30, 300},
		}, []string{"route"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sparkd_http_streams", Help: "Exports and event streams that are open.",
		}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.streams)
	return m
}

func (m *metrics) observe(e entry, elapsed time.Duration) {
	m.requests.WithLabelValues(methodLabel(e.method), e.pattern, strconv.Itoa(e.status)).Inc()
	m.seconds.WithLabelValues(e.pattern).Observe(elapsed.Seconds())
}

// methodLabel keeps the number of label values bounded whatever clients send.
func methodLabel(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "other"
}
