package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
	"sparkd/export"
	"sparkd/export/reward"
)

// exportFlags are the flags that say how lines are made; their names are those of export.Parameters with dashes.
type exportFlags struct {
	options export.Options
	given   map[string]string // the parameters that were given
	out     string
}

// addExport declares the flags of the named parameters, of all without a name.
func addExport(f *flag.FlagSet, names ...string) *exportFlags {
	e := &exportFlags{options: export.DefaultOptions(), given: map[string]string{}}
	for _, p := range export.Parameters() {
		if len(names) > 0 && !slices.Contains(names, p.Name) {
			continue
		}
		name := strings.ReplaceAll(p.Name, "_", "-")
		set := func(value string) error {
			if before := e.given[p.Name]; p.Name == "filter" && before != "" {
				value = before + "," + value // conditions may stand in flags of their own
			}
			e.given[p.Name] = value
			return p.Set(&e.options, value)
		}
		if p.Switch {
			f.BoolFunc(name, p.About, set)
		} else {
			f.Func(name, p.About, set)
		}
	}
	f.StringVar(&e.out, "out", "", "`file` to write; its ending packs it: .jsonl.zst, .parquet; else JSON lines; "+
		"FILE.manifest.json says how it was made")
	return e
}

func (c *cli) exportCommand(cmd *cobra.Command) run {
	f := cmd.Flags()
	e := addExport(f)
	var o client.ExportOptions
	f.StringVar(&o.After, "after", "", "only trees behind this `cursor`")
	f.IntVar(&o.Limit, "limit", 0, "most `trees`; 0 for all")
	var rule []string
	about := "`command` that gives trees other rewards: JSON lines in, JSON lines out"
	f.Func("reward-cmd", about, func(command string) (err error) {
		rule, err = reward.Words(command)
		return err
	})
	read := c.reading(cmd, func(cl *client.Client, _ []string) error { return c.export(cl, e, o, rule) })
	return func(args []string) error {
		o.Rollout = strings.Join(args, "")
		if err := e.validate(o, rule != nil); err != nil {
			return err
		}
		return read(args)
	}
}

func (e *exportFlags) validate(o client.ExportOptions, rescored bool) error {
	switch {
	case o.Limit < 0:
		return usage("--limit %d is negative; 0 is for all trees", o.Limit)
	case rescored && o.After != "":
		return sparkd.Invalid("after", "name a ROLLOUT, or leave one of the two out",
			"an export with --reward-cmd has no cursors")
	}
	if err := e.options.Validate(); err != nil {
		return err
	}
	return checkLines(e.out)
}

// export writes finished trees, with the rewards of a rule if there is one, and says, on
// stderr, what was written and where the next export goes on.
func (c *cli) export(cl *client.Client, e *exportFlags, o client.ExportOptions, rule []string) (err error) {
	var x client.Exported
	if rule == nil {
		x, err = c.exportTo(cl, e, o)
	} else {
		x.Manifest, err = c.rescore(cl, e, o, rule)
	}
	if err != nil {
		return c.exportInterrupted(err, e, x.Cursor)
	}
	m := &x.Manifest
	if c.json {
		err := c.report(map[string]any{"cursor": x.Cursor, "manifest": m}, e.out)
		return errors.Join(err, m.Refused())
	}
	fmt.Fprintln(c.stderr, m)
	for _, l := range m.LeftOut {
		fmt.Fprintf(c.stderr, "  left out %s: %s\n", count(l.Count, l.What), clean(l.Reason))
	}
	if x.Cursor != "" {
		fmt.Fprintf(c.stderr, "export again with --after %s for the trees behind these\n", x.Cursor)
	}
	return m.Refused()
}

// exportInterrupted says after a signal what is there and how to go on: behind the trees that a reader of stdout has,
// or anew, since a file is written whole.
func (c *cli) exportInterrupted(err error, e *exportFlags, cursor string) error {
	stdout := e.out == "" || e.out == "-" || special(e.out)
	_, missing := os.Stat(e.out)
	switch {
	case stdout && cursor != "":
		return c.interrupted(err, "the trees that were written are whole", c.again([]string{"--after", cursor}))
	case stdout || missing != nil:
		return c.interrupted(err, "nothing was written", c.again(nil))
	}
	return c.interrupted(err, e.out+" is as it was before", c.again(nil))
}

// exportTo writes an export, and its manifest beside a file.
func (c *cli) exportTo(cl *client.Client, e *exportFlags, o client.ExportOptions) (x client.Exported, err error) {
	o.Options = e.given
	err = c.pack(e, func(w io.Writer) (*api.Manifest, error) {
		x, err = cl.Export(c.ctx, w, o)
		return &x.Manifest, err
	})
	return x, err
}

// pack calls write with what packs lines into the output, and puts the manifest that it returns beside a file.
func (c *cli) pack(e *exportFlags, write func(io.Writer) (*api.Manifest, error)) error {
	var m *api.Manifest
	lines := func(w io.Writer) error {
		packed, err := export.Pack(w, e.out, e.options.Format)
		if err != nil {
			return err
		}
		if m, err = write(packed); err != nil {
			return err
		}
		return packed.Close()
	}
	return c.outputWith(e.out, lines, func() (string, []byte, error) {
		text, err := m.File()
		return export.ManifestPath(e.out), text, err
	})
}

// rescore writes finished trees with the rewards of a rule that runs here, beside the
// client: trees are fetched one by one, in the order of rollouts and tasks.
func (c *cli) rescore(
	cl *client.Client, e *exportFlags, o client.ExportOptions, rule []string,
) (m api.Manifest, err error) {
	log := func(line string) { fmt.Fprintf(c.stderr, "%s: %s\n", clean(rule[0]), clean(line)) }
	scorer, err := reward.Start(c.ctx, reward.Options{Command: rule, Log: log})
	if err != nil {
		return m, err
	}
	options := e.options
	options.Rescore = func(t *sparkd.Tree) (*sparkd.Tree, error) { return scorer.Rescore(c.ctx, t) }
	err = c.pack(e, func(w io.Writer) (*api.Manifest, error) {
		lines, err := export.NewWriter(w, options)
		if err == nil {
			err = c.writeTrees(cl, o, lines)
		}
		if err != nil {
			return nil, err
		}
		err = lines.Flush()
		m = lines.Manifest()
		return &m, err
	})
	ended := scorer.Close()
	if err != nil && c.ctx.Err() != nil {
		return m, err // the rule could not end as it should
	}
	return m, closing(err, ended)
}

// writeTrees writes the finished trees of a rollout, or of all of them, up to the limit.
func (c *cli) writeTrees(cl *client.Client, o client.ExportOptions, lines *export.Writer) error {
	left := o.Limit
	for r, err := range c.rollouts(cl, o.Rollout) {
		if err != nil {
			return err
		}
		for t, err := range c.trees(cl, r.Trees) {
			if err == nil && t.State == sparkd.TreeGrowing {
				continue
			}
			if err == nil {
				err = lines.Write([]*sparkd.Tree{t})
			}
			if left--; err != nil || left == 0 {
				return err
			}
		}
	}
	return nil
}
