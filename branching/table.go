package branching

import "sparkd"

// description is all that is known of a policy, but for its rule's own file.
type description struct {
	name    string
	aliases []string // the names of papers and of their code
	// published holds the policy's own parameters at their published values. One that is
	// nil here is not taken. M is taken by all.
	published sparkd.Policy
	leaves    func(p *sparkd.Policy) int // N as published; p is complete
	needs     []string                   // capabilities of the engine that its signal takes
	rule      func(p *sparkd.Policy) rule
	// widest is the most continuations of one expansion, the roots aside; nil: N.
	widest func(p *sparkd.Policy) int
	first  opener // begins the tree where M is 0; nil: with N roots
}

// tagPolicy holds what spark and best-of take.
var tagPolicy = sparkd.Policy{Roots: new(4), Branch: new(2), Tag: new("explore")}

// table has every policy. A new one is a literal here, the file of its rule, and its rows
// in docs/policies.md and api/openapi.json, which the tests ask for.
var table = []description{
	{name: "spark", aliases: []string{"tag"}, published: tagPolicy,
		leaves: eight, rule: tagged, widest: branches},
	{name: "linear", aliases: []string{"grpo", "chains", "none"}, published: sparkd.Policy{Roots: new(0)},
		leaves: eight, rule: func(*sparkd.Policy) rule { return never },
		widest: func(*sparkd.Policy) int { return 1 }},
	{name: "random", aliases: []string{"prob", "fixed"},
		published: sparkd.Policy{Roots: new(4), Branch: new(2), Probability: new(.1)},
		leaves:    eight, rule: bernoulli, widest: branches},
	{name: "random-k", published: sparkd.Policy{Roots: new(4), Branch: new(2), Picks: new(4)},
		leaves: eight, rule: randomK, widest: branches},
	{name: "full", published: sparkd.Policy{Roots: new(4), Branch: new(2)},
		leaves: eight, rule: full, widest: branches},
	{name: "entropy", aliases: []string{"arpo"},
		published: sparkd.Policy{Roots: new(8), Branch: new(2), EntropyBase: new(.5), EntropyWeight: new(.2),
			EntropyThreshold: new(.0), EntropyAggregate: new(aggregateSum)},
		leaves: sixteen, needs: []string{"entropy"}, rule: entropyRise, widest: branches},
	{name: "entropy-balanced", aliases: []string{"aepo"},
		published: sparkd.Policy{Roots: new(0), Branch: new(2), EntropyBase: new(.5), EntropyWeight: new(.2),
			EntropyAggregate: new(aggregateSum), Penalty: new(.05), RootSlope: new(.5)},
		leaves: func(p *sparkd.Policy) int {
			if *p.Roots == 0 {
				return 17 // one of them is the pre-monitor's probe
			}
			return 16
		},
		needs: []string{"entropy"}, rule: balanced, widest: branches, first: probe},
	{name: "topk-entropy", aliases: []string{"at2po"},
		published: sparkd.Policy{Roots: new(10), Picks: new(6), Iterations: new(2), Penalty: new(.05)},
		leaves:    func(p *sparkd.Policy) int { return *p.Roots + *p.Iterations**p.Picks },
		needs:     []string{"logprobs"}, rule: topK, widest: func(p *sparkd.Policy) int { return *p.Picks }},
	{name: "expand-random", aliases: []string{"tree-grpo"},
		published: sparkd.Policy{Roots: new(2), Picks: new(2), Iterations: new(1)},
		leaves:    func(p *sparkd.Policy) int { return *p.Roots * (1 + *p.Iterations**p.Picks) },
		rule:      expandRandom, widest: func(p *sparkd.Policy) int { return *p.Roots * *p.Picks }},
	{name: "token-fork", aliases: []string{"treerl", "eptree"},
		published: sparkd.Policy{Roots: new(6), Branch: new(2), Picks: new(2), Iterations: new(1)},
		leaves:    func(p *sparkd.Policy) int { return *p.Roots * (1 + *p.Iterations**p.Picks**p.Branch) },
		needs:     []string{"token_exact", "logprobs"}, rule: tokenFork, widest: branches},
	{name: "width-split", aliases: []string{"treepo"}, published: sparkd.Policy{Roots: new(0), Branch: new(2)},
		leaves: sixteen, rule: widthSplit, first: firstDivergence},
	{name: "tail", aliases: []string{"branpo"}, published: sparkd.Policy{Roots: new(4)},
		leaves: sixteen, rule: func(*sparkd.Policy) rule { return tail },
		widest: func(*sparkd.Policy) int { return maxTail }},
	{name: "pivot", aliases: []string{"deep-grpo"},
		published: sparkd.Policy{Roots: new(4), Branch: new(4), Picks: new(1), PositionExponent: new(.1),
			ReturnThreshold: new(.0)},
		leaves: func(p *sparkd.Policy) int { return *p.Roots * (1 + *p.Picks**p.Branch) }, rule: pivot,
		widest: branches},
	{name: "contrast", aliases: []string{"trace"}, published: sparkd.Policy{Roots: new(4), Picks: new(4)},
		leaves: eight, rule: contrast, widest: func(p *sparkd.Policy) int { return *p.Picks }},
	{name: "best-of", published: tagPolicy,
		leaves: eight, rule: tagged, widest: branches},
}

func eight(*sparkd.Policy) int      { return 8 }
func sixteen(*sparkd.Policy) int    { return 16 }
func branches(p *sparkd.Policy) int { return *p.Branch }
