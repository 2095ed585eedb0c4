package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/coldstart"
	"sparkd/env"
	"sparkd/env/alfworld"
	"sparkd/sampler"
)

// coldstartFlags are what the command was told.
type coldstartFlags struct {
	coldstart.Options
	settings *settings
	style    string
	window   int
	out      string
	teacher  teacherFlags
	given    func(flag string) bool // whether a flag was written
}

func coldstartCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use: "coldstart", Short: "Write trajectories with reasons, for supervised fine-tuning",
		Example: "sparkd coldstart --trajectories 300 --own 0.1 --out coldstart.jsonl",
	}
	f := cmd.Flags()
	o := coldstartFlags{settings: c.addSettings(f, alfworldData), given: f.Changed}
	f.StringVar(&o.Env, "env", alfworld.Name, "`environment`")
	f.StringVar(&o.Split, "split", "train", "`split` of the tasks")
	f.IntVar(&o.From, "from", 0, "`index` of the first task")
	f.IntVar(&o.Count, "trajectories", 300, "`number` of trajectories; beyond the split's tasks the planner goes round again")
	f.Float64Var(&o.OwnShare, "own", 0.1, "`share` of trajectories that the planner sought itself, not knowing where things are; the others are golden paths with reasons given afterwards")
	f.Float64Var(&o.Slips, "slips", 0, "`share` of steps that are useless and carry weight 0, so that the steps after them teach to go on after mistakes")
	f.IntVar(&o.MaxSteps, "max-steps", 30, "most `steps` of a trajectory")
	f.Uint64Var(&o.Seed, "seed", 0, "`seed` of what the planner draws")
	f.StringVar(&o.style, "prompt", string(sampler.StyleCompact), "`style` of the prompts: "+strings.Join(sampler.Styles(), ", "))
	f.IntVar(&o.window, "window", 0, "a row for every step, with the last `n` steps in its prompt; 0: a row for every trajectory")
	f.StringVar(&o.out, "out", "", "`file` to write; a name that ends in .zst packs it")
	o.teacher.add(f)
	cmd.RunE = func(*cobra.Command, []string) error { return c.coldstart(&o) }
	return cmd
}

func (o *coldstartFlags) validate() error {
	for _, n := range []struct {
		name        string
		value, from int
	}{{"trajectories", o.Count, 1}, {"from", o.From, 0}, {"max-steps", o.MaxSteps, 1}, {"window", o.window, 0}, {"inflight", o.teacher.inflight, 1}, {"teacher-tokens", o.teacher.tokens, 1}} {
		if n.value < n.from {
			return usage("--%s is %d; at least %d", n.name, n.value, n.from)
		}
	}
	switch {
	case o.Env == "":
		return usage("--env names no environment; household, or one that -c configures")
	case !(o.Slips >= 0 && o.Slips < 1):
		return usage("--slips is %v; a share from 0 to below 1", o.Slips)
	case !(o.OwnShare >= 0 && o.OwnShare <= 1):
		return usage("--own is %v; a share from 0 to 1", o.OwnShare)
	case !slices.Contains(sampler.Styles(), o.style):
		return usage("--prompt is %q; one of %s", o.style, strings.Join(sampler.Styles(), ", "))
	case strings.HasSuffix(o.out, ".parquet") || otherFormat(o.out):
		return usage("--out %s: rows are JSON lines; name a .jsonl or .jsonl.zst", o.out)
	}
	return o.teacher.validate(o)
}

// coldstart writes trajectories of the planner, or golden paths with a teacher's reasons.
func (c *cli) coldstart(o *coldstartFlags) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	defer func() { err = inFlags(err) }()
	if err := checkOutput(o.out); err != nil {
		return err
	}
	if o.Env == sparkd.EnvClient {
		return sparkd.Invalid("env", "use household, or an environment that -c configures", "nobody drives the environment %s here", o.Env)
	}
	w, err := c.openWorld(o)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, w.close()) }()
	if o.teacher.url != "" {
		return c.teach(o, w)
	}
	planned, err := w.planned(o)
	if err != nil {
		return err
	}
	return c.writeRows(o, &coldstartReport{}, func(ctx context.Context, r *rowWriter) error {
		return coldstart.Collect(ctx, planned, o.Options, r.trajectory)
	})
}

// inFlags names the flag that an error is about, and what helps here.
func inFlags(err error) error {
	var e *sparkd.Error
	var file *fs.PathError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &file) && file.Op == "write":
		return &sparkd.Error{Code: sparkd.CodeStore, Field: "out", Message: "cannot write the rows: " + err.Error(), Remedy: "make room, or name another file with --out", Err: err}
	default:
		return err
	}
	out := *e
	switch e.Field {
	case "out":
		out.Remedy = "name another file with --out" // nothing is kept in a store
	case "tasks.count":
		out.Field = "trajectories"
	case "tasks.env", "tasks.split", "tasks.from":
		out.Field = strings.TrimPrefix(e.Field, "tasks.")
	default:
		return err
	}
	return &out
}

// world is a copy of the environment and where it comes from.
type world struct {
	catalog *env.Catalog
	source  env.Source
	env     sparkd.Env
	limit   time.Duration // of one call
}

// openWorld opens the environment, and no other of those that are configured.
func (c *cli) openWorld(o *coldstartFlags) (*world, error) {
	l, err := c.load(o.settings, nil)
	if err != nil {
		return nil, err
	}
	configured := map[string]env.Config{}
	if e, ok := l.Config.Env[o.Env]; ok {
		configured[o.Env] = *e
	}
	w := &world{limit: time.Duration(l.Config.Sampler.EnvTimeout)}
	w.catalog, err = env.Open(c.ctx, configured, w.limit, func(name, line string) { fmt.Fprintf(c.stderr, "%s: %s\n", name, clean(line)) })
	if err != nil {
		return nil, err
	}
	if w.source, err = w.catalog.Source(o.Env); err == nil {
		w.env, err = w.source.Open(c.ctx)
	}
	if err != nil {
		return nil, errors.Join(err, w.catalog.Close())
	}
	return w, nil
}

func (w *world) close() error { return errors.Join(w.env.Close(), w.catalog.Close()) }

// planned returns the environment where a planner knows its games, and notes how many there
// are.
func (w *world) planned(o *coldstartFlags) (*alfworld.Env, error) {
	e, ok := w.env.(*alfworld.Env)
	if !ok {
		return nil, sparkd.Invalid("env", "give golden paths and who gives the reasons: --golden FILE --teacher URL --teacher-model NAME; or use household, or a folder of ALFWorld's games",
			"no planner knows the environment %s", o.Env)
	}
	tasks, err := env.Resolve(w.source, sparkd.Tasks{Env: o.Env, Split: o.Split, From: o.From, Count: 1})
	if err != nil {
		return nil, err
	}
	o.Tasks = w.source.Info().Splits[tasks.Split]
	return e, nil
}
