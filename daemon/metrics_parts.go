package daemon

import (
	"iter"
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"sparkd"
	"sparkd/env"
)

// partMetrics shows what the parts of something count themselves, the replicas of a pool for example: a metric for
// each number, with the part's name as its label. It is read when it is asked for.
type partMetrics[T any] struct {
	prefix  string
	label   string // "" where there is one part
	parts   func() iter.Seq2[string, T]
	numbers []partNumber[T]
}

type partNumber[T any] struct {
	desc *prometheus.Desc
	read func(part *T, labels ...string) prometheus.Metric
}

func (m *partMetrics[T]) total(name, help string, read func(*T) int) {
	m.number(prometheus.CounterValue, name+"_total", help, read)
}

func (m *partMetrics[T]) now(name, help string, read func(*T) int) {
	m.number(prometheus.GaugeValue, name, help, read)
}

func (m *partMetrics[T]) number(kind prometheus.ValueType, name, help string, read func(*T) int) {
	desc := m.desc(name, help)
	m.numbers = append(m.numbers, partNumber[T]{desc, func(part *T, labels ...string) prometheus.Metric {
		return prometheus.MustNewConstMetric(desc, kind, float64(read(part)), labels...)
	}})
}

// batch shows a histogram whose buckets end at powers of two.
func (m *partMetrics[T]) batch(name, help string, read func(*T) sparkd.Histogram) {
	desc := m.desc(name, help)
	m.numbers = append(m.numbers, partNumber[T]{desc, func(part *T, labels ...string) prometheus.Metric {
		h := read(part)
		buckets, count := map[float64]uint64{}, uint64(0)
		for i, n := range h.Counts {
			count += n
			if i < len(h.Counts)-1 { // the last one has no upper bound
				buckets[float64(uint64(1)<<i)] = count
			}
		}
		return prometheus.MustNewConstHistogram(desc, count, float64(h.Sum), buckets, labels...)
	}})
}

func (m *partMetrics[T]) desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("sparkd_"+m.prefix+name, help, m.labels(m.label), nil)
}

func (m *partMetrics[T]) labels(of string) []string {
	if m.label == "" {
		return nil
	}
	return []string{of}
}

// Describe implements prometheus.Collector.
func (m *partMetrics[T]) Describe(c chan<- *prometheus.Desc) {
	for _, n := range m.numbers {
		c <- n.desc
	}
}

// Collect implements prometheus.Collector.
func (m *partMetrics[T]) Collect(c chan<- prometheus.Metric) {
	for name, part := range m.parts() {
		for _, n := range m.numbers {
			c <- n.read(&part, m.labels(name)...)
		}
	}
}

// onePart is the only part.
func onePart[T any](read func() T) func() iter.Seq2[string, T] {
	return func() iter.Seq2[string, T] { return maps.All(map[string]T{"": read()}) }
}

// count is 1 where something holds.
func count(holds bool) int {
	if holds {
		return 1
	}
	return 0
}

// newEnvMetrics returns the totals of the environments that run in workers: what it costs
// that there are fewer places than leaves, which no tree's own counts show.
func newEnvMetrics(c *env.Catalog) prometheus.Collector {
	type stats = *env.WorkerStats
	m := &partMetrics[env.WorkerStats]{prefix: "env_", label: "env"}
	m.parts = func() iter.Seq2[string, env.WorkerStats] { return maps.All(c.Workers()) }
	m.total("workers_started", "Workers started, those in place of others included.",
		func(s stats) int { return s.Started })
	m.total("evictions", "Idle copies that lost their session to others.", func(s stats) int { return s.Evicted })
	m.total("rebuilds", "States rebuilt for copies that had lost their session.",
		func(s stats) int { return s.Rebuilt })
	m.total("rebuilt_steps", "Steps repeated for that.", func(s stats) int { return s.ReplayedSteps })
	m.total("rebuilds_diverged", "Rebuilds in which an observation was another one.",
		func(s stats) int { return s.Diverged })
	return m
}

// registerQueue registers how the queue stands.
func (m *metrics) registerQueue(q *queue, limits *DaemonConfig) {
	now := &partMetrics[status]{parts: onePart(q.status)}
	now.now("queue_capacity", "Most rollouts that may wait.", func(*status) int { return limits.Queue })
	now.now("trees_growing", "Trees that grow now.", func(s *status) int { return s.growing })
	now.now("trees_limit", "Most trees that may grow at once.", func(*status) int { return limits.Trees })
	now.now("ready", "1 while rollouts are accepted.", func(s *status) int { return count(s.ready == nil) })
	byState := &partMetrics[int]{label: "state", parts: func() iter.Seq2[string, int] {
		s := q.status()
		return maps.All(map[string]int{"queued": s.queued, "running": s.running})
	}}
	byState.now("rollouts", "Rollouts that have not ended, by state.", func(n *int) int { return *n })
	m.registry.MustRegister(now, byState)
}
