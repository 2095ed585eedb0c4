package daemon

import (
	"fmt"

	"sparkd"
	"sparkd/branching"
	"sparkd/env"
)

// checkSpec compares a request with what the policy and the engine can do.
func checkSpec(spec *sparkd.Spec, about sparkd.EngineInfo) error {
	policy, err := branching.NewPolicy(spec.Policy, spec.MaxSteps)
	if err != nil {
		return err
	}
	if err := about.Capabilities.Check(spec.Require); err != nil {
		return err
	}
	if err := branching.CheckEngine(spec.Policy.Name, about.Capabilities); err != nil {
		return err
	}
	if n := about.ContextLength; n > 0 && spec.Sampling.MaxTokens >= n {
		return sparkd.Invalid("sampling.max_tokens", fmt.Sprintf("use fewer than %d; the prompt needs room too", n),
			"%d tokens do not fit in the context of %s (%d tokens)", spec.Sampling.MaxTokens, about.Model, n)
	}
	for i, t := range spec.Sampling.StopTokenIDs {
		if about.Vocabulary > 0 && int(t) >= about.Vocabulary {
			return sparkd.Invalid(fmt.Sprintf("sampling.stop_token_ids[%d]", i),
				fmt.Sprintf("ids are 0 to %d", about.Vocabulary-1), "the model has no token %d", t)
		}
	}
	return checkCells(spec, policy.Widest(spec.Budget.Leaves), &about)
}

// resolve checks the tasks of a request and turns their names into indices.
func resolve(envs *env.Catalog, spec *sparkd.Spec) error {
	s, err := envs.Source(spec.Tasks.Env)
	if err == nil {
		spec.Tasks, err = env.Resolve(s, spec.Tasks)
	}
	return err
}

// steps returns the least of the steps that a request asks for and that an episode of its environment has.
func steps(envs *env.Catalog, spec *sparkd.Spec) int {
	s, err := envs.Source(spec.Tasks.Env)
	if err != nil { // resolve says what is wrong with it
		return spec.MaxSteps
	}
	if most := s.Info().MaxSteps; most > 0 {
		return min(spec.MaxSteps, most)
	}
	return spec.MaxSteps
}

// checkCells refuses an expansion that would not fit in an empty engine: its k
// continuations alone, at their longest, with one token of prompt.
func checkCells(spec *sparkd.Spec, k int, about *sparkd.EngineInfo) error {
	field := "policy.branch"
	switch k {
	case *spec.Policy.Roots:
		field = "policy.roots"
	case spec.Budget.Leaves:
		field = "budget.leaves"
	}
	need := k*spec.Sampling.MaxTokens + 1
	if about.Cells == 0 || need <= about.Cells {
		return nil
	}
	return sparkd.NewError(sparkd.CodeCapacity, field, "lower it or sampling.max_tokens, or raise engine.cells",
		"%d continuations of up to %d tokens need %d cells; the engine has %d",
		k, spec.Sampling.MaxTokens, need, about.Cells)
}
