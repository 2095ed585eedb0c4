package export

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"sparkd"
	"sparkd/export/exporttest"
)

// toy is T*, the tree that the estimators' worked numbers are about.
func toy() *sparkd.Tree { return exporttest.Star() }

// randomTree has odd shapes: nodes with several or no environment spans, spans without
// logprobs, failed and unfinished branches, texts that need escaping.
func randomTree(rng *rand.Rand) *sparkd.Tree {
	t := &sparkd.Tree{ID: sparkd.NewID(sparkd.Tree{}.Created), Rollout: "r\\1",
		Task: sparkd.Task{Env: "e", Split: "s", Index: rng.IntN(9)},
		Goal: randomText(rng), Seed: rng.Uint64(), State: sparkd.TreeDone}
	t.Nodes = []*sparkd.Node{{Parent: -1, Spans: []sparkd.Span{randomSpan(rng, sparkd.SourcePrompt)}}}
	for id := 1; id <= 2+rng.IntN(20); id++ {
		parent := t.Nodes[rng.IntN(id)]
		for parent.Failed() {
			parent = t.Nodes[parent.Parent]
		}
		n := &sparkd.Node{ID: id, Parent: parent.ID, Depth: parent.Depth + 1, Round: id, Action: randomText(rng),
			Valid: rng.IntN(4) > 0, Reward: float64(rng.IntN(3)) / 3, ObsHash: "h", PolicyVersion: "w",
			Spans: []sparkd.Span{randomSpan(rng, sparkd.SourceModel)}}
		if rng.IntN(3) == 0 { // a template's words before the output
			n.Spans = []sparkd.Span{randomSpan(rng, sparkd.SourceEnv), n.Spans[0]}
		}
		for range rng.IntN(3) {
			n.Spans = append(n.Spans, randomSpan(rng, sparkd.SourceEnv))
		}
		n.Signals.Tags = []string{"explore", "think", "a\tb"}[rng.IntN(3):]
		if rng.IntN(6) == 0 {
			n.Done, n.Outcome = true, sparkd.OutcomeFailed
		}
		t.Nodes = append(t.Nodes, n)
	}
	ends := []sparkd.Outcome{sparkd.OutcomeSuccess, sparkd.OutcomeFailure, sparkd.OutcomeBudget}
	for _, id := range t.Leaves() {
		if n := t.Nodes[id]; rng.IntN(5) > 0 {
			n.Done, n.Outcome = true, ends[rng.IntN(3)]
		}
	}
	return t
}

func randomSpan(rng *rand.Rand, source sparkd.Source) sparkd.Span {
	s := sparkd.Span{Source: source, Text: randomText(rng), TokenExact: rng.IntN(20) > 0}
	for range rng.IntN(8) {
		s.Tokens = append(s.Tokens, rng.Int32N(1<<(1+rng.IntN(30))))
	}
	if source != sparkd.SourceModel || len(s.Tokens) == 0 {
		return s
	}
	for range s.Tokens {
		s.Entropies = append(s.Entropies, rng.Float32())
		s.Logprobs = append(s.Logprobs, -10*rng.Float32()*rng.Float32())
		s.SampledLogprobs = append(s.SampledLogprobs, -rng.Float32())
	}
	if rng.IntN(3) == 0 {
		s.Logprobs = nil
	}
	if rng.IntN(2) == 0 {
		s.SampledLogprobs = nil
	}
	return s
}

func randomText(rng *rand.Rand) string {
	parts := []string{"mug", "\"", "\\", "\n", "\t", "\x00", "\x1f", "é", "\u2028", "水", "🙂", "<|im_end|>", "/"}
	s := ""
	for range rng.IntN(6) {
		s += parts[rng.IntN(len(parts))]
	}
	return s
}

// drawnTree returns a random tree in which every token that was drawn has an id of its own,
// from 1000 on; siblings may share the first tokens of a step.
func drawnTree(rng *rand.Rand) *sparkd.Tree {
	fresh := freshTokens()
	window := rng.IntN(2) == 0
	opening := sparkd.Span{Source: sparkd.SourcePrompt, Tokens: []int32{1, 2, 3}}
	t := &sparkd.Tree{ID: "T", Rollout: "R", Task: sparkd.Task{Env: "e", Split: "s"}, State: sparkd.TreeDone,
		Nodes: []*sparkd.Node{{Parent: -1, Spans: []sparkd.Span{opening}}}}
	for id := 1; id <= 3+rng.IntN(20); id++ {
		parent := t.Nodes[rng.IntN(id)]
		for parent.Failed() {
			parent = t.Nodes[parent.Parent]
		}
		n := &sparkd.Node{ID: id, Parent: parent.ID, Depth: parent.Depth + 1,
			Valid: rng.IntN(3) > 0, Reward: float64(rng.IntN(3)), PolicyVersion: fmt.Sprint(rng.IntN(3))}
		model := sparkd.Span{Source: sparkd.SourceModel, Tokens: fresh(1 + rng.IntN(7)), TokenExact: true,
			Text: fmt.Sprint("said ", id)}
		for range model.Tokens {
			model.Logprobs = append(model.Logprobs, -rng.Float32()-.01)
		}
		shareTokens(rng, t, n, &model)
		n.Spans = []sparkd.Span{model}
		if window {
			n.Spans = append(n.Spans, sparkd.Span{Source: sparkd.SourceEnv, Text: "seen"},
				sparkd.Span{Source: sparkd.SourcePrompt, Tokens: []int32{1, int32(id), 3}})
		} else {
			n.Spans = append(n.Spans, sparkd.Span{Source: sparkd.SourceEnv, Tokens: []int32{4, 5}})
		}
		if rng.IntN(6) == 0 {
			n.Done, n.Outcome = true, sparkd.OutcomeFailed
		}
		t.Nodes = append(t.Nodes, n)
	}
	for _, id := range t.Leaves() {
		if n := t.Nodes[id]; rng.IntN(6) > 0 {
			n.Done, n.Outcome = true, []sparkd.Outcome{sparkd.OutcomeSuccess, sparkd.OutcomeFailure}[rng.IntN(2)]
		}
	}
	return t
}

// freshTokens returns a function that returns so many tokens that it never returned before.
func freshTokens() func(int) []sparkd.Token {
	next := sparkd.Token(1000)
	return func(n int) []sparkd.Token {
		ids := make([]sparkd.Token, n)
		for i := range ids {
			next++
			ids[i] = next
		}
		return ids
	}
}

// shareTokens may have the output of n begin with tokens of a sibling's.
func shareTokens(rng *rand.Rand, t *sparkd.Tree, n *sparkd.Node, model *sparkd.Span) {
	var siblings []*sparkd.Node
	for _, o := range t.Nodes[1:] {
		if o.Parent == n.Parent && !o.Failed() {
			siblings = append(siblings, o)
		}
	}
	if len(siblings) == 0 || rng.IntN(2) > 0 {
		return
	}
	of := siblings[rng.IntN(len(siblings))]
	shared := 1 + rng.IntN(len(of.Spans[0].Tokens))
	n.Decision.Of, n.Decision.SharedTokens = of.ID, shared
	model.Tokens = append(slices.Clone(of.Spans[0].Tokens[:shared]), model.Tokens...)
	model.Logprobs = append(slices.Clone(of.Spans[0].Logprobs[:shared]), model.Logprobs...)
}
