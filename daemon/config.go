package daemon

import (
	"os"
	"os/user"
	"path/filepath"
	"time"

	"sparkd"
	"sparkd/api"
	"sparkd/engine"
	"sparkd/engine/embedded"
	"sparkd/env"
	"sparkd/internal/settings"
	"sparkd/sampler"
	"sparkd/store"
)

// Config is the whole configuration, the Options of the rooms; package settings says what their tags mean.
// config.toml at the root of the repository holds every key with its default and what it does.
type Config struct {
	Daemon   DaemonConfig     `toml:"daemon"`
	API      api.Options      `toml:"api"`
	Engine   EngineConfig     `toml:"engine"`
	Embedded embedded.Options `toml:"engine"`
	Remote   engine.Options   `toml:"engine"`
	Sampler  sampler.Options  `toml:"sampler"`
	Store    store.Options    `toml:"store"`
	Log      LogConfig        `toml:"log"`
	// Env are the environments beside household, by name: [env.NAME].
	Env map[string]*env.Config `toml:"env"`
}

// DaemonConfig bounds what runs at once.
type DaemonConfig struct {
	Data  string        `toml:"data"` // folder of the store; DataDir says which where it is empty
	Queue int           `toml:"queue" default:"64" range:"1..100000"`
	Trees int           `toml:"trees" default:"8" range:"1..4096"`
	Drain time.Duration `toml:"drain" default:"30s"` // for the rounds under way at a shutdown
}

// EngineConfig says which engine samples, of Config.Embedded or of Config.Remote.
type EngineConfig struct {
	Kind  string `toml:"kind" default:"embedded" choices:"embedded,remote"`
	Model string `toml:"model" default:"bundled"` // of the embedded one: a name of modelPath, or a path
}

// LogConfig is the log's.
type LogConfig struct {
	Level  string `toml:"level" default:"info" choices:"trace,debug,info,warn,error"`
	Format string `toml:"format" default:"auto" choices:"auto,console,json"`
}

// Default returns the configuration of an empty file.
func Default() Config {
	c := Config{Env: map[string]*env.Config{}}
	settings.Fill(settings.List(&c))
	return c
}

// Validate names every key whose value cannot work.
func (c *Config) Validate() settings.Faults {
	var faults settings.Faults
	for section, options := range settings.Sections(c) {
		faults = append(faults, settings.Check(section, options)...)
	}
	switch remote := c.Engine.Kind == "remote"; {
	case remote && len(c.Remote.Replicas) == 0:
		faults.Add("engine.replicas", `list addresses, for example ["http://127.0.0.1:8000"]`,
			"engine.kind is remote and there is no replica")
	case !remote && len(c.Remote.Replicas) > 0:
		faults.Add("engine.kind", `set it to "remote", or leave engine.replicas out`,
			"engine.replicas names servers, and engine.kind is %q, which asks none", c.Engine.Kind)
	}
	return faults
}

// DataDir is daemon.data, or the user's data folder where that is empty: $XDG_DATA_HOME/sparkd, else
// ~/.local/share/sparkd, of the user's entry in the system where HOME names no home.
func (c *Config) DataDir() (string, error) {
	if c.Daemon.Data != "" {
		return c.Daemon.Data, nil
	}
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "sparkd"), nil
	}
	home, _ := os.UserHomeDir()
	if u, err := user.Current(); err == nil && !filepath.IsAbs(home) {
		home = u.HomeDir
	}
	if !filepath.IsAbs(home) {
		return "", sparkd.Invalid("daemon.data", "name a folder with --data, or set XDG_DATA_HOME or HOME",
			"the user has no home folder to keep data in")
	}
	return filepath.Join(home, ".local", "share", "sparkd"), nil
}
