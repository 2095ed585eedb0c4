package daemon

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sparkd"
	"sparkd/engine"
	"sparkd/env"
	"sparkd/internal/loopback"
	"sparkd/sampler"
)

// Config is the whole configuration; config.toml at the root of the repository holds
// every key with its default and what it does.
type Config struct {
	Daemon  DaemonConfig  `toml:"daemon"`
	API     APIConfig     `toml:"api"`
	Engine  EngineConfig  `toml:"engine"`
	Sampler SamplerConfig `toml:"sampler"`
	Store   StoreConfig   `toml:"store"`
	Log     LogConfig     `toml:"log"`
	// Env are the environments beside household, by name: [env.NAME].
	Env map[string]*env.Config `toml:"env"`
}

// DaemonConfig bounds what runs at once.
type DaemonConfig struct {
	Data  string   `toml:"data"`
	Queue int      `toml:"queue"`
	Trees int      `toml:"trees"`
	Drain Duration `toml:"drain"`
}

// APIConfig is the HTTP server's.
type APIConfig struct {
	Listen      string `toml:"listen"`
	Token       string `toml:"token"`
	TokenFile   string `toml:"token_file"`
	MaxBody     Size   `toml:"max_body"`
	Connections int    `toml:"connections"`
	Streams     int    `toml:"streams"`

	ReadTimeout    Duration `toml:"read_timeout"`
	IdleTimeout    Duration `toml:"idle_timeout"`
	WriteTimeout   Duration `toml:"write_timeout"`
	RequestTimeout Duration `toml:"request_timeout"`
	Heartbeat      Duration `toml:"heartbeat"`
}

// EngineConfig is the engine's: Kind and what the embedded one takes, then what servers
// take.
type EngineConfig struct {
	Kind        string `toml:"kind"`
	Model       string `toml:"model"`
	Threads     Auto   `toml:"threads"`
	Cells       Auto   `toml:"cells"`
	Batch       int    `toml:"batch"`
	Chunk       int    `toml:"chunk"`
	Queue       int    `toml:"queue"`
	PrefixCache bool   `toml:"prefix_cache"`

	Replicas    []string `toml:"replicas"`
	Dialect     string   `toml:"dialect"`
	ServedModel string   `toml:"served_model"`
	Tokenizer   string   `toml:"tokenizer"`
	APIKeyFile  string   `toml:"api_key_file"`
	Inflight    int      `toml:"inflight"`
	Timeout     Duration `toml:"timeout"`
}

// SamplerConfig bounds one step of a tree and says how its prompt is worded.
type SamplerConfig struct {
	SampleTimeout Duration `toml:"sample_timeout"`
	EnvTimeout    Duration `toml:"env_timeout"`
	Prompt        string   `toml:"prompt"`
	Admissible    int      `toml:"admissible"`
	Examples      bool     `toml:"examples"`
}

// StoreConfig is the database's.
type StoreConfig struct {
	Sync    string `toml:"sync"`
	Events  int    `toml:"events"`
	MinFree Size   `toml:"min_free"`
}

// LogConfig is the log's.
type LogConfig struct {
	Level  string `toml:"level"`
	Format string `toml:"format"`
}

// Default returns the configuration of an empty file.
func Default() Config {
	return Config{
		Daemon: DaemonConfig{Queue: 64, Trees: 8, Drain: Duration(30 * time.Second)},
		API: APIConfig{
			Listen: "127.0.0.1:8787", MaxBody: 1 << 20, Connections: 1024, Streams: 64,
			ReadTimeout: Duration(30 * time.Second), IdleTimeout: Duration(2 * time.Minute), WriteTimeout: Duration(30 * time.Second),
			RequestTimeout: Duration(30 * time.Second), Heartbeat: Duration(10 * time.Second),
		},
		Engine: EngineConfig{Kind: "embedded", Model: bundledModel, Batch: 512, Chunk: 256, Queue: 1024, PrefixCache: true,
			Replicas: []string{}, Dialect: "auto", Inflight: 16, Timeout: Duration(10 * time.Minute)},
		Sampler: SamplerConfig{SampleTimeout: Duration(30 * time.Minute), EnvTimeout: Duration(30 * time.Second), Prompt: "auto", Admissible: 0, Examples: true},
		Store:   StoreConfig{Sync: "round", Events: 100_000, MinFree: 256 << 20},
		Log:     LogConfig{Level: "info", Format: "auto"},
		Env:     map[string]*env.Config{},
	}
}

