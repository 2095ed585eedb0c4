package daemon

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/engine"
	"sparkd/engine/embedded"
	"sparkd/sampler"
)

// openEngine returns the caller's engine, loads the configured model, or connects to the servers that hold it.
func openEngine(ctx context.Context, c *Config, p *Parts, log zerolog.Logger) (sparkd.Engine, error) {
	switch {
	case p.Offline:
		return nil, nil
	case p.Engine != nil:
		return p.Engine, nil
	case c.Engine.Kind == "remote":
		return connectReplicas(ctx, c, log)
	}
	return loadModel(ctx, c, log)
}

func loadModel(ctx context.Context, c *Config, log zerolog.Logger) (sparkd.Engine, error) {
	start := time.Now()
	path, err := modelPath(ctx, c.Engine.Model)
	if err != nil {
		return nil, err
	}
	o := c.Embedded
	o.Model = path
	e, err := embedded.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if w := EngineWarning(); w != "" {
		log.Warn().Msg(w)
	}
	about := e.Describe()
	log.Info().Str("model", about.Model).Str("weights", about.WeightType).Str("version", about.PolicyVersion).
		Int("context", about.ContextLength).Interface("settings", about.Details()).
		Float64("load_s", time.Since(start).Seconds()).Msg("the model is loaded")
	return e, nil
}

func connectReplicas(ctx context.Context, c *Config, log zerolog.Logger) (sparkd.Engine, error) {
	p, err := engine.Open(ctx, c.Remote)
	if err != nil {
		return nil, err
	}
	for _, r := range p.Replicas() {
		log.Info().Str("replica", r.Name).Str("dialect", r.Dialect).Str("server", r.Version).Str("state", r.State).
			Str("model", r.Info.Model).Interface("capabilities", r.Info.Capabilities).Msg("a replica")
		if r.Error != nil {
			log.Warn().Str("replica", r.Name).Str("error", r.Error.Error()).Msg("a replica is down")
		}
	}
	return p, nil
}

// promptStyle finds out how the model is talked to.
func promptStyle(ctx context.Context, e sparkd.Engine, c *sampler.Options, log zerolog.Logger) (
	t sampler.Template, p sampler.Prompt, err error,
) {
	if t, err = sampler.ModelTemplate(ctx, e); err != nil {
		return t, p, err
	}
	if t.Warning != "" {
		log.Warn().Msg(t.Warning)
	}
	p = sampler.Prompt{Style: sampler.Style(c.Prompt), Admissible: c.Admissible, Terse: !c.Examples}
	if c.Prompt == sampler.AutoStyle {
		if p.Style, err = sampler.ModelStyle(e.Describe().ChatTemplate); err != nil {
			return t, p, err
		}
	}
	log.Info().Str("style", string(p.Style)).Str("template", t.Name).Msg("how the model is prompted")
	return t, p, nil
}

// warnings logs what is doubtful about the model's vocabulary, and returns what is about its chat template.
func warnings(ctx context.Context, e sparkd.Engine, t sampler.Template, log zerolog.Logger) ([]string, error) {
	found, err := sampler.ControlWarnings(ctx, e, t)
	for _, w := range append(e.Describe().Warnings, found...) {
		log.Warn().Msg(w)
	}
	return found, err
}

// EngineWarning says what the embedded engine of this build lacks, or "".
func EngineWarning() string { return embedded.BuildWarning() }
