package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sparkd"
	"sparkd/sampler"
	"sparkd/sampler/coldstart"
	"sparkd/sampler/env"
	"sparkd/sampler/env/alfworld"
	"sparkd/store/export"
)

// coldstartFlags are what the command was told.
type coldstartFlags struct {
	coldstart.Options
	settings *settings
	style    string
	window   int
	out      string
}

func coldstartCommand(c *cli, f *flag.FlagSet) func([]string) error {
	o := coldstartFlags{settings: c.addSettings(f, alfworldData)}
	f.StringVar(&o.Env, "env", alfworld.Name, "`environment`")
	f.StringVar(&o.Split, "split", "train", "`split` of the tasks")
	f.IntVar(&o.From, "from", 0, "`index` of the first task")
	f.IntVar(&o.Count, "trajectories", 300, "`number` of trajectories; beyond the split's tasks they go round again")
	f.Float64Var(&o.OwnShare, "own", 0.1, "`share` of trajectories that the planner sought itself, not knowing where things are; the others are golden paths with reasons given afterwards")
	f.IntVar(&o.MaxSteps, "max-steps", 30, "most `steps` of a trajectory")
	f.Uint64Var(&o.Seed, "seed", 0, "`seed` of what is drawn")
	f.StringVar(&o.style, "prompt", string(sampler.StyleCompact), "`style` of the prompts: "+strings.Join(sampler.Styles(), ", "))
	f.IntVar(&o.window, "window", 0, "a row for every step, with the last `n` steps in its prompt; 0: a row for every trajectory")
	f.StringVar(&o.out, "out", "", "`file` to write; a name that ends in .zst packs it")
	return func([]string) error { return c.coldstart(&o) }
}

func (o *coldstartFlags) validate() error {
	for _, n := range []struct {
		name        string
		value, from int
	}{{"trajectories", o.Count, 1}, {"from", o.From, 0}, {"max-steps", o.MaxSteps, 1}, {"window", o.window, 0}} {
		if n.value < n.from {
			return usage("--%s is %d; at least %d", n.name, n.value, n.from)
		}
	}
	if !(o.OwnShare >= 0 && o.OwnShare <= 1) {
		return usage("--own is %v; a share from 0 to 1", o.OwnShare)
	}
	if !slices.Contains(sampler.Styles(), o.style) {
		return usage("--prompt is %q; one of %s", o.style, strings.Join(sampler.Styles(), ", "))
	}
	return nil
}

// coldstartReport is what was written.
type coldstartReport struct {
	Trajectories int     `json:"trajectories"`
	Own          int     `json:"own"`
	Rows         int     `json:"rows"`
	Steps        int     `json:"steps"`
	Explore      float64 `json:"explore_share"` // of the steps
}

func (c *cli) coldstart(o *coldstartFlags) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	e, done, err := c.planned(o)
	if err != nil {
		return err
	}
	defer closing(done, &err)
	var sum coldstartReport
	explores := 0
	err = c.output(o.out, func(w io.Writer) error {
		packed, err := export.Pack(w, o.out, "rows")
		if err != nil {
			return err
		}
		lines := json.NewEncoder(packed)
		lines.SetEscapeHTML(false)
		err = coldstart.Collect(c.ctx, e, o.Options, func(t *coldstart.Trajectory) error {
			sum.Trajectories++
			sum.Steps += len(t.Steps)
			explores += t.Explores()
			if t.Source == coldstart.Own {
				sum.Own++
			}
			for _, row := range coldstart.Rows(t, sampler.Prompt{Style: sampler.Style(o.style)}, o.window) {
				sum.Rows++
				if err := lines.Encode(row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		return packed.Close()
	})
	if err != nil {
		return err
	}
	sum.Explore = float64(explores) / float64(sum.Steps)
	return c.coldstarted(&sum)
}

func (c *cli) coldstarted(r *coldstartReport) error {
	if c.json {
		return writeJSON(c.stderr, r)
	}
	_, err := fmt.Fprintf(c.stderr, "%s, %d of them sought, %d golden: %s, %.1f steps each, <explore> on %.0f%% of them\n",
		count(r.Trajectories, "trajectory"), r.Own, r.Trajectories-r.Own, count(r.Rows, "row"), float64(r.Steps)/float64(r.Trajectories), 100*r.Explore)
	return err
}

// planned opens the environment, whose games a planner must know.
func (c *cli) planned(o *coldstartFlags) (*alfworld.Env, func() error, error) {
	l, err := c.load(o.settings, nil)
	if err != nil {
		return nil, nil, err
	}
	configured := map[string]env.Config{}
	for name, e := range l.Config.Env {
		if name == o.Env {
			configured[name] = *e
		}
	}
	catalog, err := env.Open(c.ctx, configured, time.Duration(l.Config.Sampler.EnvTimeout), func(name, line string) { fmt.Fprintf(c.stderr, "%s: %s\n", name, clean(line)) })
	if err != nil {
		return nil, nil, err
	}
	e, err := openPlanned(c.ctx, catalog, o)
	if err != nil {
		return nil, nil, errors.Join(err, catalog.Close())
	}
	return e, catalog.Close, nil
}

func openPlanned(ctx context.Context, catalog *env.Catalog, o *coldstartFlags) (*alfworld.Env, error) {
	source, err := catalog.Source(o.Env)
	if err != nil {
		return nil, err
	}
	tasks, err := env.Resolve(source, sparkd.Tasks{Env: o.Env, Split: o.Split, From: o.From, Count: 1})
	if err != nil {
		return nil, err
	}
	o.Tasks = source.Info().Splits[tasks.Split]
	e, err := source.Open(ctx)
	if err != nil {
		return nil, err
	}
	planned, ok := e.(*alfworld.Env)
	if !ok {
		return nil, errors.Join(sparkd.Invalid("env", "use household or a folder of ALFWorld's games", "no planner knows the environment %s", o.Env), e.Close())
	}
	return planned, nil
}
