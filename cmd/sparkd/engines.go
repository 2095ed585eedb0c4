package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
)

func (c *cli) enginesCommand(cmd *cobra.Command) run {
	f := cmd.Flags()
	n := c.addConnection(f, ", else api.listen")
	var w sparkd.Weights
	f.StringVar(&w.Path, "weights", "", "move all replicas to the weights at `path`, as the engine sees it")
	f.StringVar(&w.Version, "version", "",
		"policy `version` of the new weights (default: a hash, where the engine can read them)")
	f.BoolVar(&w.LoRA, "lora", false, "the new weights are a LoRA adapter")
	out := f.String("drain", "", "take the `replica` out of service")
	back := f.String("undrain", "", "put the `replica` back in service")
	return func([]string) error {
		switch {
		case *out != "" && *back != "", w.Path != "" && *out+*back != "":
			return usage("--weights, --drain and --undrain are one request each; give one of them")
		case w.Path == "" && w != (sparkd.Weights{}):
			return usage("--version and --lora are about new weights; name these with --weights")
		}
		l, err := c.connect(n, "error")
		if err != nil {
			return err
		}
		return c.dial(cmp.Or(n.addr, l.Config.API.Listen), &l.Config, func(cl *client.Client) error {
			var e api.Engines
			switch {
			case w.Path != "":
				e, err = cl.Reload(c.ctx, w)
			case *out != "":
				e, err = cl.Drain(c.ctx, *out, true)
			case *back != "":
				e, err = cl.Drain(c.ctx, *back, false)
			default:
				e, err = cl.Engines(c.ctx)
			}
			if w.Path != "" {
				look := c.again(nil, "weights", "version", "lora")
				err = c.interrupted(err, "the daemon goes on to the new weights", look)
			}
			if err != nil {
				return err
			}
			return c.show(e, func(w io.Writer) { c.presentEngines(w, &e) })
		})
	}
}

// replicas are the columns of the table.
var replicas = []column{{"replica", 0}, {"dialect", 8}, {"state", 1}, {"version", 2}, {"running", 3}, {"waiting", 4},
	{"requests", 6}, {"failed", 5}, {"prompt", 9}, {"expected", 11}, {"cached", 10}, {"cached/expected", 7}}

func (c *cli) presentEngines(w io.Writer, e *api.Engines) {
	var rows [][]string
	for i := range e.Replicas {
		r := &e.Replicas[i]
		cached, ratio := thousands(r.CachedTokens), percent(r.CachedTokens, r.ExpectedTokens)
		if !r.Info.Capabilities.CachedCounts {
			cached, ratio = "not reported", "–"
		}
		rows = append(rows, []string{clean(r.Name), clean(r.Dialect + " " + r.Version), r.State,
			clean(r.Info.PolicyVersion), thousands(r.Running), thousands(r.Waiting), thousands(r.Requests),
			thousands(r.Failures), thousands(r.PromptTokens), thousands(r.ExpectedTokens), cached, ratio})
	}
	c.table(w, replicas, rows)
	fmt.Fprintln(w)
	for i := range e.Replicas {
		r := &e.Replicas[i]
		fmt.Fprintf(w, "%s: %s\n", clean(r.Name), abilities(&r.Info))
		if r.Error != nil {
			since := r.Since.Local().Format(time.TimeOnly)
			fmt.Fprintf(w, "  %s since %s: %s\n", r.State, since, clean(r.Error.Error()))
		}
	}
}

// abilities says what an engine can do.
func abilities(i *sparkd.EngineInfo) string {
	k, yesNo := i.Capabilities, map[bool]string{true: "yes", false: "no"}
	return fmt.Sprintf("%s · context %s · token-exact %s · logprobs %s · entropy %s · k of one prefix %s · "+
		"cached counts %s · abort %s · new weights %s", clean(i.Model), thousands(i.ContextLength), yesNo[k.TokenExact],
		k.Logprobs, k.Entropy, yesNo[k.NativeK], yesNo[k.CachedCounts], yesNo[k.Abort], yesNo[k.Reload])
}
