package advantage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"sparkd"
)

// naive computes by the definitions, from sets of leaves, what the estimators compute in
// passes over arrays. ε is 0.
type naive struct {
	t        *sparkd.Tree
	children [][]int
}

func (r naive) leaves(x int) []int {
	if len(r.children[x]) == 0 {
		return []int{x}
	}
	var all []int
	for _, c := range r.children[x] {
		all = append(all, r.leaves(c)...)
	}
	return all
}

// value is the mean of f over the leaves below x.
func (r naive) value(x int, f func(leaf int) float64) float64 {
	sum, leaves := 0.0, r.leaves(x)
	for _, l := range leaves {
		sum += f(l)
	}
	return sum / float64(len(leaves))
}

func (r naive) rloo(leaf int) float64 {
	sum, n := 0.0, 0.0
	for _, l := range r.leaves(0) {
		if l != leaf {
			sum += r.t.Return(l)
			n++
		}
	}
	return r.t.Return(leaf) - sum/n
}

// stretch returns the node behind which x's stretch begins: a fork or the opening context.
func (r naive) stretch(x int) int {
	p := r.t.Nodes[x].Parent
	for p > 0 && len(r.children[p]) == 1 {
		p = r.t.Nodes[p].Parent
	}
	return p
}

func (r naive) treerl(x int) float64 {
	v := func(x int) float64 { return r.value(x, r.rloo) }
	return (v(x) - v(0) + v(x) - v(r.stretch(x))) / math.Sqrt(float64(len(r.leaves(x))))
}

// treepo is the advantage of a trajectory; size weighs its groups.
func (r naive) treepo(leaf int, size bool) float64 {
	sum, weights := 0.0, 0.0
	for x := leaf; ; x = r.stretch(x) {
		n := len(r.leaves(x))
		if n > 1 {
			w := 1.0
			if size {
				w = float64(n)
			}
			sum += w * (r.t.Return(leaf) - r.value(x, r.t.Return))
			weights += w
		}
		if x == 0 {
			return sum / weights
		}
	}
}

func (r naive) zscore(leaf int) float64 {
	mean := r.value(0, r.t.Return)
	variance := r.value(0, func(l int) float64 { return (r.t.Return(l) - mean) * (r.t.Return(l) - mean) })
	if variance < 1e-24 {
		return 0
	}
	return (r.t.Return(leaf) - mean) / math.Sqrt(variance)
}

// softmax is the value of x in AT²PO's mode child_softmax; soft false: child_mean.
func (r naive) softmax(x int, soft bool) float64 {
	if len(r.children[x]) == 0 {
		return r.zscore(x)
	}
	sum, weights := 0.0, 0.0
	for _, c := range r.children[x] {
		w := 1.0
		if soft {
			l := r.t.Nodes[c].Spans[0].Logprobs
			w = math.Exp(-float64(l[0]+l[1]) / 2)
		}
		sum += w * r.softmax(c, soft)
		weights += w
	}
	return sum / weights
}

func (r naive) sibling(x int) float64 {
	p := r.t.Nodes[x].Parent
	if p == 0 {
		return 0
	}
	return r.value(x, r.t.Return) - r.value(p, r.t.Return)
}

func (r naive) depthNorm(x int) float64 {
	var peers []float64
	for _, n := range r.t.Nodes {
		if n.Depth == r.t.Nodes[x].Depth {
			peers = append(peers, r.value(n.ID, r.t.Return))
		}
	}
	mean, squares := 0.0, 0.0
	for _, v := range peers {
		mean += v / float64(len(peers))
	}
	for _, v := range peers {
		squares += (v - mean) * (v - mean)
	}
	if squares < 1e-24 {
		return 0
	}
	return (r.value(x, r.t.Return) - mean) / math.Sqrt(squares/float64(len(peers)-1))
}

// gigpoStep is the step part of GiGPO's mean_norm: the future of x on the way to leaf
// less the mean over all rows that answer the same observation.
func (r naive) gigpoStep(leaf, x int) float64 {
	future := func(leaf, x int) float64 {
		g := 0.0
		for at := leaf; ; at = r.t.Nodes[at].Parent {
			g = r.t.Nodes[at].Reward*10 + .95*g
			if at == x {
				break
			}
		}
		if !r.t.Nodes[x].Valid {
			g -= .1
		}
		return g
	}
	anchor := func(x int) string { return r.t.Nodes[r.t.Nodes[x].Parent].ObsHash }
	sum, n := 0.0, 0.0
	for _, l := range r.leaves(0) {
		for _, node := range r.t.Path(l)[1:] {
			if anchor(node.ID) == anchor(x) {
				sum += future(l, node.ID)
				n++
			}
		}
	}
	return future(leaf, x) - sum/n
}

func TestAgainstTheDefinitions(t *testing.T) {
	for s := range uint64(80) {
		tree := randomTree(rand.New(rand.NewPCG(s, 5)))
		r := naive{tree, tree.Children()}
		check := func(name string, set map[string]string, want func(row Row) float64) {
			t.Helper()
			o := DefaultOptions()
			o.Epsilon = 0
			for option, value := range set {
				if err := o.Set(option, value); err != nil {
					t.Fatal(err)
				}
			}
			for _, row := range estimate(t, name, o, tree)[0].Copies {
				where := fmt.Sprintf("seed %d, %s %v, node %d to leaf %d", s, name, set, row.Node, row.Leaf)
				near(t, where, row.Advantage, want(row), 1e-6)
			}
		}
		check("treerl", nil, func(row Row) float64 { return r.treerl(row.Node) })
		check("treepo", nil, func(row Row) float64 { return r.treepo(row.Leaf, false) })
		check("treepo", map[string]string{"weighting": "size"},
			func(row Row) float64 { return r.treepo(row.Leaf, true) })
		check("at2po", nil, func(row Row) float64 { return r.softmax(row.Node, true) })
		check("at2po", map[string]string{"value_mode": "child_mean"},
			func(row Row) float64 { return r.softmax(row.Node, false) })
		check("at2po", map[string]string{"value_mode": "leaf_mean"},
			func(row Row) float64 { return r.value(row.Node, r.zscore) })
		check("at2po", map[string]string{"advantage_mode": "diff_localglobal"}, func(row Row) float64 {
			return 2*r.softmax(row.Node, true) - r.softmax(0, true) - r.softmax(tree.Nodes[row.Node].Parent, true)
		})
		check("sibling", nil, func(row Row) float64 { return r.sibling(row.Node) })
		check("depth-norm", nil, func(row Row) float64 { return r.depthNorm(row.Node) })

		episode := map[[2]int]float64{}
		o := DefaultOptions()
		o.Norm = "mean_norm"
		once := estimate(t, "gigpo", o, tree)[0].Copies
		o.StepWeight = 2
		for i, twice := range estimate(t, "gigpo", o, tree)[0].Copies {
			step := twice.Advantage - once[i].Advantage // ω = 2 less ω = 1
			episode[[2]int{twice.Leaf, twice.Node}] = once[i].Advantage - step
			near(t, fmt.Sprintf("seed %d, gigpo's step part", s), step, r.gigpoStep(twice.Leaf, twice.Node), 1e-6)
		}
		mean, n := 0.0, 0.0
		for _, row := range once {
			mean += row.Score
			n++
		}
		for _, row := range once {
			got := episode[[2]int{row.Leaf, row.Node}]
			near(t, fmt.Sprintf("seed %d, gigpo's episode part", s), got, row.Score-mean/n, 1e-6)
		}
	}
}
