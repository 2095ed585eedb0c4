package daemon

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sparkd"
	"sparkd/env"
)

// metrics are what /metrics shows of the daemon, in base units. Labels are few: an id
// is never one.
type metrics struct {
	registry *prometheus.Registry

	rollouts  *prometheus.CounterVec // ended, by state
	trees     *prometheus.CounterVec // ended, by state
	nodes     prometheus.Counter
	failed    prometheus.Counter
	diverged  prometheus.Counter // of failed
	forks     prometheus.Counter
	generated prometheus.Counter
	prompt    prometheus.Counter
	computed  prometheus.Counter
	cached    prometheus.Counter
	envSteps  prometheus.Counter
	replayed  prometheus.Counter

	commit prometheus.Histogram
	sample prometheus.Histogram
	env    *prometheus.HistogramVec
}

func newMetrics(p *Parts, envs *env.Catalog, e sparkd.Engine) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	m.nodes = counter("sparkd_nodes_total", "Agent steps committed.")
	m.failed = counter("sparkd_failed_branches_total", "Branches that an engine or environment broke.")
	m.diverged = counter("sparkd_diverged_branches_total", "Of them, by an environment that did not repeat itself.")
	m.forks = counter("sparkd_forks_total", "Leaves created beyond the roots.")
	m.generated = counter("sparkd_generated_tokens_total", "Tokens sampled, in committed rounds.")
	m.prompt = counter("sparkd_prompt_tokens_total", "Prompt tokens asked for, in committed rounds.")
	m.computed = counter("sparkd_computed_prompt_tokens_total", "Prompt tokens run through the model, in committed rounds.")
	m.cached = counter("sparkd_cached_prompt_tokens_total", "Prompt tokens reused, in committed rounds.")
	m.envSteps = counter("sparkd_env_steps_total", "Environment steps, replays not counted.")
	m.replayed = counter("sparkd_env_replayed_steps_total", "Environment steps repeated to fork.")
	m.rollouts = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sparkd_rollouts_total", Help: "Rollouts ended, by last state."}, []string{"state"})
	m.trees = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sparkd_trees_total", Help: "Trees ended, by last state."}, []string{"state"})
	m.commit = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sparkd_store_commit_seconds", Help: "Time to commit a round.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)})
	m.sample = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sparkd_sample_seconds", Help: "Time to sample an expansion, waiting included.",
		Buckets: prometheus.ExponentialBuckets(0.01, 3, 9)})
	m.env = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sparkd_env_step_seconds", Help: "Time of an environment step.",
		Buckets: prometheus.ExponentialBuckets(0.000001, 10, 9)}, []string{"env"})
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sparkd_build_info", Help: "Always 1; the labels describe the build."},
		[]string{"version", "commit", "goversion"})
	build.WithLabelValues(p.Version, p.Commit, runtime.Version()).Set(1)
	m.registry.MustRegister(m.rollouts, m.trees, m.commit, m.sample, m.env, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(newEnvMetrics(envs))
	m.registerEngine(e)
	return m
}

// registerQueue registers what is read from the queue when it is asked for.
func (m *metrics) registerQueue(q *queue, limits *DaemonConfig) {
	gauge := func(name, help string, labels prometheus.Labels, read func(status) int) {
		opts := prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}
		m.registry.MustRegister(prometheus.NewGaugeFunc(opts, func() float64 { return float64(read(q.status())) }))
	}
	const left = "Rollouts that have not ended, by state."
	state := func(name string) prometheus.Labels { return prometheus.Labels{"state": name} }
	gauge("sparkd_rollouts", left, state("queued"), func(s status) int { return s.queued })
	gauge("sparkd_rollouts", left, state("running"), func(s status) int { return s.running })
	gauge("sparkd_queue_capacity", "Most rollouts that may wait.", nil, func(status) int { return limits.Queue })
	gauge("sparkd_trees_growing", "Trees that grow now.", nil, func(s status) int { return s.growing })
	gauge("sparkd_trees_limit", "Most trees that may grow at once.", nil, func(status) int { return limits.Trees })
	gauge("sparkd_ready", "1 while rollouts are accepted.", nil, func(s status) int {
		if s.ready == nil {
			return 1
		}
		return 0
	})
}

// committed counts a round of a tree: its new nodes, and its totals beyond before.
func (m *metrics) committed(took time.Duration, t *sparkd.Tree, first int, before sparkd.Stats) {
	m.commit.Observe(took.Seconds())
	s := t.Stats
	m.forks.Add(float64(max(0, s.Forks-before.Forks)))
	m.nodes.Add(float64(max(0, s.Nodes-before.Nodes)))
	m.failed.Add(float64(max(0, s.Failed-before.Failed)))
	m.diverged.Add(float64(max(0, s.Diverged-before.Diverged)))
	m.generated.Add(float64(max(0, s.GeneratedTokens-before.GeneratedTokens)))
	m.prompt.Add(float64(max(0, s.PromptTokens-before.PromptTokens)))
	m.computed.Add(float64(max(0, s.ComputedTokens-before.ComputedTokens)))
	m.cached.Add(float64(max(0, s.CachedTokens-before.CachedTokens)))
	m.envSteps.Add(float64(max(0, s.EnvSteps-before.EnvSteps)))
	m.replayed.Add(float64(max(0, s.ReplaySteps-before.ReplaySteps)))
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
