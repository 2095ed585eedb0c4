package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sparkd"
)

// sequence is what any format says of one token sequence: arrays of one value a token.
type sequence struct {
	ids      []int32
	trained  []bool
	logprobs []float32 // nil: the format has none
	credit   []float64 // weight · advantage
	weights  []float64 // nil: the format does not tell them apart
}

// read turns the lines of a format into sequences, by its line type alone.
func read(t testing.TB, format string, lines []byte) []sequence {
	t.Helper()
	var out []sequence
	for line := range bytes.Lines(lines) {
		out = append(out, readLine(t, format, line)...)
	}
	return out
}

func readLine(t testing.TB, format string, line []byte) []sequence {
	t.Helper()
	switch format {
	case "rows":
		l := parse[RowLine](t, line)
		return []sequence{joined(l.PromptIDs, l.ResponseIDs, l.ResponseMask, l.Logprobs, constant(l.Advantage, len(l.ResponseIDs)), constant(l.Weight, len(l.ResponseIDs)))}
	case "verl-agent":
		l := parse[VerlAgentLine](t, line)
		return []sequence{joined(l.Prompts, l.Responses, l.ResponseMask, l.RolloutLogProbs, constant(l.Advantage, len(l.Responses)), constant(l.Weight, len(l.Responses)))}
	case "verl":
		l := parse[VerlLine](t, line)
		return []sequence{joined(l.PromptIDs, l.ResponseIDs, l.ResponseMask, l.ResponseLogprobs, l.ExtraFields.Sparkd.Advantages, l.ExtraFields.Sparkd.Weights)}
	case "trl-grpo":
		l := parse[TRLGRPOLine](t, line)
		return []sequence{joined(l.PromptIDs, l.CompletionIDs, l.EnvMask, l.Logprobs, l.Metadata.Advantages, l.Metadata.Weights)}
	case "skyrl":
		l := parse[SkyRLLine](t, line)
		return []sequence{joined(l.PromptTokenIDs, l.ResponseIDs, l.LossMasks, l.RolloutLogprobs, l.Metadata.Advantages, l.Metadata.Weights)}
	case "slime":
		l := parse[SlimeLine](t, line)
		n := len(l.Tokens) - l.ResponseLength
		return []sequence{joined(l.Tokens[:n], l.Tokens[n:], l.LossMask, l.RolloutLogProb, l.Metadata.Advantages, l.Metadata.Weights)}
	case "areal":
		l := parse[ArealLine](t, line)
		for i, v := range l.Versions {
			if (v == -1) != (l.LossMask[i] == 0) || l.AttentionMask[i] != 1 {
				t.Fatalf("version %d where the mask is %d", v, l.LossMask[i])
			}
		}
		return []sequence{joined(nil, l.InputIDs, l.LossMask, l.Logprobs, l.Metadata.Advantages, l.Metadata.Weights)}
	case "openrlhf":
		l := parse[OpenRLHFLine](t, line)
		mask := make([]int, len(l.ObservationTokens))
		for _, r := range l.ActionRanges {
			for i := r[0]; i < r[1]; i++ {
				mask[i]++
			}
		}
		return []sequence{joined(nil, l.ObservationTokens, mask, l.RolloutLogProbs, l.Metadata.Advantages, l.Metadata.Weights)}
	case "trl-sft":
		l := parse[TRLSFTLine](t, line)
		return []sequence{joined(nil, l.InputIDs, unlabelled(t, l.InputIDs, l.Labels), nil, l.Metadata.Advantages, l.Metadata.Weights)}
	case "trl-async":
		l := parse[TRLAsyncLine](t, line)
		s := joined(nil, l.InputIDs, l.CompletionMask, l.OldLogProbs, constant(l.Advantage, len(l.InputIDs)), constant(1, len(l.InputIDs)))
		s.weights = nil
		return []sequence{s}
	case "atropos":
		l := parse[AtroposLine](t, line)
		var out []sequence
		for i, ids := range l.Tokens {
			s := joined(nil, ids, unlabelled(t, ids, l.Masks[i]), l.InferenceLogprobs[i], l.Advantages[i], constant(1, len(ids)))
			for j := range s.logprobs {
				if !s.trained[j] {
					if s.logprobs[j] != 1 {
						t.Fatalf("filler %v", s.logprobs[j])
					}
					s.logprobs[j] = 0
				}
			}
			s.weights = nil
			out = append(out, s)
		}
		return out
	}
	t.Fatalf("format %s has no sequences", format)
	return nil
}

