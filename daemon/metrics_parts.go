package daemon

import (
	"iter"
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"sparkd"
	"sparkd/env"
)

// partMetrics shows what the parts of something count themselves, a replica of a pool for example: a metric for
// each number, with the part's name as its label. It is read when it is asked for.
type partMetrics[T any] struct {
	label   string
	parts   func() iter.Seq2[string, T]
	numbers []partNumber[T]
}

type partNumber[T any] struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*T) int
}

func (m *partMetrics[T]) total(name, help string, read func(*T) int) {
	m.add(prometheus.CounterValue, name+"_total", help, read)
}

func (m *partMetrics[T]) now(name, help string, read func(*T) int) {
	m.add(prometheus.GaugeValue, name, help, read)
}

func (m *partMetrics[T]) add(kind prometheus.ValueType, name, help string, read func(*T) int) {
	desc := prometheus.NewDesc("sparkd_"+name, help, []string{m.label}, nil)
	m.numbers = append(m.numbers, partNumber[T]{desc, kind, read})
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
			c <- prometheus.MustNewConstMetric(n.desc, n.kind, float64(n.read(&part)), name)
		}
	}
}

// newEnvMetrics returns the totals of the environments that run in workers: what it costs
// that there are fewer places than leaves, which no tree's own counts show.
func newEnvMetrics(c *env.Catalog) prometheus.Collector {
	type stats = *env.WorkerStats
	m := &partMetrics[env.WorkerStats]{label: "env"}
	m.parts = func() iter.Seq2[string, env.WorkerStats] { return maps.All(c.Workers()) }
	m.total("env_workers_started", "Workers started, those in place of others included.",
		func(s stats) int { return s.Started })
	m.total("env_evictions", "Idle copies that lost their session to others.", func(s stats) int { return s.Evicted })
	m.total("env_rebuilds", "States rebuilt for copies that had lost their session.",
		func(s stats) int { return s.Rebuilt })
	m.total("env_rebuilt_steps", "Steps repeated for that.", func(s stats) int { return s.ReplayedSteps })
	m.total("env_rebuilds_diverged", "Rebuilds in which an observation was another one.",
		func(s stats) int { return s.Diverged })
	return m
}

// newFleetMetrics returns the totals of every replica of a pool.
func newFleetMetrics(f sparkd.Fleet) prometheus.Collector {
	type replica = *sparkd.Replica
	m := &partMetrics[sparkd.Replica]{label: "replica"}
	m.parts = func() iter.Seq2[string, sparkd.Replica] {
		return func(yield func(string, sparkd.Replica) bool) {
			for _, r := range f.Replicas() {
				if !yield(r.Name, r) {
					return
				}
			}
		}
	}
	m.now("replica_up", "1 while the replica is in service.", func(r replica) int {
		if r.State == sparkd.ReplicaUp {
			return 1
		}
		return 0
	})
	m.now("replica_requests_running", "Sampling requests under way.", func(r replica) int { return r.Running })
	m.now("replica_requests_waiting", "Sampling requests that wait for the replica.",
		func(r replica) int { return r.Waiting })
	m.total("replica_requests", "Sampling requests answered.", func(r replica) int { return r.Requests })
	m.total("replica_failures", "Sampling requests that failed there.", func(r replica) int { return r.Failures })
	m.total("replica_prompt_tokens", "Prompt tokens asked for.", func(r replica) int { return r.PromptTokens })
	m.total("replica_expected_tokens", "Prompt tokens that the replica was expected to reuse.",
		func(r replica) int { return r.ExpectedTokens })
	m.total("replica_cached_tokens", "Prompt tokens that the replica says it reused.",
		func(r replica) int { return r.CachedTokens })
	return m
}
