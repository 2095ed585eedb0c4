package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/env"
	"sparkd/env/contract"
)

// checking are the flags of `sparkd env check`.
type checking struct {
	settings *settings
	tasks    int
	steps    int
	seed     uint64
	actions  []string
}

func (c *cli) envCommand(cmd *cobra.Command) run {
	f := cmd.Flags()
	o := &checking{settings: c.addSettings(f, alfworldData)}
	f.IntVar(&o.tasks, "tasks", 3, "`number` of tasks that are played")
	f.IntVar(&o.steps, "steps", 0, "most `steps` of a walk (default: those of an episode, 50 at most)")
	f.Uint64Var(&o.seed, "seed", 1, "makes the walks and draws the tasks")
	f.StringArrayVar(&o.actions, "action", nil,
		"an `action` that walks may take where the environment lists none; may be repeated")
	return func(args []string) error {
		if o.tasks < 1 || o.steps < 0 {
			return usage("--tasks is %d and --steps %d; play one task at least, by a step or more", o.tasks, o.steps)
		}
		return c.checkEnv(args[1], o)
	}
}

// checkEnv checks one environment and shows what came of it.
func (c *cli) checkEnv(name string, o *checking) error {
	if name == sparkd.EnvClient {
		return usage("the environment client is driven by a trainer's process; write it as a class and check that")
	}
	l, err := c.load(o.settings, "error")
	if err != nil {
		return err
	}
	p := envProgress{status: c.status(), quiet: c.json && c.bar == 0}
	options := contract.Options{Steps: o.steps, Seed: o.seed, Limit: l.Config.Sampler.EnvTimeout, Progress: p.show,
		Words: o.actions,
		Tasks: func(info sparkd.EnvInfo) []sparkd.Task { return contract.Draw(info, o.tasks, o.seed) },
		Source: func(ctx context.Context) (contract.Source, error) {
			log := c.logger(l.Config.Log)
			return openEnv(ctx, name, l.Config.Env, l.Config.Sampler.EnvTimeout,
				func(name, line string) { log.Info().Str("env", name).Msg(line) })
		}}
	report, err := contract.Run(c.ctx, options)
	p.clear()
	if report == nil {
		return err
	}
	if shown := c.show(report, func(w io.Writer) { c.presentEnv(w, report) }); shown != nil {
		return shown
	}
	if err == nil && report.Faults() > 0 {
		return exit{code: exitProblems}
	}
	return err
}

// openEnv opens one environment of the configuration alone.
func openEnv(ctx context.Context, name string, all map[string]*env.Config, limit time.Duration,
	log func(name, line string)) (contract.Source, error) {
	configured := map[string]env.Config{}
	if of, ok := all[name]; ok {
		configured[name] = *of
	}
	catalog, err := env.Open(ctx, configured, limit, log)
	if err != nil {
		return nil, err
	}
	source, err := catalog.Source(name)
	if err != nil {
		return nil, sparkd.Invalid("env."+name, "configure it as [env."+name+"] in the file that -c names; "+
			"household is built in", "there is no environment %q", name)
	}
	return source, nil
}

// envProgress shows what is checked. A check of a second shows nothing.
type envProgress struct {
	status
	quiet bool
	dirty bool // a line stands on the terminal
}

func (p *envProgress) show(done float64, what string) {
	every, first, now := plainEvery, plainEvery, time.Now()
	if p.width > 0 {
		every, first = screenEvery, time.Second
	}
	if p.quiet || now.Sub(p.begin) < first || now.Sub(p.shown) < every {
		return
	}
	p.write(done, line{{text: clean(what)}, {style: dim, text: " · " + p.minutes(now)}}, now)
	p.dirty = p.width > 0
}

// clear takes the line from the terminal.
func (p *envProgress) clear() {
	if p.dirty {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// marks are how the outcome of a check is drawn.
var marks = map[contract.State]piece{contract.OK: {style: green, text: "✔"}, contract.Failed: {style: red, text: "✘"},
	contract.Skipped: {style: dim, text: "–"}}

// presentEnv writes a report for people.
func (c *cli) presentEnv(w io.Writer, r *contract.Report) {
	put := func(l line) { fmt.Fprintln(w, l.render(0, c.color)) }
	put(line{{style: bold, text: clean(r.Env)}, {text: fmt.Sprintf(" · %s · walks of %s, seed %d · %s", r.Fork,
		count(r.Steps, "step"), r.Seed, strings.Join(r.Tasks, ", "))}})
	fmt.Fprintln(w)
	for i := range r.Checks {
		k := &r.Checks[i]
		put(line{marks[k.State], {text: " " + letters.FillRight(k.Name, 36)}, {style: dim, text: clean(k.Note)}})
		for j := range k.Faults {
			c.presentFault(w, &k.Faults[j])
		}
	}
	if r.Interrupted != "" {
		fmt.Fprintf(w, "\ninterrupted at: %s; what comes behind it was not checked\n", clean(r.Interrupted))
	}
	if n := r.Faults(); n > 0 {
		fmt.Fprintf(w, "\n%s; --set log.level=info shows what the environment writes to stderr\n", count(n, "fault"))
	}
}

// presentFault writes what is wrong, exactly, and what to do.
func (c *cli) presentFault(w io.Writer, f *contract.Fault) {
	put := func(name, text string) {
		for i, part := range wrapped(name+text, 96) {
			if i > 0 {
				part = "  " + part
			}
			fmt.Fprintln(w, "    "+part)
		}
	}
	about := f.Message
	if f.Task != "" {
		about = f.Task + ": " + about
	}
	put("", clean(about))
	if f.Field != "" {
		put("", f.Field+" was "+clean(f.Want))
		put("", strings.Repeat(" ", len(f.Field))+"  is "+clean(f.Got))
	}
	if len(f.Actions) > 0 {
		quoted := fmt.Sprintf("%q", f.Actions)
		put("actions: ", quoted[1:len(quoted)-1])
	}
	put("remedy: ", clean(f.Remedy))
}

// wrapped breaks a text at blanks into lines of so many cells at most, where it has blanks.
func wrapped(text string, width int) (lines []string) {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	for word := range strings.FieldsSeq(text) {
		last := len(lines) - 1
		switch {
		case last < 0:
			lines = append(lines, indent+word)
		case cells(lines[last])+1+cells(word) > width:
			lines = append(lines, word)
		default:
			lines[last] += " " + word
		}
	}
	return slices.Clip(lines)
}
