package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
)

// addSpec declares the flags of a rollout request and returns what reads it: a request
// file, then the flags. What neither gives is zero where it depends on the policy; see
// sparkd.Spec.WithDefaults.
func addSpec(all *flag.FlagSet) func() (sparkd.Spec, error) {
	s, f := sparkd.RequestSpec(), flag.NewFlagSet("", flag.ContinueOnError)
	f.StringVar(&s.ID, "id", s.ID, "`id` of the rollout; the same id again goes on with it")
	f.StringVar(&s.Tasks.Env, "env", s.Tasks.Env, "environment `name`")
	f.StringVar(&s.Tasks.Split, "split", s.Tasks.Split, "split `name`")
	f.IntVar(&s.Tasks.From, "from", s.Tasks.From, "first `task`")
	f.IntVar(&s.Tasks.Count, "tasks", s.Tasks.Count, "`number` of tasks")
	f.Var((*commas)(&s.Tasks.Names), "names", "tasks by `name`, with commas, where the environment names them")
	f.IntVar(&s.Policy.Roots, "roots", s.Policy.Roots, "`M`: trajectories begun (default: the policy's)")
	f.IntVar(&s.Budget.Leaves, "leaves", s.Budget.Leaves, "`N`: trajectories in all (default: the policy's)")
	f.IntVar(&s.Policy.Branch, "branch", s.Policy.Branch,
		"`B`: continuations at a critical state (default: the policy's)")
	f.StringVar(&s.Policy.Tag, "tag", s.Policy.Tag, "`tag` that asks for a branch (default explore)")
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

// addPolicy declares the flag of the policy and returns what sets it in a request.
func addPolicy(f *flag.FlagSet) func(*sparkd.Spec) error {
	var text *string // nil: not given
	about := "branching policy `name`, its parameters behind colons: random:probability=0.3:branch=3 (default spark)"
	f.Func("policy", about, func(value string) error {
		text = &value
		return nil
	})
	return func(s *sparkd.Spec) error {
		if text == nil {
			return nil
		}
		p, err := parsePolicy(*text, s.Policy)
		if err == nil {
			s.Policy = p
		}
		return err
	}
}

// parsePolicy reads "name" or "name:parameter=value:…"; parameters are the fields of
// policy in a request. M, B and the tag are those of given where the text has none.
func parsePolicy(text string, given sparkd.Policy) (sparkd.Policy, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(text), ":")
	p := sparkd.Policy{Roots: given.Roots, Branch: given.Branch, Tag: given.Tag}
	if known := branching.PolicyNames(); !slices.Contains(known, name) {
		return p, sparkd.Invalid("policy.name", "one of "+strings.Join(known, ", "), "unknown policy %q", name)
	}
	fields := map[string]any{"name": name}
	for rest != "" {
		var pair string
		pair, rest, _ = strings.Cut(rest, ":")
		key, value, ok := strings.Cut(pair, "=")
		if !slices.Contains(branching.Parameters(name), key) && !slices.Contains(branching.Modifiers(), key) {
			return p, sparkd.Invalid("policy", parametersOf(name), "%q is no parameter of %s", key, name)
		}
		if !ok {
			return p, sparkd.Invalid("policy", "write name:parameter=value, for example random:probability=0.3",
				"%q gives no value", pair)
		}
		fields[key] = value
		if json.Valid([]byte(value)) {
			fields[key] = json.RawMessage(value)
		}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return p, err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		why := strings.TrimPrefix(err.Error(), "json: ")
		return p, sparkd.Invalid("policy", parametersOf(name), "%s: %s", text, why)
	}
	return p, nil
}

func parametersOf(policy string) string {
	return fmt.Sprintf("%s takes %s; every policy %s", policy,
		strings.Join(branching.Parameters(policy), ", "), strings.Join(branching.Modifiers(), ", "))
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
	if _, err = api.ParseSpec(body); err != nil {
		return err
	}
	given := map[*flag.Flag]string{}
	f.VisitAll(func(fl *flag.Flag) {
		if fl.Changed {
			given[fl] = fl.Value.String()
		}
	})
	*s = sparkd.RequestSpec() // without the defaults of a policy that a flag may replace
	if err := json.Unmarshal(body, s); err != nil {
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
