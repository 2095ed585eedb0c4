package daemon

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
	"sparkd/branching/advantage"
	"sparkd/env"
	"sparkd/export"
	"sparkd/sampler"
	"sparkd/store"
)

// about is the part of the API that describes the daemon. Nothing in it changes.
type about struct {
	parts    *Parts
	started  time.Time
	limits   *DaemonConfig
	prompt   sampler.Prompt
	engine   sparkd.Engine // nil when offline
	warnings []string      // about the model's chat template
	envs     *env.Catalog
	store    *store.Store
	queue    *queue
	metrics  *metrics
}

// Info describes the daemon.
func (p *about) Info() api.Info {
	s := p.queue.status()
	info := api.Info{
		Version: p.parts.Version, Commit: p.parts.Commit, Go: runtime.Version(), Started: p.started,
		Environments: p.envs.Infos(), Policies: branching.PolicyNames(), Advantages: advantage.Names(),
		Formats: export.Formats(),
		Queued:  s.queued, Running: s.running, Queue: p.limits.Queue, Trees: p.limits.Trees,
	}
	if p.engine != nil {
		info.Engine, info.Prompt = p.engine.Describe(), string(p.prompt.Style)
		info.Engine.Warnings = slices.Concat(info.Engine.Warnings, p.warnings)
	}
	if s, err := p.store.Stats(context.Background()); err == nil {
		info.LastEvent = s.LastEvent
	}
	return info
}

// Ready returns nil while rollouts are accepted.
func (p *about) Ready() error { return p.queue.status().ready }

// Gatherer returns the daemon's metrics.
func (p *about) Gatherer() prometheus.Gatherer { return p.metrics.registry }
