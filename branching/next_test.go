package branching

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"sparkd"
)

// leaves returns a tree of roots with the given tags, one step deep ("" is no tag).
func leaves(tags ...string) *sparkd.Tree {
	t := &sparkd.Tree{Nodes: []*sparkd.Node{{Parent: -1}}}
	for _, tag := range tags {
		step(t, 0, tag)
	}
	return t
}

func step(t *sparkd.Tree, parent int, tag string) *sparkd.Node {
	n := grow(t, parent, "")
	n.Round = t.Round + 1
	if tag != "" {
		n.Signals.Tags = []string{tag}
	}
	return n
}

func policy(t *testing.T, p sparkd.Policy, maxSteps int) Policy {
	t.Helper()
	q, err := NewPolicy(p, maxSteps)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// spark is the published policy (M 4, B 2) with edits.
func spark(edit func(*sparkd.Policy)) sparkd.Policy {
	p := DefaultSpec().Policy
	if edit != nil {
		edit(&p)
	}
	return p
}

// brief writes expansions as "node×k:reason".
func brief(x []Expansion) string {
	var s []string
	for _, e := range x {
		s = append(s, fmt.Sprintf("%d×%d:%s", e.Node, e.K, e.Reason))
	}
	return strings.Join(s, " ")
}

// TestPublishedBudget is the worked case of SPARK's budget: M 4, N 8, B 2. Three roots
// explore: 7 leaves used; then four leaves explore: one of them, drawn, gets the last
// place; then none.
func TestPublishedBudget(t *testing.T) {
	p := policy(t, spark(nil), 30)
	budget := sparkd.Budget{Leaves: 8}
	tree := leaves()
	next := func() string { return brief(p.Next(tree, budget, PolicyRand(7, tree.Round))) }

	if got := next(); got != "0×4:root" {
		t.Fatalf("first round %s", got)
	}
	tree = leaves("explore", "explore", "explore", "think")
	if got := next(); got != "1×2:tag:explore 2×2:tag:explore 3×2:tag:explore 4×1:linear" {
		t.Fatalf("three explorers: %s", got)
	}
	for i, parent := range []int{1, 1, 2, 2, 3, 3, 4} {
		step(tree, parent, []string{"explore", "think"}[i%2])
	}
	got := p.Next(tree, budget, PolicyRand(7, 2))
	if k, forks := total(got); k != 8 || forks != 1 || len(got) != 7 {
		t.Fatalf("four explorers, one place: %s", brief(got))
	}
	for _, x := range got {
		for range x.K {
			step(tree, x.Node, "explore")
		}
	}
	if k, forks := total(p.Next(tree, budget, PolicyRand(7, 3))); k != 8 || forks != 0 {
		t.Fatalf("a full budget forks: %d continuations, %d forks", k, forks)
	}
}

func total(x []Expansion) (k, forks int) {
	for _, e := range x {
		k += e.K
		forks += e.K - 1
	}
	return k, forks
}

func TestNext(t *testing.T) {
	of8 := sparkd.Budget{Leaves: 8}
	fold := func(p *sparkd.Policy) { p.FoldCase = new(true) }
	tests := []struct {
		name   string
		policy sparkd.Policy
		budget sparkd.Budget
		tree   *sparkd.Tree
		edit   func(*sparkd.Tree)
		want   string
	}{
		{"B 3 with one place left gets one child", spark(func(p *sparkd.Policy) { p.Branch = new(3) }), of8,
			leaves("explore", "", "", "", "", "", ""), nil,
			"1×2:tag:explore 2×1:linear 3×1:linear 4×1:linear 5×1:linear 6×1:linear 7×1:linear"},
		{"B 4 takes three places", spark(func(p *sparkd.Policy) { p.Branch = new(4) }), of8, leaves("explore"), nil,
			"1×4:tag:explore"},
		{"B 1 never forks", spark(func(p *sparkd.Policy) { p.Branch = new(1) }), of8, leaves("explore"), nil,
			"1×1:linear"},
		{"another tag", spark(func(p *sparkd.Policy) { p.Tag = new("doubt") }), of8, leaves("explore", "doubt"), nil,
			"1×1:linear 2×2:tag:doubt"},
		{"case counts", spark(nil), of8, leaves("Explore"), nil, "1×1:linear"},
		{"case folded", spark(fold), of8, leaves("EXPLORE"), nil, "1×2:tag:explore"},
		{"an invalid format can still branch", spark(nil), of8, leaves("explore"),
			func(t *sparkd.Tree) { t.Nodes[1].Valid = false }, "1×2:tag:explore"},
		{"finished leaves keep their places and are not forked", spark(nil), sparkd.Budget{Leaves: 3},
			leaves("explore", "explore"), func(t *sparkd.Tree) { t.Nodes[1].Done = true }, "2×2:tag:explore"},
		{"finished leaves fill the budget", spark(nil), sparkd.Budget{Leaves: 2}, leaves("explore", "explore"),
			func(t *sparkd.Tree) { t.Nodes[1].Done = true }, "2×1:linear"},
		{"all finished", spark(nil), of8, leaves("explore"), func(t *sparkd.Tree) { t.Nodes[1].Done = true }, ""},
		{"a last-step node is not expanded", spark(nil), of8, leaves("explore", "explore"),
			func(t *sparkd.Tree) { t.Nodes[1].Depth = 30 }, "2×2:tag:explore"},
		{"one step before the last can fork", spark(nil), of8, leaves("explore"),
			func(t *sparkd.Tree) { t.Nodes[1].Depth = 29 }, "1×2:tag:explore"},
		{"no forks from the depth limit on", spark(func(p *sparkd.Policy) { p.MaxDepth = new(2) }), of8,
			leaves("explore", "explore"), func(t *sparkd.Tree) { t.Nodes[1].Depth = 2 }, "1×1:linear 2×2:tag:explore"},
		{"a failed branch gives its place back", spark(nil), sparkd.Budget{Leaves: 2}, leaves("explore", "explore"),
			func(t *sparkd.Tree) { t.Nodes[2].Outcome = sparkd.OutcomeFailed }, "1×2:tag:explore"},
		{"a leaf whose child failed is tried again", spark(nil), sparkd.Budget{Leaves: 2}, leaves(""),
			func(t *sparkd.Tree) { fail(t, 1, 1) }, "1×1:linear"},
		{"but not for ever", spark(nil), sparkd.Budget{Leaves: 2}, leaves(""),
			func(t *sparkd.Tree) { fail(t, 1, MaxAttempts) }, ""},
		{"an abandoned leaf keeps its place", spark(nil), sparkd.Budget{Leaves: 2}, leaves("", "explore"),
			func(t *sparkd.Tree) { fail(t, 1, MaxAttempts) }, "2×1:linear"},
		{"roots that all failed are tried again", spark(nil), of8, leaves(),
			func(t *sparkd.Tree) { fail(t, 0, MaxAttempts-1) }, "0×4:root"},
		{"but not for ever either", spark(nil), of8, leaves(),
			func(t *sparkd.Tree) { fail(t, 0, MaxAttempts) }, ""},
		{"one root that survives is enough", spark(nil), of8, leaves("", ""),
			func(t *sparkd.Tree) { t.Nodes[1].Outcome = sparkd.OutcomeFailed }, "2×1:linear"},
		{"tokens used up", spark(nil), sparkd.Budget{Leaves: 8, GeneratedTokens: 100}, leaves("explore"),
			func(t *sparkd.Tree) { t.Stats.GeneratedTokens = 100 }, ""},
		{"tokens left", spark(nil), sparkd.Budget{Leaves: 8, GeneratedTokens: 100}, leaves("explore"),
			func(t *sparkd.Tree) { t.Stats.GeneratedTokens = 98 }, "1×2:tag:explore"},
		{"tokens for one only", spark(nil), sparkd.Budget{Leaves: 8, GeneratedTokens: 100}, leaves("explore"),
			func(t *sparkd.Tree) { t.Stats.GeneratedTokens = 99 }, "1×1:linear"},
		{"steps for fewer roots", spark(nil), sparkd.Budget{Leaves: 8, EnvSteps: 3}, leaves(), nil, "0×3:root"},
		{"steps for the chains but not for a fork", spark(nil), sparkd.Budget{Leaves: 8, EnvSteps: 10},
			leaves("explore", "explore"), func(t *sparkd.Tree) { t.Stats.EnvSteps = 8 }, "1×1:linear 2×1:linear"},
		{"steps for part of the leaves", spark(nil), sparkd.Budget{Leaves: 8, EnvSteps: 10}, leaves("", ""),
			func(t *sparkd.Tree) { t.Stats.EnvSteps = 9 }, ""},
		{"a time budget is not the policy's", spark(nil), sparkd.Budget{Leaves: 8, Seconds: 1e-9}, leaves(""), nil,
			"1×1:linear"},
		{"linear never forks", spark(func(p *sparkd.Policy) { p.Name = "linear" }), of8, leaves("explore"), nil,
			"1×1:linear"},
		{"random with p 1 forks all", spark(func(p *sparkd.Policy) { p.Name, p.Probability = "random", new(1.0) }), of8,
			leaves("", ""), nil, "1×2:random 2×2:random"},
		{"full forks all, until N", spark(func(p *sparkd.Policy) { p.Name = "full" }), of8,
			leaves("", "", "", ""), nil, "1×2:full 2×2:full 3×2:full 4×2:full"},
		{"linear begins N chains", sparkd.Policy{Name: "linear"}, of8, leaves(), nil, "0×8:root"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.edit != nil {
				tt.edit(tt.tree)
			}
			got := policy(t, tt.policy, 30).Next(tt.tree, tt.budget, PolicyRand(1, 1))
			if brief(got) != tt.want {
				t.Errorf("got %q, want %q", brief(got), tt.want)
			}
		})
	}
}

