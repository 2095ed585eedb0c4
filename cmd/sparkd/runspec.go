package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
)

// addSpec declares the flags of a rollout request and returns what reads it: a request
// file, then the flags. What depends on the policy is branching.Resolve's.
func addSpec(all *flag.FlagSet) func() (sparkd.Spec, error) {
	s, f := sparkd.RequestSpec(), flag.NewFlagSet("", flag.ContinueOnError)
	f.StringVar(&s.ID, "id", s.ID, "`id` of the rollout; the same id again goes on with it")
	f.StringVar(&s.Tasks.Env, "env", s.Tasks.Env, "environment `name`")
	f.StringVar(&s.Tasks.Split, "split", s.Tasks.Split, "split `name`")
	f.IntVar(&s.Tasks.From, "from", s.Tasks.From, "first `task`")
	f.IntVar(&s.Tasks.Count, "tasks", s.Tasks.Count, "`number` of tasks")
	f.Var((*commas)(&s.Tasks.Names), "names", "tasks by `name`, with commas, where the environment names them")
	f.Var(optional[int]{&s.Policy.Roots, strconv.Atoi}, "roots", "`M`: trajectories begun (default: the policy's)")
	f.IntVar(&s.Budget.Leaves, "leaves", s.Budget.Leaves, "`N`: trajectories in all (default: the policy's)")
	f.Var(optional[int]{&s.Policy.Branch, strconv.Atoi}, "branch",
		"`B`: continuations at a critical state (default: the policy's)")
	f.Var(optional[string]{&s.Policy.Tag, asText}, "tag", "`tag` that asks for a branch (default explore)")
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
	file := all.String("spec", "", "JSON `file` with a whole request; flags win over it")
	return func() (sparkd.Spec, error) {
		if *file == "" {
			return s, nil
		}
		err := overlay(f, &s, *file)
		return s, err
	}
}

// addPolicy declares the flag of the policy and returns what sets it in a request. --branch
// is refused beside a policy that takes none; from a file it is dropped.
func addPolicy(f *flag.FlagSet) func(*sparkd.Spec) error {
	var text *string
	f.Var(optional[string]{&text, asText}, "policy",
		"branching policy `name`, its parameters behind colons: random:probability=0.3:branch=3 (default spark)")
	return func(s *sparkd.Spec) (err error) {
		if text == nil {
			return nil
		}
		if s.Policy, err = parsePolicy(*text, s.Policy); err == nil && f.Changed("branch") {
			err = branching.Takes(s.Policy.Name, "branch")
		}
		return err
	}
}

// parsePolicy reads "name" or "name:parameter=value:…"; parameters are the fields of policy in a request. M, B and
// the tag are those of given where the text has none and the policy takes them.
func parsePolicy(text string, given sparkd.Policy) (sparkd.Policy, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(text), ":")
	p := sparkd.Policy{Name: name}
	for rest != "" {
		var pair string
		pair, rest, _ = strings.Cut(rest, ":")
		key, value, ok := strings.Cut(pair, "=")
		err := branching.Takes(name, key)
		if err == nil && !ok {
			err = sparkd.Invalid("policy", "write name:parameter=value, for example random:probability=0.3",
				"%q gives no value", pair)
		}
		if err == nil {
			err = branching.Set(&p, key, value)
		}
		if err != nil {
			return p, err
		}
	}
	p.Roots, p.Tag = cmp.Or(p.Roots, given.Roots), cmp.Or(p.Tag, given.Tag)
	if branching.Takes(name, "branch") == nil {
		p.Branch = cmp.Or(p.Branch, given.Branch)
	}
	return p, nil
}

// optional is a flag that keeps apart whether it is given and its zero value.
type optional[T any] struct {
	to    **T
	parse func(string) (T, error)
}

func asText(text string) (string, error) { return text, nil }

func (o optional[T]) String() string {
	if o.to == nil || *o.to == nil {
		return ""
	}
	return fmt.Sprint(**o.to)
}
func (o optional[T]) Type() string { return "value" }
func (o optional[T]) Set(text string) error {
	value, err := o.parse(text)
	*o.to = &value
	return err
}

// commas is a list that a flag writes with commas.
type commas []string

func (c *commas) String() string { return strings.Join(*c, ",") }
func (c *commas) Type() string   { return "names" }
func (c *commas) Set(text string) error {
	*c = strings.Split(text, ",")
	return nil
}

// overlay replaces s, which the flags of f write to, by the request in a file and sets
// the flags that were given again.
func overlay(f *flag.FlagSet, s *sparkd.Spec, file string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return usage("cannot read the request: %v", err)
	}
	given := map[*flag.Flag]string{}
	f.VisitAll(func(fl *flag.Flag) {
		if fl.Changed {
			given[fl] = fl.Value.String()
		}
	})
	if *s, err = api.ParseSpec(body); err != nil {
		return err
	}
	for fl, value := range given {
		if err := fl.Value.Set(value); err != nil {
			return err
		}
		if slices.Contains([]string{"from", "tasks", "names"}, fl.Name) {
			s.Tasks.Indices = nil
		}
	}
	return nil
}