// Validate names every key whose value cannot work.
func (c *Config) Validate() []*sparkd.Error {
	var faults []*sparkd.Error
	check := func(ok bool, field, remedy, format string, args ...any) {
		if !ok {
			faults = append(faults, sparkd.Invalid(field, remedy, format, args...))
		}
	}
	between := func(field string, v, low, high int) {
		check(low <= v && v <= high, field, "use "+strconv.Itoa(low)+" to "+strconv.Itoa(high), "%d is out of range", v)
	}
	oneOf := func(field, v string, known ...string) {
		check(slices.Contains(known, v), field, "one of "+strings.Join(known, ", "), "unknown value %q", v)
	}
	between("daemon.queue", c.Daemon.Queue, 1, 100_000)
	between("daemon.trees", c.Daemon.Trees, 1, 4096)
	c.API.validate(check)
	check(c.API.MaxBody >= 1<<10 && c.API.MaxBody <= 1<<30, "api.max_body", `use "1KiB" to "1GiB"`, "out of range")
	between("api.connections", c.API.Connections, 1, 1_000_000)
	between("api.streams", c.API.Streams, 1, 1_000_000)
	for field, d := range map[string]Duration{
		"api.read_timeout": c.API.ReadTimeout, "api.idle_timeout": c.API.IdleTimeout, "api.write_timeout": c.API.WriteTimeout,
		"api.request_timeout": c.API.RequestTimeout, "api.heartbeat": c.API.Heartbeat,
		"sampler.sample_timeout": c.Sampler.SampleTimeout, "sampler.env_timeout": c.Sampler.EnvTimeout,
	} {
		check(d > 0, field, `use a duration above zero, for example "30s"`, "a limit of zero lets nothing pass")
	}
	oneOf("engine.kind", c.Engine.Kind, "embedded", "remote")
	oneOf("engine.dialect", c.Engine.Dialect, engine.Dialects()...)
	check(c.Engine.Kind == "remote" || len(c.Engine.Replicas) == 0, "engine.kind", `set it to "remote", or leave engine.replicas out`, "engine.replicas names servers, and engine.kind is %q, which asks none", c.Engine.Kind)
	check(c.Engine.Kind != "remote" || len(c.Engine.Replicas) > 0, "engine.replicas", `list addresses, for example ["http://127.0.0.1:8000"]`, "engine.kind is remote and there is no replica")
	between("engine.inflight", c.Engine.Inflight, 1, 1<<16)
	check(c.Engine.Timeout > 0, "engine.timeout", `use a duration above zero, for example "10m"`, "a limit of zero lets nothing pass")
	between("engine.threads", int(c.Engine.Threads), 0, 1024)
	if cells := int(c.Engine.Cells); cells != 0 {
		between("engine.cells", cells, 16, 1<<24)
	}
	between("engine.batch", c.Engine.Batch, 16, 4096)
	between("engine.chunk", c.Engine.Chunk, 1, 4096)
	between("engine.queue", c.Engine.Queue, 1, 1<<16)
	oneOf("sampler.prompt", c.Sampler.Prompt, append([]string{"auto"}, sampler.Styles()...)...)
	between("sampler.admissible", c.Sampler.Admissible, 0, 10_000)
	for name, e := range c.Env {
		if err := e.Check(name); err != nil {
			faults = append(faults, sparkd.AsError(err))
		}
	}
	oneOf("store.sync", c.Store.Sync, "always", "round", "os")
	between("store.events", c.Store.Events, 1, 1<<30)
	check(c.Store.MinFree > 0, "store.min_free", `use a size above zero, for example "256MiB"`, "writing to a full disk kills the process")
	oneOf("log.level", c.Log.Level, "trace", "debug", "info", "warn", "error")
	oneOf("log.format", c.Log.Format, "auto", "console", "json")
	return faults
}

func (a *APIConfig) validate(check func(ok bool, field, remedy, format string, args ...any)) {
	host, port, err := net.SplitHostPort(a.Listen)
	if _, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil {
		check(false, "api.listen", `write host:port, for example "127.0.0.1:8787"; port 0 takes a free one`, "cannot listen on %q", a.Listen)
	} else if !loopback.Is(host) {
		check(a.Token != "" || a.TokenFile != "", "api.token",
			"set api.token_file (or api.token), or listen on 127.0.0.1", "%q can be reached from other machines and no token is set", a.Listen)
	}
	check(a.Token == "" || a.TokenFile == "", "api.token_file", "set one of api.token and api.token_file", "both are set")
}

// DataDir is daemon.data, or the user's data folder where that is empty:
// $XDG_DATA_HOME/sparkd, else ~/.local/share/sparkd, else ./data.
func (c *Config) DataDir() string {
	if c.Daemon.Data != "" {
		return c.Daemon.Data
	}
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "sparkd")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "sparkd")
	}
	return "data"
}

// BearerToken returns the bearer token, read from its file where one is named.
func (a *APIConfig) BearerToken() (string, error) {
	if a.TokenFile == "" {
		return a.Token, nil
	}
	return secretIn("api.token_file", a.TokenFile)
}

// secretIn reads a token from a file, "" where none is named.
func secretIn(field, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	token := strings.TrimSpace(string(b))
	if err != nil || token == "" {
		return "", &sparkd.Error{
			Code: sparkd.CodeInvalid, Field: field, Err: err,
			Message: "no token can be read from " + strconv.Quote(file),
			Remedy:  "write the token into the file and make it readable for sparkd",
		}
	}
	return token, nil
}
