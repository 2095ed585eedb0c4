package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"sparkd"
	"sparkd/engine/embedded"
)

// counting is an engine that keeps totals.
type counting interface{ Stats() embedded.Stats }

// registerEngine registers an engine's own totals, which count what was computed for
// rounds that were never committed, too.
func (m *metrics) registerEngine(e sparkd.Engine) {
	if f, ok := e.(sparkd.Fleet); ok {
		m.registry.MustRegister(newFleetMetrics(f))
	}
	c, ok := e.(counting)
	if !ok {
		return
	}
	read := func(kind prometheus.ValueType, name, help string, value func(*embedded.Stats) float64) {
		m.registry.MustRegister(&engineMetric{c, prometheus.NewDesc(name, help, nil, nil), kind, value})
	}
	total, now := prometheus.CounterValue, prometheus.GaugeValue
	read(total, "sparkd_engine_requests_total", "Sampling requests.", func(s *embedded.Stats) float64 { return float64(s.Requests) })
	read(total, "sparkd_engine_failed_requests_total", "Sampling requests that ended with an error.", func(s *embedded.Stats) float64 { return float64(s.Failed) })
	read(total, "sparkd_engine_forwards_total", "Forward passes of the model.", func(s *embedded.Stats) float64 { return float64(s.Forwards) })
	read(total, "sparkd_engine_decoded_tokens_total", "Tokens sampled.", func(s *embedded.Stats) float64 { return float64(s.GeneratedTokens) })
	read(total, "sparkd_engine_computed_prompt_tokens_total", "Prompt tokens run through the model.", func(s *embedded.Stats) float64 { return float64(s.ComputedTokens) })
	read(total, "sparkd_engine_cached_prompt_tokens_total", "Prompt tokens reused.", func(s *embedded.Stats) float64 { return float64(s.CachedTokens) })
	read(total, "sparkd_engine_forks_total", "Continuations that shared a prefix.", func(s *embedded.Stats) float64 { return float64(s.Forks) })
	read(total, "sparkd_engine_evictions_total", "Prefixes dropped to make room.", func(s *embedded.Stats) float64 { return float64(s.Evictions) })
	read(total, "sparkd_engine_evicted_tokens_total", "Tokens of the prefixes dropped.", func(s *embedded.Stats) float64 { return float64(s.EvictedTokens) })
	read(total, "sparkd_engine_reloads_total", "Exchanges of weights.", func(s *embedded.Stats) float64 { return float64(s.Reloads) })
	read(now, "sparkd_engine_requests_waiting", "Sampling requests that wait for cells.", func(s *embedded.Stats) float64 { return float64(s.Waiting) })
	read(now, "sparkd_engine_requests_running", "Sampling requests under way.", func(s *embedded.Stats) float64 { return float64(s.Running) })
	read(now, "sparkd_engine_live_leaves", "Continuations that decode now.", func(s *embedded.Stats) float64 { return float64(s.LiveLeaves) })
	read(now, "sparkd_engine_kv_blocks", "Blocks of 16 KV cells.", func(s *embedded.Stats) float64 { return float64(s.BlocksTotal) })
	read(now, "sparkd_engine_kv_blocks_free", "Blocks that hold nothing.", func(s *embedded.Stats) float64 { return float64(s.BlocksFree) })
	read(now, "sparkd_engine_kv_blocks_held", "Blocks that live requests use.", func(s *embedded.Stats) float64 { return float64(s.BlocksHeld) })
	m.registry.MustRegister(
		&engineBatch{c, prometheus.NewDesc("sparkd_engine_decode_batch_tokens", "Decoded tokens of a forward.", nil, nil), func(s *embedded.Stats) *embedded.Histogram { return &s.DecodeBatch }},
		&engineBatch{c, prometheus.NewDesc("sparkd_engine_prefill_batch_tokens", "Prompt tokens of a forward.", nil, nil), func(s *embedded.Stats) *embedded.Histogram { return &s.PrefillBatch }})
}

// engineMetric is one number of an engine's totals.
type engineMetric struct {
	engine counting
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	value  func(*embedded.Stats) float64
}

func (m *engineMetric) Describe(c chan<- *prometheus.Desc) { c <- m.desc }

func (m *engineMetric) Collect(c chan<- prometheus.Metric) {
	s := m.engine.Stats()
	c <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&s))
}

// engineBatch is one histogram of an engine's totals.
type engineBatch struct {
	engine counting
	desc   *prometheus.Desc
	read   func(*embedded.Stats) *embedded.Histogram
}

func (m *engineBatch) Describe(c chan<- *prometheus.Desc) { c <- m.desc }

func (m *engineBatch) Collect(c chan<- prometheus.Metric) {
	s := m.engine.Stats()
	h := m.read(&s)
	buckets, count := map[float64]uint64{}, uint64(0)
	for i, n := range h.Counts {
		count += n
		if i < len(h.Counts)-1 { // the last one has no upper bound
			buckets[float64(uint64(1)<<i)] = count
		}
	}
	c <- prometheus.MustNewConstHistogram(m.desc, count, float64(h.Sum), buckets)
}
