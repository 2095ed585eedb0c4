package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"sparkd/env"
)

// envMetrics are the totals of the environments that run in workers: what it costs that
// there are fewer places than leaves, which no tree's own counts show.
type envMetrics struct {
	envs *env.Catalog
	all  []envMetric
}

type envMetric struct {
	desc  *prometheus.Desc
	value func(*env.WorkerStats) int
}

func newEnvMetrics(c *env.Catalog) *envMetrics {
	m := &envMetrics{envs: c}
	total := func(name, help string, value func(*env.WorkerStats) int) {
		m.all = append(m.all, envMetric{prometheus.NewDesc(name, help, []string{"env"}, nil), value})
	}
	total("sparkd_env_workers_started_total", "Workers started, those in place of others included.", func(s *env.WorkerStats) int { return s.Started })
	total("sparkd_env_evictions_total", "Idle copies that lost their session to others.", func(s *env.WorkerStats) int { return s.Evicted })
	total("sparkd_env_rebuilds_total", "States rebuilt for copies that had lost their session.", func(s *env.WorkerStats) int { return s.Rebuilt })
	total("sparkd_env_rebuilt_steps_total", "Steps repeated for that.", func(s *env.WorkerStats) int { return s.ReplayedSteps })
	total("sparkd_env_rebuilds_diverged_total", "Rebuilds in which an observation was another one.", func(s *env.WorkerStats) int { return s.Diverged })
	return m
}

// Describe implements prometheus.Collector.
func (m *envMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, e := range m.all {
		c <- e.desc
	}
}

// Collect implements prometheus.Collector.
func (m *envMetrics) Collect(c chan<- prometheus.Metric) {
	for name, s := range m.envs.Workers() {
		for _, e := range m.all {
			c <- prometheus.MustNewConstMetric(e.desc, prometheus.CounterValue, float64(e.value(&s)), name)
		}
	}
}
