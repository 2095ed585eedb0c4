package export

import (
	"math/rand/v2"

	"sparkd"
	"sparkd/export/exporttest"
)

// toy is T*, the tree that the estimators' worked numbers are about.
func toy() *sparkd.Tree { return exporttest.Star() }

// randomTree has odd shapes: nodes with several or no environment spans, spans without
// logprobs, failed and unfinished branches, texts that need escaping.
func randomTree(rng *rand.Rand) *sparkd.Tree {
	t := &sparkd.Tree{ID: sparkd.NewID(sparkd.Tree{}.Created), Rollout: "r\\1", Task: sparkd.Task{Env: "e", Split: "s", Index: rng.IntN(9)},
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
	for _, id := range t.Leaves() {
		if n := t.Nodes[id]; rng.IntN(5) > 0 {
			n.Done, n.Outcome = true, []sparkd.Outcome{sparkd.OutcomeSuccess, sparkd.OutcomeFailure, sparkd.OutcomeBudget}[rng.IntN(3)]
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