// fail appends rounds in which both children of a node failed.
func fail(t *sparkd.Tree, parent, rounds int) {
	t.Round++
	for range rounds {
		for range 2 {
			step(t, parent, "").Outcome = sparkd.OutcomeFailed
		}
		t.Round++
	}
}

// TestScarcityIsFair: over many seeds every asking leaf wins about equally often, and
// the winners of one seed do not change.
func TestScarcityIsFair(t *testing.T) {
	p := policy(t, spark(nil), 30)
	wins := map[int]int{}
	const seeds = 4000
	for seed := range uint64(seeds) {
		tree := leaves("explore", "explore", "explore", "explore")
		got := p.Next(tree, sparkd.Budget{Leaves: 5}, PolicyRand(seed, 1))
		if again := p.Next(tree, sparkd.Budget{Leaves: 5}, PolicyRand(seed, 1)); brief(got) != brief(again) {
			t.Fatalf("seed %d: %s, then %s", seed, brief(got), brief(again))
		}
		for _, x := range got {
			wins[x.Node] += x.K - 1
		}
	}
	for node := 1; node <= 4; node++ {
		if share := float64(wins[node]) / seeds; math.Abs(share-.25) > .04 { // 5.8 standard errors
			t.Errorf("leaf %d won %.3f of the draws, want about 0.25", node, share)
		}
	}
}

func TestRandomRate(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "random", Roots: new(1), Branch: new(2), Probability: new(.1)}, 30)
	tree := leaves(make([]string, 100)...)
	forks := 0
	for seed := range uint64(100) {
		_, f := total(p.Next(tree, sparkd.Budget{Leaves: 1000}, PolicyRand(seed, 1)))
		forks += f
	}
	if forks < 850 || forks > 1150 { // 5 standard deviations of Binomial(10000, .1)
		t.Errorf("%d forks in 10000 draws of 0.1", forks)
	}
}

// BenchmarkNext is one round of a full tree (N 8, 30 steps).
func BenchmarkNext(b *testing.B) {
	p, err := NewPolicy(DefaultSpec().Policy, 31)
	if err != nil {
		b.Fatal(err)
	}
	tree := leaves("", "", "", "", "", "", "", "")
	for i := 1; i <= 8*29; i++ {
		step(tree, i, "explore")
	}
	rng := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		if len(p.Next(tree, sparkd.Budget{Leaves: 8}, rng)) != 8 {
			b.Fatal("want 8 expansions")
		}
	}
}
