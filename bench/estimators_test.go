package bench_test

import (
	"strconv"
	"testing"

	"sparkd"
	"sparkd/bench"
	"sparkd/branching/advantage"
)

// TestFiguresEstimators: what an estimator takes for a step of a tree of 8 leaves and 20
// steps each. The figure is the slowest estimator.
func TestFiguresEstimators(t *testing.T) {
	bench.Wanted(t)
	const trees = 500
	groups := make([][]*sparkd.Tree, trees) // enough that they are not all in the processor's cache
	nodes := 0
	for i := range groups {
		tree := forked(i)
		groups[i] = []*sparkd.Tree{tree}
		nodes += len(tree.Nodes) - 1
	}
	slowest, which := 0.0, ""
	each := map[string]any{}
	for _, name := range advantage.Names() {
		e, err := advantage.New(name, advantage.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		best, _ := bench.Best(5, func() {
			for _, g := range groups {
				if _, err := e.Estimate(g); err != nil {
					t.Fatal(err)
				}
			}
		})
		us := best.Seconds() * 1e6 / float64(nodes)
		each[name] = us
		if us > slowest {
			slowest, which = us, name
		}
	}
	bench.Print("estimator_us_per_node", slowest, "µs", map[string]any{"slowest": which, "each": each, "trees": trees,
		"nodes_per_tree": nodes / trees, "leaves": 8, "steps": 20, "tokens_per_node": 40})
}

// forked returns a tree of SPARK's published shape: 4 roots that each fork once, 8 leaves
// of 20 steps. Which leaves succeed depends on i.
func forked(i int) *sparkd.Tree {
	t := &sparkd.Tree{ID: strconv.Itoa(i), Nodes: []*sparkd.Node{{Parent: -1, ObsHash: "0"}}}
	leaves := []int{0, 0, 0, 0}
	for depth := 1; depth <= 20; depth++ {
		for k, parent := range leaves {
			id := len(t.Nodes)
			logprobs := make([]float32, 40)
			logprobs[0] = -float32(id)
			t.Nodes = append(t.Nodes, &sparkd.Node{ID: id, Parent: parent, Depth: depth, Valid: id%7 > 0,
				ObsHash: strconv.Itoa(id / 2),
				Spans: []sparkd.Span{{Source: sparkd.SourceModel, Tokens: make([]sparkd.Token, 40),
					Logprobs: logprobs}}})
			leaves[k] = id
		}
		if depth%5 == 0 && len(leaves) < 8 {
			leaves = append(leaves, leaves[len(leaves)-4:len(leaves)-2]...)
		}
	}
	for k, leaf := range leaves {
		n := t.Nodes[leaf]
		n.Done, n.Outcome = true, sparkd.OutcomeFailure
		if (i+k)%3 == 0 {
			n.Outcome, n.Reward = sparkd.OutcomeSuccess, 1
		}
	}
	return t
}
