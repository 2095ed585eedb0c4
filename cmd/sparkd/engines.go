package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"time"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
)

func enginesCommand(c *cli, f *flag.FlagSet) func([]string) error {
	settings := c.addSettings(f)
	addr := f.String("addr", c.env("SPARKD_ADDR"), "`address` of a running daemon (default: api.listen)")
	var w sparkd.Weights
	f.StringVar(&w.Path, "weights", "", "move all replicas to the weights at `path`, as the engine sees it")
	f.StringVar(&w.Version, "version", "", "policy `version` of the new weights (default: a hash, where the engine can read them)")
	f.BoolVar(&w.LoRA, "lora", false, "the new weights are a LoRA adapter")
	out := f.String("drain", "", "take the `replica` out of service")
	back := f.String("undrain", "", "put the `replica` back in service")
	return func([]string) error {
		l, err := c.load(settings, map[string]string{"log.level": "error"})
		if err == nil {
			err = settings.refuseBeside(*addr)
		}
		if err != nil {
			return err
		}
		cl, err := c.dial(cmp.Or(*addr, l.Config.API.Listen), &l.Config)
		if err != nil {
			return err
		}
		e, err := changeEngines(c.ctx, cl, w, *out, *back)
		if err != nil {
			return err
		}
		if c.json {
			return writeJSON(c.stdout, e)
		}
		return c.presentEngines(&e)
	}
}

// changeEngines does what the flags ask for and returns how the replicas stand then.
func changeEngines(ctx context.Context, cl *client.Client, w sparkd.Weights, out, back string) (e api.Engines, err error) {
	switch {
	case w.Path != "":
		return cl.Reload(ctx, w)
	case out != "":
		return cl.Drain(ctx, out, true)
	case back != "":
		return cl.Drain(ctx, back, false)
	}
	return cl.Engines(ctx)
}

func (c *cli) presentEngines(e *api.Engines) error {
	rows := [][]string{{"replica", "dialect", "state", "version", "running", "waiting", "requests", "failed", "prompt", "expected", "cached", "cached/expected"}}
	for i := range e.Replicas {
		r := &e.Replicas[i]
		cached, ratio := thousands(r.CachedTokens), percent(r.CachedTokens, r.ExpectedTokens)
		if !r.Info.Capabilities.CachedCounts {
			cached, ratio = "not told", "–"
		}
		rows = append(rows, []string{clean(r.Name), clean(r.Dialect + " " + r.Version), r.State, clean(r.Info.PolicyVersion), thousands(r.Running), thousands(r.Waiting),
			thousands(r.Requests), thousands(r.Failures), thousands(r.PromptTokens), thousands(r.ExpectedTokens), cached, ratio})
	}
	if err := table(c.stdout, rows, c.color); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout)
	for i := range e.Replicas {
		r := &e.Replicas[i]
		k := r.Info.Capabilities
		fmt.Fprintf(c.stdout, "%s: %s · context %s · token-exact %s · logprobs %s · entropy %s · k of one prefix %s · cached counts %s · abort %s · new weights %s\n",
			clean(r.Name), clean(r.Info.Model), thousands(r.Info.ContextLength), yesNo(k.TokenExact), k.Logprobs, k.Entropy, yesNo(k.NativeK), yesNo(k.CachedCounts), yesNo(k.Abort), yesNo(k.Reload))
		if r.Error != nil {
			fmt.Fprintf(c.stdout, "  %s since %s: %s\n", r.State, r.Since.Local().Format(time.TimeOnly), clean(r.Error.Error()))
		}
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
