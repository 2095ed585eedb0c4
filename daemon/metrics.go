package daemon

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sparkd"
	"sparkd/env"
)

// metrics are what /metrics shows of the daemon, in base units. Labels are few: an id is never one.
type metrics struct {
	registry *prometheus.Registry

	rollouts *prometheus.CounterVec // ended, by state
	trees    *prometheus.CounterVec // ended, by state
	rounds   []roundCounter

	commit prometheus.Histogram
	sample prometheus.Histogram
	env    *prometheus.HistogramVec
}

// roundCounter counts what committed rounds add to one of the totals of their trees.
type roundCounter struct {
	prometheus.Counter
	read func(*sparkd.Stats) int
}

func newMetrics(p *Parts, envs *env.Catalog, e sparkd.Engine) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	in := promauto.With(m.registry)
	ended := func(name, help string) *prometheus.CounterVec {
		return in.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"state"})
	}
	m.rollouts = ended("sparkd_rollouts_total", "Rollouts ended, by last state.")
	m.trees = ended("sparkd_trees_total", "Trees ended, by last state.")
	m.registerRounds()
	buckets := func(name, help string, first, factor float64) prometheus.HistogramOpts {
		b := prometheus.ExponentialBuckets(first, factor, 9)
		return prometheus.HistogramOpts{Name: name, Help: help, Buckets: b}
	}
	m.commit = in.NewHistogram(buckets("sparkd_store_commit_seconds", "Time to commit a round.", 1e-4, 4))
	m.sample = in.NewHistogram(buckets("sparkd_sample_seconds",
		"Time to sample an expansion, waiting included.", 0.01, 3))
	m.env = in.NewHistogramVec(buckets("sparkd_env_step_seconds",
		"Time of an environment step.", 1e-6, 10), []string{"env"})
	build := prometheus.GaugeOpts{Name: "sparkd_build_info", Help: "Always 1; the labels describe the build."}
	in.NewGaugeVec(build, []string{"version", "commit", "goversion"}).
		WithLabelValues(p.Version, p.Commit, runtime.Version()).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newEnvMetrics(envs))
	m.registerEngine(e)
	return m
}

func (m *metrics) registerRounds() {
	type stats = *sparkd.Stats
	total := func(name, help string, read func(stats) int) {
		c := promauto.With(m.registry).NewCounter(prometheus.CounterOpts{Name: "sparkd_" + name + "_total", Help: help})
		m.rounds = append(m.rounds, roundCounter{c, read})
	}
	total("nodes", "Agent steps committed.", func(s stats) int { return s.Nodes })
	total("failed_branches", "Branches that an engine or environment broke.", func(s stats) int { return s.Failed })
	total("diverged_branches", "Of them, by an environment that did not repeat itself.",
		func(s stats) int { return s.Diverged })
	total("forks", "Leaves created beyond the roots.", func(s stats) int { return s.Forks })
	total("generated_tokens", "Tokens sampled, in committed rounds.", func(s stats) int { return s.GeneratedTokens })
	total("prompt_tokens", "Prompt tokens asked for, in committed rounds.", func(s stats) int { return s.PromptTokens })
	total("computed_prompt_tokens", "Prompt tokens run through the model, in committed rounds.",
		func(s stats) int { return s.ComputedTokens })
	total("cached_prompt_tokens", "Prompt tokens reused, in committed rounds.",
		func(s stats) int { return s.CachedTokens })
	total("env_steps", "Environment steps, replays not counted.", func(s stats) int { return s.EnvSteps })
	total("env_replayed_steps", "Environment steps repeated to fork.", func(s stats) int { return s.ReplaySteps })
}

// committed counts a round of a tree: its new nodes, and its totals beyond before.
func (m *metrics) committed(took time.Duration, t *sparkd.Tree, first int, before sparkd.Stats) {
	m.commit.Observe(took.Seconds())
	for _, c := range m.rounds {
		c.Add(float64(max(0, c.read(&t.Stats)-c.read(&before))))
	}
	env := m.env.WithLabelValues(t.Task.Env)
	for _, n := range t.Nodes[first:] {
		if n.ID == 0 || n.Failed() {
			continue
		}
		env.Observe(n.EnvTime.Seconds())
		if n.Decision.Index == 0 {
			m.sample.Observe(n.SampleTime.Seconds())
		}
	}
}
