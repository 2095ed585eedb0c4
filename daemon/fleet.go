package daemon

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/api"
)

// fleet is the part of the API that shows and steers what samples. Nothing in it changes.
type fleet struct {
	log     zerolog.Logger
	engine  sparkd.Engine // nil when offline
	started time.Time
}

// Engines describes what samples: the replicas of a pool, or the engine in this process as a fleet of one.
func (p *fleet) Engines() api.Engines {
	if p.engine == nil {
		return api.Engines{Replicas: []sparkd.Replica{}}
	}
	about := p.engine.Describe()
	out := api.Engines{PolicyVersion: about.PolicyVersion}
	if f, ok := p.engine.(sparkd.Fleet); ok {
		out.Replicas = f.Replicas()
		return out
	}
	one := sparkd.Replica{Name: about.Name, Dialect: about.Name, State: sparkd.ReplicaUp, Since: p.started, Info: about}
	if c, ok := p.engine.(sparkd.StatsReporter); ok {
		s := c.Stats()
		one.Running, one.Waiting, one.Requests, one.Failures = s.Running, s.Waiting, int(s.Requests), int(s.Failed)
		one.CachedTokens = int(s.CachedTokens)
		one.ExpectedTokens, one.PromptTokens = one.CachedTokens, int(s.CachedTokens+s.ComputedTokens)
	}
	out.Replicas = []sparkd.Replica{one}
	return out
}

// Reload moves the engine to new weights. Trees under way grow on with them; every span says which version made it.
func (p *fleet) Reload(ctx context.Context, w sparkd.Weights) error {
	r, ok := p.engine.(sparkd.Reloader)
	if !ok {
		return sparkd.Invalid("", "start sparkd anew with the new weights",
			"this engine cannot exchange its weights while it runs")
	}
	version, err := r.Reload(ctx, w)
	if err != nil {
		p.log.Error().Err(err).Str("path", w.Path).Msg("the weights were not exchanged")
		return err
	}
	p.log.Info().Str("version", version).Str("path", w.Path).Msg("the engine has new weights")
	return nil
}

// Drain takes a replica out of service, or puts it back.
func (p *fleet) Drain(name string, out bool) error {
	f, ok := p.engine.(sparkd.Fleet)
	if !ok {
		return sparkd.Invalid("replica", "configure engine.kind = \"remote\"", "there is no pool of replicas")
	}
	return f.Drain(name, out)
}
