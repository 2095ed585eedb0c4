package advantage

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sparkd"
)

// toy is the tree T* that the worked numbers are about: root 1 takes s1, s2 and forks
// into A (s3a, s4a; R = 1) and B (s3b; R = 0); root 2 is C (c1, c2; R = 0). The entropy
// of s3a is .8 and that of s3b .4.
func toy() *sparkd.Tree {
	t := seed()
	grow(t, 0, "")        // 1 s1
	grow(t, 0, "")        // 2 c1
	grow(t, 1, "")        // 3 s2
	grow(t, 2, "failure") // 4 c2
	grow(t, 3, "")        // 5 s3a
	grow(t, 3, "failure") // 6 s3b
	grow(t, 5, "success") // 7 s4a
	doubt(t.Nodes[5], .8)
	doubt(t.Nodes[6], .4)
	return t
}

var (
	stepNames = map[int]string{1: "s1", 2: "c1", 3: "s2", 4: "c2", 5: "s3a", 6: "s3b", 7: "s4a"}
	leafNames = map[int]string{7: "A", 6: "B", 4: "C"}
)

// seed returns a tree with an opening context.
func seed() *sparkd.Tree {
	return &sparkd.Tree{ID: "T", Nodes: []*sparkd.Node{{Parent: -1, ObsHash: "o0"}}}
}

// grow appends a valid step below parent, of entropy .5; success pays 1. Every
// observation is another one.
func grow(t *sparkd.Tree, parent int, o sparkd.Outcome) *sparkd.Node {
	n := &sparkd.Node{ID: len(t.Nodes), Parent: parent, Depth: t.Nodes[parent].Depth + 1,
		Valid: true, Outcome: o, Done: o != sparkd.OutcomeNone}
	n.Round = n.Depth
	n.ObsHash = "o" + string(rune('0'+n.ID))
	if o == sparkd.OutcomeSuccess {
		n.Reward = 1
	}
	doubt(n, .5)
	t.Nodes = append(t.Nodes, n)
	return n
}

// doubt gives a step two tokens whose mean entropy, as AT²PO estimates it, is h.
func doubt(n *sparkd.Node, h float64) {
	logprobs := []float32{float32(-h / 2), float32(-3 * h / 2)}
	n.Spans = []sparkd.Span{{Source: sparkd.SourceModel, Tokens: []sparkd.Token{1, 2}, Logprobs: logprobs}}
}

func estimate(t *testing.T, name string, o Options, group ...*sparkd.Tree) []Credit {
	t.Helper()
	e, err := New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Estimate(group)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s: advantage %.6f, want %.4f", what, got, want)
	}
}

// randomTree has 2 to 41 steps, some of invalid format, every leaf ended, at least two
// trajectories, a few rewards on the way and some observations seen twice.
func randomTree(rng *rand.Rand) *sparkd.Tree {
	t := seed()
	grow(t, 0, "")
	grow(t, 0, "")
	for range rng.IntN(40) {
		grow(t, rng.IntN(len(t.Nodes)), "")
	}
	for _, n := range t.Nodes[1:] {
		n.Valid = rng.IntN(5) > 0
		n.Reward = []float64{0, 0, 0, .1, -.3}[rng.IntN(5)]
		n.ObsHash = string(rune('a' + rng.IntN(20)))
		doubt(n, 3*rng.Float64())
	}
	for _, id := range t.Leaves() {
		n := t.Nodes[id]
		n.Done, n.Outcome = true, sparkd.OutcomeFailure
		if rng.IntN(3) == 0 {
			n.Outcome, n.Reward = sparkd.OutcomeSuccess, 1
		}
	}
	return t
}

// chains has no forks: roots that run to their ends.
func chains(rng *rand.Rand) *sparkd.Tree {
	t := seed()
	for range 2 + rng.IntN(6) {
		leaf := 0
		for range 1 + rng.IntN(4) {
			leaf = grow(t, leaf, "").ID
		}
		grow(t, leaf, []sparkd.Outcome{sparkd.OutcomeSuccess, sparkd.OutcomeFailure}[rng.IntN(2)])
	}
	return t
}

// mirrored returns the tree as if the order of all siblings had been the other way
// round, and the new id of every node.
func mirrored(t *sparkd.Tree) (*sparkd.Tree, []int) {
	nodes := slices.Clone(t.Nodes)
	slices.SortFunc(nodes, func(a, b *sparkd.Node) int {
		if a.Depth != b.Depth {
			return a.Depth - b.Depth
		}
		return b.ID - a.ID
	})
	return renumbered(t, nodes)
}

// renumbered returns a tree of copies of some nodes of t, in the order given, in which
// parents come before their children.
func renumbered(t *sparkd.Tree, nodes []*sparkd.Node) (*sparkd.Tree, []int) {
	ids := make([]int, len(t.Nodes))
	m := &sparkd.Tree{ID: t.ID}
	for i, n := range nodes {
		ids[n.ID] = i
		c := *n
		c.ID = i
		if c.Parent >= 0 {
			c.Parent = ids[c.Parent]
		}
		m.Nodes = append(m.Nodes, &c)
	}
	return m, ids
}

// edited returns a copy of t after f has changed its nodes.
func edited(t *sparkd.Tree, f func(*sparkd.Node)) *sparkd.Tree {
	m, _ := renumbered(t, t.Nodes)
	for _, n := range m.Nodes {
		f(n)
	}
	return m
}
