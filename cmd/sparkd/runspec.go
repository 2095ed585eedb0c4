package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
)

// addSpec declares the flags of a rollout request and returns what reads it: a request
// file, then the flags. What depends on the policy is branching.Resolve's.
func (c *cli) addSpec(all *flag.FlagSet) func() (sparkd.Spec, error) {
	s, f := sparkd.RequestSpec(), flag.NewFlagSet("", flag.ContinueOnError)
	f.StringVar(&s.ID, "id", s.ID, "`id` of the rollout; the same id again goes on with it")
	f.StringVar(&s.Tasks.Env, "env", s.Tasks.Env, "environment `name`")
	f.StringVar(&s.Tasks.Split, "split", s.Tasks.Split, "split `name`")
	f.IntVar(&s.Tasks.From, "from", s.Tasks.From, "first `task`")
	f.IntVar(&s.Tasks.Count, "tasks", s.Tasks.Count, "`number` of tasks")
	names := f.String("names", "", "tasks by `name`, with commas, where the environment names them")
	roots := f.Int("roots", 0, "`M`: trajectories begun (default: the policy's)")
	f.IntVar(&s.Budget.Leaves, "leaves", s.Budget.Leaves, "`N`: trajectories in all (default: the policy's)")
	branch := f.Int("branch", 0, "`B`: continuations at a critical state (default: the policy's)")
	tag := f.String("tag", "", "`tag` that asks for a branch (default explore)")
	f.IntVar(&s.Budget.GeneratedTokens, "budget-tokens", s.Budget.GeneratedTokens,
		"most `tokens` that one task may generate; 0 for no limit")
	f.StringVar(&s.Context.Mode, "context", s.Context.Mode,
		"prompt `mode`: append (it grows with every step) or window (it shows the last steps, written anew every time)")
	f.IntVar(&s.Context.Window, "window", s.Context.Window, "`steps` that the window context shows")
	f.IntVar(&s.MaxSteps, "max-steps", s.MaxSteps, "`steps` of a trajectory")
	f.IntVar(&s.Sampling.MaxTokens, "max-tokens", s.Sampling.MaxTokens, "`tokens` of a step")
	f.Float64Var(&s.Sampling.Temperature, "temperature", s.Sampling.Temperature,
		"sampling temperature `T`; 0 takes the likeliest token every time")
	f.Float64Var(&s.Sampling.TopP, "top-p", s.Sampling.TopP, "nucleus `mass`; 0 switches it off")
	f.Uint64Var(&s.Seed, "seed", s.Seed, "`seed` of everything random")
	all.AddFlagSet(f)
	file := all.String("spec", "", "JSON `file` with a whole request, - for stdin; flags win over it")
	return func() (_ sparkd.Spec, err error) {
		if *file != "" {
			err = c.overlay(f, &s, *file)
		}
		if f.Changed("names") {
			s.Tasks.Names = strings.Split(*names, ",")
		}
		p := &s.Policy
		p.Roots = cmp.Or(given(f, "roots", roots), p.Roots)
		p.Branch = cmp.Or(given(f, "branch", branch), p.Branch)
		p.Tag = cmp.Or(given(f, "tag", tag), p.Tag)
		return s, err
	}
}

// given is the value of a flag that may be its zero value, too; nil where the flag was not given.
func given[T any](f *flag.FlagSet, name string, value *T) *T {
	if f.Changed(name) {
		return value
	}
	return nil
}

// addPolicy declares the flag of the policy and returns what sets it in a request; a parameter that has a flag of
// its own, too, is given in one of them.
func addPolicy(f *flag.FlagSet) func(*sparkd.Spec) error {
	text := f.String("policy", "",
		"branching policy `name`, its parameters behind colons: random:probability=0.3:branch=3 (default spark)")
	return func(s *sparkd.Spec) (err error) {
		if !f.Changed("policy") {
			return nil
		}
		var given []string
		f.VisitAll(func(fl *flag.Flag) {
			if fl.Changed {
				given = append(given, fl.Name)
			}
		})
		s.Policy, err = parsePolicy(*text, s.Policy, given...)
		return err
	}
}

// parsePolicy reads "name" or "name:parameter=value:…"; parameters are the fields of policy in a request. Those that
// base has are kept where the text has none, those that were given elsewhere are refused.
func parsePolicy(text string, base sparkd.Policy, given ...string) (sparkd.Policy, error) {
	parts := strings.Split(strings.TrimSpace(text), ":")
	p := base
	p.Name = parts[0]
	for _, part := range parts[1:] {
		key, value, ok := strings.Cut(part, "=")
		err := branching.Takes(p.Name, key)
		switch {
		case key == "", err == nil && !ok:
			err = sparkd.Invalid("policy", "write name:parameter=value, for example random:probability=0.3",
				"%q gives no value", part)
		case err == nil && slices.Contains(given, key):
			err = sparkd.Invalid("policy."+key, "give it once", "field given twice")
		case err == nil:
			err = setParameter(&p, key, value)
		}
		if err != nil {
			return p, err
		}
		given = append(given, key)
	}
	return p, nil
}

// setParameter says of a value that does not fit what is said of it in a request.
func setParameter(p *sparkd.Policy, name, value string) error {
	err := branching.Set(p, name, value)
	if err == nil {
		return nil
	}
	request := map[string]any{"policy": map[string]string{name: value}}
	if body, e := json.Marshal(request); e == nil {
		_, e = api.ParseSpec(body)
		err = cmp.Or(e, err)
	}
	return err
}

// overlay replaces s, which the flags of f write to, by the request in a file and sets the flags that were given again.
func (c *cli) overlay(f *flag.FlagSet, s *sparkd.Spec, file string) error {
	body, err := c.input(file)
	if err != nil {
		return sparkd.Invalid("spec", "name a JSON file, or - for stdin", "cannot read the request: %v", err)
	}
	before := map[*flag.Flag]string{}
	f.VisitAll(func(fl *flag.Flag) {
		if fl.Changed {
			before[fl] = fl.Value.String()
		}
	})
	if *s, err = api.ParseSpec(body); err != nil {
		return err
	}
	for fl, value := range before {
		if err := fl.Value.Set(value); err != nil {
			return err
		}
		if slices.Contains([]string{"from", "tasks", "names"}, fl.Name) {
			s.Tasks.Indices = nil
		}
	}
	return nil
}