func parse[T any](t testing.TB, line []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(line, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func constant(x float64, n int) []float64 { return slices.Repeat([]float64{x}, n) }

// unlabelled is the mask of labels.
func unlabelled(t testing.TB, ids, labels []int32) []int {
	t.Helper()
	mask := make([]int, len(labels))
	for i, id := range labels {
		if id != -100 {
			mask[i] = 1
			if id != ids[i] {
				t.Fatalf("label %d of token %d", id, ids[i])
			}
		}
	}
	return mask
}

// joined puts a prompt in front of per-token arrays.
func joined(prompt, ids []int32, mask []int, logprobs []float32, advantages, weights []float64) sequence {
	n := len(ids)
	if len(mask) != n || len(advantages) != n || len(weights) != n || logprobs != nil && len(logprobs) != n {
		panic(fmt.Sprintf("%d ids, %d masks, %d advantages, %d weights, %d logprobs", n, len(mask), len(advantages), len(weights), len(logprobs)))
	}
	s := sequence{ids: slices.Concat(prompt, ids), trained: make([]bool, len(prompt)), credit: make([]float64, len(prompt)), weights: make([]float64, len(prompt))}
	if logprobs != nil {
		s.logprobs = slices.Concat(make([]float32, len(prompt)), logprobs)
	}
	for i := range ids {
		if mask[i] == 0 && (i < len(logprobs) && logprobs[i] != 0 && logprobs[i] != 1) {
			panic(fmt.Sprintf("logprob %v where the mask is 0", logprobs[i]))
		}
		s.trained = append(s.trained, mask[i] == 1)
		s.credit = append(s.credit, float64(mask[i])*advantages[i]*weights[i])
		s.weights = append(s.weights, float64(mask[i])*weights[i])
	}
	return s
}

// sequenceFormats are those that read knows.
var sequenceFormats = []string{"rows", "verl-agent", "verl", "trl-grpo", "trl-async", "trl-sft", "openrlhf", "atropos", "slime", "areal", "skyrl"}

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

// drawnTree returns a random tree in which every token that was drawn has an id of its
// own, below 0 for none; siblings may share the first tokens of a step.
func drawnTree(rng *rand.Rand) *sparkd.Tree {
	next := int32(1000)
	fresh := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			next++
			ids[i] = next
		}
		return ids
	}
	window := rng.IntN(2) == 0
	t := &sparkd.Tree{ID: "T", Rollout: "R", Task: sparkd.Task{Env: "e", Split: "s"}, State: sparkd.TreeDone, Nodes: []*sparkd.Node{{Parent: -1,
		Spans: []sparkd.Span{{Source: sparkd.SourcePrompt, Tokens: []int32{1, 2, 3}}}}}}
	for id := 1; id <= 3+rng.IntN(20); id++ {
		parent := t.Nodes[rng.IntN(id)]
		for parent.Failed() {
			parent = t.Nodes[parent.Parent]
		}
		n := &sparkd.Node{ID: id, Parent: parent.ID, Depth: parent.Depth + 1, Valid: rng.IntN(3) > 0, Reward: float64(rng.IntN(3)), PolicyVersion: fmt.Sprint(rng.IntN(3))}
		model := sparkd.Span{Source: sparkd.SourceModel, Tokens: fresh(1 + rng.IntN(7)), TokenExact: true}
		for range model.Tokens {
			model.Logprobs = append(model.Logprobs, -rng.Float32()-.01)
		}
		var siblings []*sparkd.Node
		for _, o := range t.Nodes[1:] {
			if o.Parent == parent.ID && !o.Failed() {
				siblings = append(siblings, o)
			}
		}
		if len(siblings) > 0 && rng.IntN(2) == 0 {
			of := siblings[rng.IntN(len(siblings))]
			n.Decision.Of, n.Decision.SharedTokens = of.ID, 1+rng.IntN(len(of.Spans[0].Tokens))
			model.Tokens = append(slices.Clone(of.Spans[0].Tokens[:n.Decision.SharedTokens]), model.Tokens...)
			model.Logprobs = append(slices.Clone(of.Spans[0].Logprobs[:n.Decision.SharedTokens]), model.Logprobs...)
		}
		n.Spans = []sparkd.Span{model}
		if window {
			n.Spans = append(n.Spans, sparkd.Span{Source: sparkd.SourceEnv, Text: "seen"}, sparkd.Span{Source: sparkd.SourcePrompt, Tokens: []int32{1, int32(id), 3}})
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
