package daemon

import (
	"iter"

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

// newEngineMetrics returns the totals that an engine keeps itself.
func newEngineMetrics(e sparkd.StatsReporter) prometheus.Collector {
	type stats = *sparkd.EngineStats
	m := &partMetrics[sparkd.EngineStats]{prefix: "engine_", parts: onePart(e.Stats)}
	m.total("requests", "Sampling requests.", func(s stats) int { return int(s.Requests) })
	m.total("failed_requests", "Sampling requests that ended with an error.",
		func(s stats) int { return int(s.Failed) })
	m.total("forwards", "Forward passes of the model.", func(s stats) int { return int(s.Forwards) })
	m.total("decoded_tokens", "Tokens sampled.", func(s stats) int { return int(s.GeneratedTokens) })
	m.total("computed_prompt_tokens", "Prompt tokens run through the model.",
		func(s stats) int { return int(s.ComputedTokens) })
	m.total("cached_prompt_tokens", "Prompt tokens reused.", func(s stats) int { return int(s.CachedTokens) })
	m.total("forks", "Continuations that shared a prefix.", func(s stats) int { return int(s.Forks) })
	m.total("evictions", "Prefixes dropped to make room.", func(s stats) int { return int(s.Evictions) })
	m.total("evicted_tokens", "Tokens of the prefixes dropped.", func(s stats) int { return int(s.EvictedTokens) })
	m.total("reloads", "Exchanges of weights.", func(s stats) int { return int(s.Reloads) })
	m.now("requests_waiting", "Sampling requests that wait for cells.", func(s stats) int { return s.Waiting })
	m.now("requests_running", "Sampling requests under way.", func(s stats) int { return s.Running })
	m.now("live_leaves", "Continuations that decode now.", func(s stats) int { return s.LiveLeaves })
	m.now("kv_blocks", "Blocks of 16 KV cells.", func(s stats) int { return s.BlocksTotal })
	m.now("kv_blocks_free", "Blocks that hold nothing.", func(s stats) int { return s.BlocksFree })
	m.now("kv_blocks_held", "Blocks that live requests use.", func(s stats) int { return s.BlocksHeld })
	m.batch("decode_batch_tokens", "Decoded tokens of a forward.",
		func(s stats) sparkd.Histogram { return s.DecodeBatch })
	m.batch("prefill_batch_tokens", "Prompt tokens of a forward.",
		func(s stats) sparkd.Histogram { return s.PrefillBatch })
	return m
}

// newFleetMetrics returns the totals of every replica of a pool.
func newFleetMetrics(f sparkd.Fleet) prometheus.Collector {
	type replica = *sparkd.Replica
	m := &partMetrics[sparkd.Replica]{prefix: "replica_", label: "replica"}
	m.parts = func() iter.Seq2[string, sparkd.Replica] {
		return func(yield func(string, sparkd.Replica) bool) {
			for _, r := range f.Replicas() {
				if !yield(r.Name, r) {
					return
				}
			}
		}
	}
	m.now("up", "1 while the replica is in service.", func(r replica) int { return count(r.State == sparkd.ReplicaUp) })
	m.now("requests_running", "Sampling requests under way.", func(r replica) int { return r.Running })
	m.now("requests_waiting", "Sampling requests that wait for the replica.", func(r replica) int { return r.Waiting })
	m.total("requests", "Sampling requests answered.", func(r replica) int { return r.Requests })
	m.total("failures", "Sampling requests that failed there.", func(r replica) int { return r.Failures })
	m.total("prompt_tokens", "Prompt tokens asked for.", func(r replica) int { return r.PromptTokens })
	m.total("expected_tokens", "Prompt tokens that the replica was expected to reuse.",
		func(r replica) int { return r.ExpectedTokens })
	m.total("cached_tokens", "Prompt tokens that the replica says it reused.",
		func(r replica) int { return r.CachedTokens })
	return m
}
