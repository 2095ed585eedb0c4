package branching

import (
	"math/rand/v2"

	"sparkd"
)

// Policy is a branching policy with its parameters, as [NewPolicy] makes it.
type Policy struct {
	*description
	given    sparkd.Policy // with all parameters
	rule     rule
	maxSteps int // steps of a trajectory
}

// A rule is what tells one policy from another: the continuations that it proposes for the
// next round, in order of precedence, beside the one that every live leaf gets.
type rule func(v *view) []proposal

// An opener says how many roots the first round begins, and why.
type opener func(rng *rand.Rand) (k int, reason string)

// A proposal is for so many more continuations of a node. With zero it only records the
// score with the leaf's linear step.
type proposal struct {
	node, more int
	reason     string
	score      float64
	of, shared int // a fork inside a step, see Expansion
}

// NewPolicy returns the policy that p names, for trajectories of at most maxSteps steps. Parameters that are not
// given have their published values, those that the policy does not take are left out; ranges are [Resolve]'s.
// NewPolicy refuses a name that it does not know. The rules are described where they are written; docs/policies.md
// has them all in one table.
func NewPolicy(p sparkd.Policy, maxSteps int) (Policy, error) {
	d, err := describe(p.Name)
	if err != nil {
		return Policy{}, err
	}
	p = d.complete(&p)
	return Policy{d, p, d.rule(&p), maxSteps}, nil
}

// Widest returns the most continuations that one expansion can ask for in a tree of at most n leaves.
func (p Policy) Widest(n int) int {
	roots := *p.given.Roots
	if roots == 0 || *p.given.Fallback || p.widest == nil {
		return n
	}
	return min(max(roots, p.widest(&p.given)), n)
}

// CheckEngine reports a policy that needs more than the engine can do. A policy that could only ever see missing
// signals is refused when it is asked for, rather than silently growing chains.
func CheckEngine(name string, c sparkd.Capabilities) error {
	d, err := describe(name)
	if err != nil {
		return err
	}
	missing := c.Missing(d.needs)
	if len(missing) == 0 {
		return nil
	}
	return sparkd.Invalid("policy.name",
		"use a policy that needs no such signal, for example spark, expand-random or pivot, or another engine",
		"policy %s cannot work: the engine %s", d.name, lacks[missing[0]])
}

// lacks says what an engine without a capability cannot do.
var lacks = map[string]string{
	"entropy":     "reports no entropies",
	"logprobs":    "reports no logprobs",
	"token_exact": "takes no token ids, so that a step cannot go on from its middle",
}

// PolicyRand returns the random source for the round that follows `round` committed
// rounds ([sparkd.Tree.Round]). It depends on the tree's seed and the round alone.
func PolicyRand(treeSeed uint64, round int) *rand.Rand {
	const policy = 0x706f6c696379 // keeps the stream apart from the seeds of samples
	seed := sparkd.Mix(treeSeed, policy, uint64(round))
	return rand.New(rand.NewPCG(seed, sparkd.Mix(seed, policy)))
}
