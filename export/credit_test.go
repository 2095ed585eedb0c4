package export

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sparkd"
)

// sequenceFormats are those that read knows.
var sequenceFormats = []string{"rows", "verl-agent", "verl", "trl-grpo", "trl-async", "trl-sft",
	"openrlhf", "atropos", "slime", "areal", "skyrl"}

// TestCreditOfTokens: on random trees, with forks inside steps and in both contexts, every
// sequence is what the model saw, its masked tokens are what the model drew, with their
// logprobs; each drawn token gets the same credit in every format and in copies as in
// unique, and stands once in unique and tree, with weight 1 in the latter.
func TestCreditOfTokens(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 4))
		tree := drawnTree(rng)
		o := DefaultOptions()
		o.Advantage = []string{"spark-rows", "spark-unique", "grpo"}[seed%3]
		var want map[int32]float64
		for _, dedupe := range Dedupes() {
			for _, format := range sequenceFormats {
				o.Format, o.Dedupe = format, dedupe
				name := fmt.Sprintf("seed %d, %s, %s", seed, format, dedupe)
				credit := map[int32]float64{}
				times := map[int32]int{}
				for _, s := range read(t, format, export(t, o, []*sparkd.Tree{tree})) {
					seen(t, name, tree, s)
					for i, id := range s.ids {
						if s.trained[i] {
							credit[id] += s.credit[i]
							times[id]++
							if dedupe == "tree" && s.weights != nil && s.weights[i] != 1 {
								t.Fatalf("%s: weight %v", name, s.weights[i])
							}
						}
					}
				}
				for id, n := range times {
					if dedupe != "copies" && n != 1 {
						t.Fatalf("%s: token %d is trained %d times", name, id, n)
					}
				}
				if dedupe == "tree" {
					continue
				}
				if want == nil {
					want = credit
				}
				if len(credit) != len(want) {
					t.Fatalf("%s: %d tokens are trained, want %d", name, len(credit), len(want))
				}
				for id, c := range credit {
					if math.Abs(c-want[id]) > 1e-9 {
						t.Fatalf("%s: token %d has credit %v, want %v", name, id, c, want[id])
					}
				}
			}
		}
	}
}

// seen checks a sequence against the tree: the ids up to its last trained token are the
// context of that step and the step's output.
func seen(t *testing.T, name string, tree *sparkd.Tree, s sequence) {
	t.Helper()
	last := len(s.ids) - 1
	if !s.trained[last] {
		t.Fatalf("%s: the sequence ends with a token that is not trained", name)
	}
	for i, id := range s.ids {
		if !s.trained[i] {
			continue
		}
		n, at := find(tree, id)
		if n == nil {
			t.Fatalf("%s: token %d is trained and was not drawn", name, id)
		}
		if s.logprobs != nil && s.logprobs[i] != n.Model().Logprobs[at] {
			t.Fatalf("%s: token %d has logprob %v, want %v", name, id, s.logprobs[i], n.Model().Logprobs[at])
		}
	}
	for _, n := range tree.Nodes { // siblings share tokens, so look at all that drew the last one
		m := n.Model()
		if m == nil || !slices.Contains(m.Tokens, s.ids[last]) {
			continue
		}
		full := append(slices.Clone(tree.Tokens(n.Parent)), m.Tokens[:slices.Index(m.Tokens, s.ids[last])+1]...)
		if slices.Equal(full, s.ids) {
			return
		}
	}
	t.Fatalf("%s: the model never saw %v", name, s.ids)
}

// find returns a node that drew a token, and where in its output.
func find(tree *sparkd.Tree, id int32) (*sparkd.Node, int) {
	for _, n := range tree.Nodes {
		if m := n.Model(); m != nil {
			if i := slices.Index(m.Tokens, id); i >= 0 {
				return n, i
			}
		}
	}
	return nil, 0
}
