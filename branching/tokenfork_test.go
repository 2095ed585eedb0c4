package branching

import (
	"testing"

	"sparkd"
)

// surprisedChain is a finished chain of steps of five tokens, the third of them the least
// likely one, and more so the later the step.
func surprisedChain(t *sparkd.Tree, steps int) *sparkd.Node {
	leaf := chain(t, steps, failure)
	for i := range steps {
		said(t.Nodes[leaf.ID-i], -9, -.1, -1-float32(steps-i), -.1, -9)
	}
	return leaf
}

// TestTokenFork is EPTree's worked case: M 6, N 2, L 1, T 2 make 30 leaves.
func TestTokenFork(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "token-fork"}, 30)
	budget := sparkd.Budget{Leaves: 30}
	tree := leaves()
	for range 6 {
		surprisedChain(tree, 3)
	}
	got := p.Next(tree, budget, PolicyRand(1, tree.Round))
	if k, _ := total(got); k != 24 || len(got) != 12 {
		t.Fatalf("%s: want 12 forks of 2", brief(got))
	}
	for _, x := range got {
		of := tree.Nodes[x.Of]
		if x.Shared != 2 || of.Parent != x.Node || of.Depth < 2 || x.Reason != "token-fork:1" {
			t.Errorf("%+v: want the third token of the last two steps", x)
		}
	}
	apply(tree, got)
	if n := len(tree.Leaves()); n != 30 {
		t.Fatalf("%d leaves, want 30", n)
	}
	if got := p.Next(tree, sparkd.Budget{Leaves: 100}, PolicyRand(1, tree.Round)); len(got) > 0 {
		t.Errorf("a second iteration: %s", brief(got))
	}
}

// apply grows finished children for the expansions, in one round.
func apply(t *sparkd.Tree, x []Expansion) {
	for _, e := range x {
		for range e.K {
			n := step(t, e.Node, "")
			n.Decision = sparkd.Decision{K: e.K, Reason: e.Reason, Of: e.Of, SharedTokens: e.Shared}
			if e.Shared > 0 {
				said(n, append(append([]float32(nil), t.Nodes[e.Of].Spans[0].Logprobs[:e.Shared]...), -.1, -8, -.1)...)
			}
			finish(n, failure)
		}
	}
	t.Round++
}

// TestTokenForksOfOneParentFollowEachOther: a node is expanded once a round, so that the
// second token of a step waits, also while the forks of the first are growing.
func TestTokenForksOfOneParentFollowEachOther(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "token-fork", Roots: new(1), Iterations: new(2)}, 30)
	budget := sparkd.Budget{Leaves: 30}
	tree := leaves()
	said(chain(tree, 1, failure), -1, -3, -5, -4, -1)
	for _, want := range []int{2, 3} { // places of the two least likely tokens
		got := p.Next(tree, budget, PolicyRand(1, tree.Round))
		if len(got) != 1 || got[0].Shared != want || got[0].K != 2 || got[0].Reason != "token-fork:1" {
			t.Fatalf("%+v: want a fork at token %d", got, want)
		}
		apply(tree, got)
	}
	// The forks of the first iteration have tokens that are less likely still; they are for
	// the second, which begins behind the token where the fork was made.
	got := p.Next(tree, budget, PolicyRand(1, tree.Round))
	if len(got) != 1 || got[0].Reason != "token-fork:2" || got[0].Of != 2 || got[0].Shared != 3 || got[0].Score != 8 {
		t.Fatalf("%+v: want the second iteration, inside node 2", got)
	}
}

// TestTokenForkLeavesOut: no fork at the first or last token, in cut-off steps, nor
// without logprobs.
func TestTokenForkLeavesOut(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "token-fork", Roots: new(1)}, 30)
	for name, edit := range map[string]func(*sparkd.Node){
		"two tokens":  func(n *sparkd.Node) { said(n, -5, -5) },
		"cut off":     func(n *sparkd.Node) { n.Finish = sparkd.FinishLength },
		"no logprobs": func(n *sparkd.Node) { n.Spans[0].Logprobs = nil },
	} {
		tree := leaves()
		edit(surprisedChain(tree, 1))
		if got := p.Next(tree, sparkd.Budget{Leaves: 30}, PolicyRand(1, tree.Round)); len(got) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
