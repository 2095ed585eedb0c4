package worker

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"sparkd"
	"sparkd/internal/excerpt"
	"sparkd/internal/suggest"
)

// Options are what the configuration says about an environment.
type Options struct {
	Command []string // program and arguments
	// Workers is the number of processes at most; 0 is one per CPU, but 4 at most.
	Workers int
	// Memory is the resident memory in MiB, children included, beyond which a worker is replaced after its answer.
	// One that takes twice as much within a call is killed. 0 is no bound. It is known on Linux only.
	Memory  int
	Options map[string]string // for the environment
	// StartTimeout bounds the time until hello is answered; 0 is 1 minute.
	StartTimeout time.Duration
	// CallTimeout bounds one reset, step, fork, snapshot, restore or close, and a replay for
	// every one of its observations; 0 is 30 seconds.
	CallTimeout time.Duration
	// Log gets what workers write to stderr, line by line. It is called by several goroutines. nil drops it.
	Log func(line string)

	name    string
	measure time.Duration // time between two measurements of a worker's memory
}

// mostByDefault bounds the workers where the configuration does not: each may be a JVM.
const mostByDefault = 4

func (o Options) withDefaults(name string) (*Options, error) {
	o.name = name
	switch {
	case len(o.Command) == 0 || o.Command[0] == "":
		return nil, sparkd.Invalid(o.field("command"), `write program and arguments, for example ["python3", "env.py"]`,
			"there is no program to start")
	case o.Workers < 0:
		return nil, sparkd.Invalid(o.field("workers"), "use 0 for the default", "%d workers", o.Workers)
	case o.Memory < 0:
		return nil, sparkd.Invalid(o.field("memory"), "use 0 for no bound", "%d MiB", o.Memory)
	}
	o.Workers = cmp.Or(o.Workers, min(runtime.NumCPU(), mostByDefault))
	if o.Options == nil {
		o.Options = map[string]string{} // hello has them always
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	o.StartTimeout = cmp.Or(o.StartTimeout, time.Minute)
	o.CallTimeout = cmp.Or(o.CallTimeout, 30*time.Second)
	o.measure = cmp.Or(o.measure, 100*time.Millisecond)
	return &o, nil
}

// Check finds what Open would refuse before it starts a program.
func Check(name string, o Options) error {
	options, err := o.withDefaults(name)
	if err == nil {
		err = options.find()
	}
	return err
}

// find looks for the program.
func (o *Options) find() error {
	_, err := exec.LookPath(o.Command[0])
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return sparkd.Invalid(o.field("command"), "install it, or give its full path",
			"cannot find the program %q", o.Command[0]).Because(err)
	}
	return sparkd.NewError(sparkd.CodeEnv, o.field("command"), "make it a program that can be run",
		"cannot start %q: %v", o.Command[0], err).Because(err)
}

func (o *Options) field(key string) string { return "env." + o.name + "." + key }

// Source is an environment whose copies live in workers. Its methods are safe for concurrent use.
type Source struct {
	pool *pool
	info sparkd.EnvInfo
}

// Open starts the first worker and learns from it what the environment is. The others start when they are needed.
func Open(ctx context.Context, name string, o Options) (*Source, error) {
	options, err := o.withDefaults(name)
	if err != nil {
		return nil, err
	}
	first, err := start(ctx, options)
	if err != nil {
		return nil, err
	}
	h := &first.hello
	about := strings.TrimSpace(h.Name + " " + h.Version)
	if h.About != "" {
		about += ": " + h.About
	}
	return &Source{pool: newPool(options, first),
		info: sparkd.EnvInfo{Name: name, Splits: h.Splits, MaxSteps: h.MaxSteps, Fork: h.Fork, Examples: h.Examples,
			About: excerpt.Text(about, maxWords)}}, nil
}

// Info describes the environment, as its worker did.
func (s *Source) Info() sparkd.EnvInfo {
	info := s.info
	info.Splits = maps.Clone(info.Splits)
	return info
}

// Open returns a fresh copy. It is a sparkd.Replayer, and a sparkd.Forker or a
// sparkd.Snapshotter where the worker can do that.
func (s *Source) Open(ctx context.Context) (sparkd.Env, error) {
	if err := s.pool.why(ctx); err != nil {
		return nil, err
	}
	e := &env{pool: s.pool}
	switch s.info.Fork {
	case sparkd.ForkNative:
		return forker{e}, nil
	case sparkd.ForkSnapshot:
		return snapshotter{e}, nil
	}
	return e, nil
}

// Close ends all workers, and waits until they and what they started are gone.
func (s *Source) Close() error {
	s.pool.shut()
	return nil
}

// Stats counts what a source did since it was opened.
type Stats struct {
	Started       int // workers, the replaced ones included
	Evicted       int // idle copies that lost their place to others
	Rebuilt       int // states rebuilt for a copy that had lost its place
	ReplayedSteps int // steps repeated for that
	Diverged      int // rebuilds in which an observation was another one
}

// Stats returns the counts.
func (s *Source) Stats() Stats {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.pool.stats
}

// Lookup returns the index of a task by its name, or the names nearest to it.
func (s *Source) Lookup(split, name string) (index int, others []string, ok bool) {
	names := s.pool.hello.Names[split]
	if i := slices.Index(names, name); i >= 0 {
		return i, nil, true
	}
	return 0, suggest.Names(name, names, maxNear), false
}

// maxNear is how many names are listed when one is not found.
const maxNear = 3
