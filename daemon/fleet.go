package daemon

import (
	"context"

	"sparkd"
	"sparkd/api"
)

// Engines describes what samples: the replicas of a pool, or the engine in this process
// as a fleet of one.
func (d *Daemon) Engines() api.Engines {
	if d.engine == nil {
		return api.Engines{Replicas: []sparkd.Replica{}}
	}
	about := d.engine.Describe()
	out := api.Engines{PolicyVersion: about.PolicyVersion}
	if f, ok := d.engine.(sparkd.Fleet); ok {
		out.Replicas = f.Replicas()
		return out
	}
	one := sparkd.Replica{Name: about.Name, Dialect: about.Name, State: sparkd.ReplicaUp, Since: d.started, Info: about}
	if c, ok := d.engine.(sparkd.StatsReporter); ok {
		s := c.Stats()
		one.Running, one.Waiting, one.Requests, one.Failures = s.Running, s.Waiting, int(s.Requests), int(s.Failed)
		one.CachedTokens = int(s.CachedTokens)
		one.ExpectedTokens, one.PromptTokens = one.CachedTokens, int(s.CachedTokens+s.ComputedTokens)
	}
	out.Replicas = []sparkd.Replica{one}
	return out
}

// Reload moves the engine to new weights. Trees under way grow on with them; every span
// says which version made it.
func (d *Daemon) Reload(ctx context.Context, w sparkd.Weights) error {
	r, ok := d.engine.(sparkd.Reloader)
	if !ok {
		return sparkd.Invalid("", "start sparkd anew with the new weights", "this engine cannot exchange its weights while it runs")
	}
	version, err := r.Reload(ctx, w)
	if err != nil {
		d.log.Error().Err(err).Str("path", w.Path).Msg("the weights were not exchanged")
		return err
	}
	d.log.Info().Str("version", version).Str("path", w.Path).Msg("the engine has new weights")
	return nil
}

// Drain takes a replica out of service, or puts it back.
func (d *Daemon) Drain(name string, out bool) error {
	f, ok := d.engine.(sparkd.Fleet)
	if !ok {
		return sparkd.Invalid("replica", "configure engine.kind = \"remote\"", "there is no pool of replicas")
	}
	return f.Drain(name, out)
}
