package sampler

import (
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/branching"
)

func windowed(size int) *bench {
	b := newBench()
	b.spec.Context = sparkd.Context{Mode: sparkd.ContextWindow, Window: size}
	return b
}

// In the window context every step is sampled from a prompt of its own, which its parent
// ends with: the task, the last steps, the current observation.
func TestGrowWindow(t *testing.T) {
	b := windowed(2)
	b.world.goal = 100
	tree := b.grow(t)
	if tree.Stats.Forks == 0 {
		t.Fatal("nothing forked")
	}
	for _, n := range tree.Nodes {
		last := n.Spans[len(n.Spans)-1]
		if n.Done {
			if last.Source != sparkd.SourceEnv || len(last.Tokens) != 0 {
				t.Errorf("node %d ends with a span of %s, %d tokens", n.ID, last.Source, len(last.Tokens))
			}
			continue
		}
		if last.Source != sparkd.SourcePrompt || !slices.Equal(last.Tokens, tree.Tokens(n.ID)) {
			t.Fatalf("node %d ends with a span of %s", n.ID, last.Source)
		}
		path := tree.Path(n.ID)
		if quoted := strings.Count(last.Text, "[Observation "); quoted != min(2, n.Depth) {
			t.Errorf("node %d at depth %d quotes %d steps", n.ID, n.Depth, quoted)
		}
		if n.Depth > 0 {
			want := "', Action " + string(rune('0'+n.Depth)) + ": '" + n.Action + "']"
			before := "'" + observed(path[n.Depth-1])
			if !strings.Contains(last.Text, before+want) ||
				!strings.Contains(last.Text, "observe: "+observed(n)+"\n") || !strings.Contains(last.Text, tree.Goal) {
				t.Errorf("node %d: the prompt is %q", n.ID, last.Text)
			}
		}
	}
	for _, r := range b.engine.asked {
		if !slices.ContainsFunc(tree.Nodes,
			func(n *sparkd.Node) bool { return slices.Equal(tree.Tokens(n.ID), r.Prefix) }) {
			t.Error("the engine was asked for a prompt that is no node's")
		}
	}
}

// A tree with the window context that is interrupted after any commit ends as it would
// have undisturbed, its count of unique tokens included.
func TestResumeWindow(t *testing.T) {
	whole := windowed(3)
	whole.engine.cache = nil
	want := whole.grow(t)
	for round := 1; round < want.Round; round++ {
		b := windowed(3)
		b.engine.cache = nil
		b.committed = func(r int) error {
			if r == round {
				return errCrash
			}
			return nil
		}
		if err := Grow(t.Context(), b.Deps, &b.spec, b.tree()); err != errCrash {
			t.Fatal(err)
		}
		if got := b.resume(t); !same(t, got, want) {
			t.Errorf("resumed from round %d the tree is another", round)
		}
	}
}

// A window keeps the prompt short where the whole path would outgrow the model.
func TestWindowOutlivesAppend(t *testing.T) {
	for mode, want := range map[string]sparkd.Outcome{sparkd.ContextAppend: sparkd.OutcomeContext,
		sparkd.ContextWindow: sparkd.OutcomeStepLimit} {
		b := windowed(1)
		b.spec.Context.Mode, b.world.goal, b.engine.info.ContextLength = mode, 100, 2700
		tree := b.grow(t)
		for _, id := range tree.Leaves() {
			if got := tree.Nodes[id].Outcome; got != want {
				t.Errorf("%s: leaf %d ended with %s, want %s", mode, id, got, want)
			}
		}
	}
}

// A fork inside a step: the continuations begin with tokens of a sibling, which are
// neither sampled nor counted again.
func TestGrowForkInsideAStep(t *testing.T) {
	b := newBench()
	b.world.goal = 100
	b.spec.Policy.Name = "linear"
	tree := b.tree()
	g, err := newGrower(t.Context(), b.Deps, &b.spec, tree)
	if err != nil {
		t.Fatal(err)
	}
	defer g.envs.close()
	if err := g.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := g.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	of := tree.Nodes[5]
	shared := len(of.Model().Tokens) / 2
	before := tree.Stats
	g.next = []branching.Expansion{
		{Node: of.Parent, K: 2, Reason: "token", Of: of.ID, Shared: shared},
		{Node: of.Parent, K: 1, Reason: "token", Of: of.ID, Shared: 3},
	}
	b.engine.asked = nil
	if err := g.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	made := tree.Nodes[len(tree.Nodes)-3:]
	generated := 0
	for i, n := range made {
		k := []int{shared, shared, 3}[i]
		m := n.Model()
		if n.Failed() || n.Parent != of.Parent || n.Decision.Of != of.ID || n.Decision.SharedTokens != k {
			t.Fatalf("node %d: %+v, error %v", n.ID, n.Decision, n.Error)
		}
		if !slices.Equal(m.Tokens[:k], of.Model().Tokens[:k]) ||
			!slices.Equal(m.Logprobs[:k], of.Model().Logprobs[:k]) || m.Validate() != nil {
			t.Errorf("node %d does not begin with the shared tokens", n.ID)
		}
		if text, _ := b.engine.Detokenize(t.Context(), of.Model().Tokens[:k]); !strings.HasPrefix(m.Text, text) {
			t.Errorf("node %d: text %q, shared %q", n.ID, m.Text, text)
		}
		generated += len(m.Tokens) - k
	}
	s := tree.Stats
	if s.GeneratedTokens-before.GeneratedTokens != generated || s.Leaves-before.Leaves != 3 ||
		s.Forks-before.Forks != 3 || s.UniqueTokens != before.UniqueTokens || s.ReplaySteps == before.ReplaySteps {
		t.Errorf("before %+v\nafter %+v, generated %d", before, s, generated)
	}
	seeds := map[uint64]bool{}
	for _, r := range b.engine.asked {
		if most := b.spec.Sampling.MaxTokens - len(r.Prefix) +
			len(tree.Tokens(of.Parent)); r.Sampling.MaxTokens != most {
			t.Errorf("up to %d tokens were asked for, %d are left", r.Sampling.MaxTokens, most)
		}
		for _, seed := range r.Seeds {
			seeds[seed] = true
		}
	}
	if len(seeds) != 3 {
		t.Errorf("%d different seeds for 3 continuations", len(seeds))
	}
}
