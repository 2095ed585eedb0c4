package sampler

import (
	"time"

	"sparkd/internal/settings"
)

// AutoStyle as a style asks for the one that the model names.
const AutoStyle = "auto"

// Options are the section [sampler] of the configuration.
type Options struct {
	SampleTimeout time.Duration `toml:"sample_timeout" default:"30m" range:">0"` // of one engine request
	EnvTimeout    time.Duration `toml:"env_timeout" default:"30s" range:">0"`    // of one call of an environment

	Prompt     string `toml:"prompt" default:"auto"`       // AutoStyle or one of Styles
	Admissible int    `toml:"admissible" range:"0..10000"` // see Prompt.Admissible
	Examples   bool   `toml:"examples" default:"true"`     // the contrary of Prompt.Terse
}

// Validate checks the name of the style.
func (o *Options) Validate(section string) (faults settings.Faults) {
	faults.OneOf(section+".prompt", o.Prompt, append([]string{AutoStyle}, Styles()...)...)
	return faults
}
