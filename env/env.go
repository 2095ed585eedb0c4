// Package env chooses environments by name and kind.
package env

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"sparkd"
	"sparkd/env/agentgym"
	"sparkd/env/alfworld"
	"sparkd/env/mcp"
	"sparkd/env/openenv"
	"sparkd/env/session"
	"sparkd/env/worker"
	"sparkd/internal/settings"
)

// Config is one environment of the configuration, [env.NAME] in config.toml. Which keys a kind uses, its package says.
type Config struct {
	Kind    string            `toml:"kind"`    // one of Kinds
	Data    string            `toml:"data"`    // alfworld: folder of the games
	Command []string          `toml:"command"` // exec, mcp: program and arguments
	URL     string            `toml:"url"`     // openenv, agentgym, mcp: address of the server
	Workers int               `toml:"workers"` // exec: processes at most; else sessions at most; 0: the kind's default
	Memory  int               `toml:"memory"`  // exec: MiB beyond which a worker is replaced; 0: no bound
	Options map[string]string `toml:"options"` // for the environment itself
}

// Kinds lists the kinds of environments that can be configured.
func Kinds() []string { return []string{"alfworld", "exec", "openenv", "agentgym", "mcp"} }

// Catalog holds the environments of a daemon by name: household and client, which are
// built in, and those of the configuration.
type Catalog struct{ sources map[string]Source }

// Open opens the configured environments. Those that run here must start; a server's absence shows when it is
// first needed. limit is how long their callers wait for one call. log gets the lines that workers write to
// stderr, with the name of their environment; it is called by several goroutines.
func Open(ctx context.Context, configured map[string]Config, limit time.Duration,
	log func(name, line string)) (*Catalog, error) {
	c := &Catalog{map[string]Source{alfworld.Name: alfworld.Household{}, sparkd.EnvClient: session.Remote{}}}
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		s, err := open(ctx, name, configured[name], limit, func(line string) { log(name, line) })
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		c.sources[name] = s
	}
	return c, nil
}

func open(ctx context.Context, name string, c Config, limit time.Duration, log func(string)) (s Source, err error) {
	if err := c.Validate("env." + name).Err(); err != nil {
		return nil, err
	}
	switch c.Kind {
	case "alfworld":
		s, err = alfworld.Open(ctx, name, alfworld.Options{Data: c.Data, Log: log})
	case "exec":
		// A worker that hangs is found in half the time, so that calls that wait for it have the other half.
		s, err = worker.Open(ctx, name, worker.Options{Command: c.Command, Workers: c.Workers, Memory: c.Memory,
			Options: c.Options, CallTimeout: limit / 2, Log: log})
	case "openenv":
		s, err = openenv.Open(ctx, name, openenv.Options{URL: c.URL, Workers: c.Workers, Options: c.Options})
	case "agentgym":
		s, err = agentgym.Open(ctx, name, agentgym.Options{URL: c.URL, Workers: c.Workers, Options: c.Options})
	case "mcp":
		s, err = mcp.Open(ctx, name, mcp.Options{Command: c.Command, URL: c.URL, Workers: c.Workers,
			Options: c.Options, Log: log})
	}
	return s, at("env."+name, err)
}

// Check finds what Open would refuse before it starts a program.
func Check(ctx context.Context, configured map[string]*Config) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		errs = append(errs, check(ctx, name, *configured[name]))
	}
	return errors.Join(errs...)
}

func check(ctx context.Context, name string, c Config) error {
	switch {
	case c.Kind == "exec":
		return worker.Check(name, worker.Options{Command: c.Command, Workers: c.Workers, Memory: c.Memory})
	case c.Kind == "mcp" && c.URL == "":
		return at("env."+name, mcp.Check(name, mcp.Options{Command: c.Command, Workers: c.Workers, Options: c.Options}))
	}
	s, err := open(ctx, name, c, 0, func(string) {})
	if err == nil {
		err = s.Close()
	}
	return err
}

// nameForm keeps names apart from what stands around them in a task's name.
var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// Validate finds what is wrong with the section [env.NAME] before anything is opened.
func (c *Config) Validate(section string) (faults settings.Faults) {
	name := strings.TrimPrefix(section, "env.")
	switch {
	case name == alfworld.Name || name == sparkd.EnvClient:
		faults.Add(section, "choose another name", "%s is built in", name)
	case !nameForm.MatchString(name):
		faults.Add(section, "use letters, digits, - and _, a letter first", "%q cannot name an environment", name)
	}
	faults.OneOf(section+".kind", c.Kind, Kinds()...)
	if c.Workers < 0 || c.Workers > 4096 {
		faults.Add(section+".workers", "use 0 (the kind's default) to 4096", "%d is out of range", c.Workers)
	}
	if c.Memory < 0 {
		faults.Add(section+".memory", "use MiB, 0 for no bound", "%d is negative", c.Memory)
	}
	return faults
}

// at names the section of the configuration that an error is about.
func at(section string, err error) error {
	var e *sparkd.Error
	if !errors.As(err, &e) || strings.HasPrefix(e.Field, "env.") {
		return err
	}
	named := *e
	named.Field = strings.TrimSuffix(section+"."+e.Field, ".")
	return &named
}

// Names lists the environments.
func (c *Catalog) Names() []string { return slices.Sorted(maps.Keys(c.sources)) }

// Infos describes the environments, in the order of Names.
func (c *Catalog) Infos() []sparkd.EnvInfo {
	var out []sparkd.EnvInfo
	for _, name := range c.Names() {
		out = append(out, c.sources[name].Info())
	}
	return out
}

// WorkerStats counts what an environment that runs in workers did.
type WorkerStats = worker.Stats

// Workers returns the counts of the environments that run in workers, by name.
func (c *Catalog) Workers() map[string]WorkerStats {
	out := map[string]WorkerStats{}
	for name, s := range c.sources {
		if w, ok := s.(*worker.Source); ok {
			out[name] = w.Stats()
		}
	}
	return out
}

// Source returns the environment of that name.
func (c *Catalog) Source(name string) (Source, error) {
	if s, ok := c.sources[name]; ok {
		return s, nil
	}
	// Nobody who may ask for the environment of sessions names another.
	known := slices.DeleteFunc(c.Names(), func(n string) bool { return n == sparkd.EnvClient })
	return nil, sparkd.Invalid("tasks.env", "use "+strings.Join(known, " or ")+", or configure it as [env."+name+
		"] in the file that -c names", "unknown environment %q", name)
}

// Close closes all environments.
func (c *Catalog) Close() error {
	var errs []error
	for _, name := range c.Names() {
		errs = append(errs, c.sources[name].Close())
	}
	return errors.Join(errs...)
}
