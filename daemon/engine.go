package daemon

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"sparkd/api"
	"sparkd/engine"
	"sparkd/engine/embedded"
	"sparkd/sampler"
	"sparkd/store"
)

// openEngine takes the caller's engine or loads the configured model, and derives how
// its model is talked to.
func (d *Daemon) openEngine(ctx context.Context) (err error) {
	switch {
	case d.parts.Offline:
		return nil
	case d.parts.Engine != nil:
		d.engine = d.parts.Engine
	case d.config.Engine.Kind == "remote":
		if err := d.connectReplicas(ctx); err != nil {
			return err
		}
	default:
		if err := d.loadModel(ctx); err != nil {
			return err
		}
	}
	return d.wording(ctx)
}

// wording finds out how the model is talked to.
func (d *Daemon) wording(ctx context.Context) (err error) {
	if d.template, err = sampler.ModelTemplate(ctx, d.engine); err != nil {
		return err
	}
	if d.template.Warning != "" {
		d.log.Warn().Msg(d.template.Warning)
	}
	c := d.config.Sampler
	d.prompt = sampler.Prompt{Style: sampler.Style(c.Prompt), Admissible: c.Admissible, Terse: !c.Examples}
	if c.Prompt == "auto" {
		if d.prompt.Style, err = sampler.ModelStyle(d.engine.Describe().ChatTemplate); err != nil {
			return err
		}
	}
	d.log.Info().Str("style", string(d.prompt.Style)).Str("template", d.template.Name).Msg("how the model is prompted")
	return nil
}

func (d *Daemon) loadModel(ctx context.Context) error {
	c := d.config.Engine
	start := time.Now()
	path, err := modelPath(ctx, c.Model)
	if err != nil {
		return err
	}
	e, err := embedded.Open(ctx, embedded.Options{
		Model: path, Threads: int(c.Threads), Cells: int(c.Cells), Batch: c.Batch, Chunk: c.Chunk, Queue: c.Queue, PrefixCache: c.PrefixCache,
	})
	if err != nil {
		return err
	}
	d.engine = e
	if w := EngineWarning(); w != "" {
		d.log.Warn().Msg(w)
	}
	about := e.Describe()
	d.log.Info().Str("model", about.Model).Str("weights", about.WeightType).Str("version", about.PolicyVersion).
		Int("context", about.ContextLength).Interface("settings", about.Details()).Dur("took", time.Since(start)).Msg("the model is loaded")
	return nil
}

// connectReplicas opens the servers that hold the model.
func (d *Daemon) connectReplicas(ctx context.Context) error {
	c := d.config.Engine
	key, err := secretIn("engine.api_key_file", c.APIKeyFile)
	if err != nil {
		return err
	}
	p, err := engine.Open(ctx, engine.Options{Replicas: c.Replicas, Dialect: c.Dialect, Model: c.ServedModel, APIKey: key, Tokenizer: c.Tokenizer,
		Inflight: c.Inflight, Timeout: time.Duration(c.Timeout)})
	if err != nil {
		return err
	}
	d.engine = p
	for _, r := range p.Replicas() {
		d.log.Info().Str("replica", r.Name).Str("dialect", r.Dialect).Str("server", r.Version).Str("state", r.State).Str("model", r.Info.Model).
			Interface("capabilities", r.Info.Capabilities).Msg("a replica")
	}
	return nil
}

// EngineWarning says what the embedded engine of this build lacks, or "".
func EngineWarning() string { return embedded.BuildWarning() }

func (c *StoreConfig) options(log zerolog.Logger) store.Options {
	return store.Options{Sync: c.Sync, MinFree: int64(c.MinFree), Events: c.Events, Logger: log}
}

func (a *APIConfig) options(token string, log zerolog.Logger) api.Options {
	return api.Options{
		Listen: a.Listen, Token: token, MaxBody: int(a.MaxBody), Connections: a.Connections, Streams: a.Streams,
		ReadTimeout: time.Duration(a.ReadTimeout), IdleTimeout: time.Duration(a.IdleTimeout), WriteTimeout: time.Duration(a.WriteTimeout),
		RequestTimeout: time.Duration(a.RequestTimeout), Heartbeat: time.Duration(a.Heartbeat), Logger: log,
	}
}
