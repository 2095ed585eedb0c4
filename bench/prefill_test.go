package bench_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"sparkd"
	"sparkd/bench"
	"sparkd/engine/embedded"
	"sparkd/env/alfworld"
	"sparkd/internal/settings"
	"sparkd/sampler"
)

// short is a request that two cores afford with a prefill of some hundred tokens a
// second. A cool model keeps to the form of an answer more often, and so forks more often.
func short(maxSteps int) *sparkd.Spec {
	spec := published(maxSteps, 24)
	spec.Sampling.Temperature = 0.5
	return spec
}

func player(t *testing.T, share bool) (*embedded.Engine, sampler.Deps) {
	t.Helper()
	o := settings.Default[embedded.Options]()
	o.Model, o.PrefixCache, o.Cells = bench.Model(t), share, 65536
	e, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	template, err := sampler.ModelTemplate(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return e, sampler.Deps{Engine: e, Template: template, Prompt: sampler.Prompt{Admissible: 8}, Commit: nowhere,
		OpenEnv: func(context.Context) (sparkd.Env, error) { return alfworld.New(), nil }}
}

// figurePrefill: how often a prompt token is computed over a run of 16 household tasks.
// What is unique is counted from the finished trees alone, over all of them together.
func figurePrefill(t *testing.T) {
	const tasks, parallel, maxSteps = 16, 8, 3
	e, d := player(t, true)
	start := time.Now()
	trees := grow(t, d, short(maxSteps), 0, tasks, parallel)
	seconds := bench.Since(start)
	s, unique := total(trees), uniquePrompt(trees)
	bench.Print("prefill_once", float64(s.ComputedTokens)/float64(unique), "ratio", map[string]any{
		"computed": s.ComputedTokens, "unique": unique, "unique_tree_by_tree": s.UniqueTokens, "asked": s.PromptTokens,
		"generated": s.GeneratedTokens, "tasks": tasks, "parallel": parallel,
		"leaves": s.Leaves, "forks": s.Forks, "nodes": s.Nodes,
		"roots": 4, "max_leaves": 8, "branch": 2, "max_steps": maxSteps, "max_tokens": 24, "temperature": 0.5,
		"evictions": e.Stats().Evictions, "weights": e.Describe().WeightType, "seconds": seconds})
}

// figureSharing grows the same trees with and without shared prefixes, in turns. Longer
// trajectories would gain more: without sharing their cost grows with the square of their
// length.
func figureSharing(t *testing.T) {
	const tasks, maxSteps = 2, 2
	_, with := player(t, true)
	_, without := player(t, false)
	var shared, apart []*sparkd.Tree
	var sharedTimes, apartTimes []float64
	run := func(d sampler.Deps, task int) (*sparkd.Tree, float64) {
		start := time.Now()
		tree := grow(t, d, short(maxSteps), task, 1, 1)[0]
		return tree, bench.Since(start)
	}
	same := 0
	for task := range tasks {
		a, seconds := run(with, task)
		shared, sharedTimes = append(shared, a), append(sharedTimes, seconds)
		b, seconds := run(without, task)
		apart, apartTimes = append(apart, b), append(apartTimes, seconds)
		if sameTokens(a, b) {
			same++
		}
	}
	s, a := total(shared), total(apart)
	detail := map[string]any{"tasks": tasks, "same_trees": same, "computed_with": s.ComputedTokens,
		"computed_without": a.ComputedTokens,
		"generated_with":   s.GeneratedTokens, "generated_without": a.GeneratedTokens,
		"leaves_with": s.Leaves, "leaves_without": a.Leaves,
		"seconds_with": sharedTimes, "seconds_without": apartTimes, "max_steps": maxSteps, "max_tokens": 24}
	bench.Print("prefill_without_sharing", float64(a.ComputedTokens)/float64(s.ComputedTokens), "ratio", detail)
	bench.Print("speedup_by_sharing", sum(apartTimes)/sum(sharedTimes), "ratio", detail)
}

func sameTokens(a, b *sparkd.Tree) bool {
	if len(a.Nodes) != len(b.Nodes) {
		return false
	}
	for _, leaf := range a.Leaves() {
		if !slices.Equal(a.Tokens(leaf), b.Tokens(leaf)) {
			return false
		}
	}
	return true
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// uniquePrompt counts the distinct tokens at distinct prefixes, over all trees, that the
// expansions' prompts hold and that decoding did not run anyway. Decoding runs every
// sampled token but the last.
func uniquePrompt(trees []*sparkd.Tree) int {
	asked, decoded := map[uint64]bool{}, map[uint64]bool{}
	for _, t := range trees {
		children, ends := t.Children(), make([]uint64, len(t.Nodes))
		for _, n := range t.Nodes {
			h := uint64(0)
			if n.Parent >= 0 {
				h = ends[n.Parent]
			}
			for _, s := range n.Spans {
				for i, token := range s.Tokens {
					h = sparkd.Mix(h, uint64(token)) // stands for the token and all before it
					if s.Source == sparkd.SourceModel && i < len(s.Tokens)-1 {
						decoded[h] = true
					} else if len(children[n.ID]) > 0 {
						asked[h] = true
					}
				}
			}
			ends[n.ID] = h
		}
	}
	unique := 0
	for h := range asked {
		if !decoded[h] {
			unique++
		}
	}
	return unique
}

func TestUniquePrompt(t *testing.T) {
	opening := &sparkd.Node{Parent: -1,
		Spans: []sparkd.Span{{Source: sparkd.SourcePrompt, Tokens: []sparkd.Token{1, 2, 3}}}}
	step := func(id, parent int, model ...sparkd.Token) *sparkd.Node {
		return &sparkd.Node{ID: id, Parent: parent, Spans: []sparkd.Span{
			{Source: sparkd.SourceModel, Tokens: model}, {Source: sparkd.SourceEnv, Tokens: []sparkd.Token{7}}}}
	}
	// Two roots that said the same, both expanded.
	twins := &sparkd.Tree{Nodes: []*sparkd.Node{opening, step(1, 0, 5, 6), step(2, 0, 5, 6), step(3, 1, 8),
		step(4, 2, 9)}}
	// The same opening, and an answer whose decoding runs the other tree's last token.
	longer := &sparkd.Tree{Nodes: []*sparkd.Node{opening, step(1, 0, 5, 6, 2)}}
	for _, c := range []struct {
		name  string
		trees []*sparkd.Tree
		want  int
	}{
		{"opening, fed-back token and observation", []*sparkd.Tree{twins}, 3 + 1 + 1},
		{"nothing but an opening", []*sparkd.Tree{longer}, 3},
		{"what trees share", []*sparkd.Tree{twins, longer}, 3 + 1},
	} {
		if got := uniquePrompt(c.trees); got != c.want {
			t.Errorf("%s: %d unique tokens, want %d", c.name, got, c.want)
		}
	}
}
