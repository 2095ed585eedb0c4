package daemon

import (
	"github.com/prometheus/client_golang/prometheus"

	"sparkd"
)

// registerEngine registers what an engine says of itself.
func (m *metrics) registerEngine(e sparkd.Engine) {
	if f, ok := e.(sparkd.Fleet); ok {
		m.registry.MustRegister(newFleetMetrics(f))
	}
	if r, ok := e.(sparkd.StatsReporter); ok {
		m.registry.MustRegister(newEngineMetrics(r))
	}
}

// engineMetrics are the totals that an engine keeps itself.
type engineMetrics struct {
	engine  sparkd.StatsReporter
	values  []engineValue
	batches []engineBatch
}

type engineValue struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*sparkd.EngineStats) float64
}

type engineBatch struct {
	desc *prometheus.Desc
	read func(*sparkd.EngineStats) *sparkd.Histogram
}

func newEngineMetrics(e sparkd.StatsReporter) *engineMetrics {
	m := &engineMetrics{engine: e}
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("sparkd_engine_"+name, help, nil, nil)
	}
	total := func(name, help string, read func(*sparkd.EngineStats) uint64) {
		m.values = append(m.values, engineValue{desc(name+"_total", help), prometheus.CounterValue,
			func(s *sparkd.EngineStats) float64 { return float64(read(s)) }})
	}
	now := func(name, help string, read func(*sparkd.EngineStats) int) {
		m.values = append(m.values, engineValue{desc(name, help), prometheus.GaugeValue,
			func(s *sparkd.EngineStats) float64 { return float64(read(s)) }})
	}
	batch := func(name, help string, read func(*sparkd.EngineStats) *sparkd.Histogram) {
		m.batches = append(m.batches, engineBatch{desc(name, help), read})
	}
	type stats = *sparkd.EngineStats
	total("requests", "Sampling requests.", func(s stats) uint64 { return s.Requests })
	total("failed_requests", "Sampling requests that ended with an error.", func(s stats) uint64 { return s.Failed })
	total("forwards", "Forward passes of the model.", func(s stats) uint64 { return s.Forwards })
	total("decoded_tokens", "Tokens sampled.", func(s stats) uint64 { return s.GeneratedTokens })
	total("computed_prompt_tokens", "Prompt tokens run through the model.",
		func(s stats) uint64 { return s.ComputedTokens })
	total("cached_prompt_tokens", "Prompt tokens reused.", func(s stats) uint64 { return s.CachedTokens })
	total("forks", "Continuations that shared a prefix.", func(s stats) uint64 { return s.Forks })
	total("evictions", "Prefixes dropped to make room.", func(s stats) uint64 { return s.Evictions })
	total("evicted_tokens", "Tokens of the prefixes dropped.", func(s stats) uint64 { return s.EvictedTokens })
	total("reloads", "Exchanges of weights.", func(s stats) uint64 { return s.Reloads })
	now("requests_waiting", "Sampling requests that wait for cells.", func(s stats) int { return s.Waiting })
	now("requests_running", "Sampling requests under way.", func(s stats) int { return s.Running })
	now("live_leaves", "Continuations that decode now.", func(s stats) int { return s.LiveLeaves })
	now("kv_blocks", "Blocks of 16 KV cells.", func(s stats) int { return s.BlocksTotal })
	now("kv_blocks_free", "Blocks that hold nothing.", func(s stats) int { return s.BlocksFree })
	now("kv_blocks_held", "Blocks that live requests use.", func(s stats) int { return s.BlocksHeld })
	batch("decode_batch_tokens", "Decoded tokens of a forward.",
		func(s stats) *sparkd.Histogram { return &s.DecodeBatch })
	batch("prefill_batch_tokens", "Prompt tokens of a forward.",
		func(s stats) *sparkd.Histogram { return &s.PrefillBatch })
	return m
}

// Describe implements prometheus.Collector.
func (m *engineMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, v := range m.values {
		c <- v.desc
	}
	for _, b := range m.batches {
		c <- b.desc
	}
}

// Collect implements prometheus.Collector.
func (m *engineMetrics) Collect(c chan<- prometheus.Metric) {
	s := m.engine.Stats()
	for _, v := range m.values {
		c <- prometheus.MustNewConstMetric(v.desc, v.kind, v.read(&s))
	}
	for _, b := range m.batches {
		h := b.read(&s)
		buckets, count := map[float64]uint64{}, uint64(0)
		for i, n := range h.Counts {
			count += n
			if i < len(h.Counts)-1 { // the last one has no upper bound
				buckets[float64(uint64(1)<<i)] = count
			}
		}
		c <- prometheus.MustNewConstHistogram(b.desc, count, float64(h.Sum), buckets)
	}
}
