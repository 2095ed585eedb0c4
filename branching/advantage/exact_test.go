package advantage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"sparkd"
)

// decimals are rewards that no float64 holds exactly.
func decimals(rng *rand.Rand) *sparkd.Tree {
	return edited(randomTree(rng), func(n *sparkd.Node) {
		if n.ID > 0 {
			n.Reward = []float64{0, .1, .2, .7, -.3, .35, 1. / 3, -8.7}[rng.IntN(8)]
		}
	})
}

// exactly are the options of an estimator without what is added to its numbers: ε and the penalty.
func exactly() Options { return Options{} }

// TestOrderOfLeaves: another order of siblings changes no number of any step, to the last bit.
func TestOrderOfLeaves(t *testing.T) {
	for s := range uint64(60) {
		tree := decimals(rand.New(rand.NewPCG(s, 21)))
		other, id := mirrored(tree)
		everyWay(t, func(name string, o Options) {
			a, b := estimate(t, name, o, tree)[0], estimate(t, name, o, other)[0]
			got := map[[2]int]Row{}
			for _, r := range b.Copies {
				got[[2]int{r.Leaf, r.Node}] = r
			}
			for _, r := range b.Unique {
				got[[2]int{-1, r.Node}] = r
			}
			same := func(r Row, leaf int) {
				g := got[[2]int{leaf, id[r.Node]}]
				g.Leaf, g.Node = r.Leaf, r.Node
				if g != r {
					t.Errorf("seed %d, %s: %+v, and %+v with siblings the other way round", s, name, r, g)
				}
			}
			for _, r := range a.Copies {
				same(r, id[r.Leaf])
			}
			for _, r := range a.Unique {
				same(r, -1)
			}
		})
	}
}

// everyWay calls f with every estimator, and those that have process rewards with and without.
func everyWay(t *testing.T, f func(name string, o Options)) {
	t.Helper()
	for i := range methods {
		o := exactly()
		f(methods[i].name, o)
		if o.ProcessRewards = true; o.unused(&methods[i]) == "" {
			f(methods[i].name, o)
		}
	}
}

// TestOrderOfRewards: where on the way a trajectory earned its rewards changes no advantage of whole returns.
func TestOrderOfRewards(t *testing.T) {
	for s := range uint64(60) {
		rng := rand.New(rand.NewPCG(s, 22))
		tree := chains(rng)
		for _, n := range tree.Nodes[1:] {
			n.Reward = []float64{.1, .2, .7, -.3, 1. / 3}[rng.IntN(5)]
		}
		other := edited(tree, func(*sparkd.Node) {})
		for _, leaf := range other.Ended() {
			path := other.Path(leaf.ID)[1:]
			rng.Shuffle(len(path), func(i, j int) { path[i].Reward, path[j].Reward = path[j].Reward, path[i].Reward })
		}
		for _, name := range Names() {
			if name == "gigpo" { // discounts
				continue
			}
			a, b := estimate(t, name, exactly(), tree), estimate(t, name, exactly(), other)
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("seed %d, %s: %v, and with rewards in another order %v", s, name, a, b)
			}
		}
	}
}

// TestEqualsLearnNothing: trajectories that earned the same, however it is split, have no advantage, whatever ε is.
func TestEqualsLearnNothing(t *testing.T) {
	for _, paid := range [][][]float64{
		{{.7, .1, .2}, {.1, .2, .7}, {.2, .7, .1}, {1, 0, 0}},
		{{.1, .2, 0}, {.3, 0, 0}, {0, .2, .1}},
		{{.1, .2, -.3}, {0, 0, 0}, {.7, -.8, .1}},
		{{1. / 3, 1. / 3, 1. / 3}, {0, 0, 1}, {8.7, -7.7, 0}},
		{{1e155, 1, -1e155}, {1, 0, 0}, {.5, .5, 0}},
		{{1e-300, 2e-300, 0}, {3e-300, 0, 0}, {2e-300, 1e-300, 0}},
	} {
		tree := paying(paid...)
		everyWay(t, func(name string, o Options) {
			if o.ProcessRewards || name == "gigpo" || name == "tree-grpo" { // one with itself is not compared there
				return
			}
			for _, r := range estimate(t, name, o, tree)[0].Copies {
				if r.Advantage != 0 || math.Signbit(r.Advantage) {
					t.Errorf("%s of %v: advantage %v", name, paid, r.Advantage)
				}
			}
		})
	}
}

// paying is a tree of chains with these rewards, the last step of which ends.
func paying(paid ...[]float64) *sparkd.Tree {
	t := seed()
	for _, rewards := range paid {
		leaf := 0
		for _, r := range rewards {
			n := grow(t, leaf, "")
			leaf, n.Reward = n.ID, r
		}
		t.Nodes[leaf].Done, t.Nodes[leaf].Outcome = true, sparkd.OutcomeFailure
	}
	return t
}

// TestScale: rewards times a power of two give the same advantages where they are divided by a deviation, and else
// advantages times that power, to the last bit.
func TestScale(t *testing.T) {
	for s := range uint64(40) {
		tree := decimals(rand.New(rand.NewPCG(s, 23)))
		for _, by := range []float64{0x1p-200, .5, 2, 0x1p30, 0x1p400} {
			scaled := edited(tree, func(n *sparkd.Node) { n.Reward *= by })
			everyWay(t, func(name string, o Options) {
				raw, whole := 0, 0 // rows whose advantage grew, or stayed
				a, b := estimate(t, name, o, tree)[0].Copies, estimate(t, name, o, scaled)[0].Copies
				for i := range a {
					switch x, y := a[i].Advantage, b[i].Advantage; {
					case x == y:
						whole++
					case x*by == y:
						raw++
					case name == "tree-grpo": // the sum of one of each, for a trajectory alone behind its first step
					default:
						t.Errorf("seed %d, %s, rewards times %v: advantage %v, was %v", s, name, by, y, x)
					}
				}
			})
		}
	}
}

// TestSizes: returns of any size are compared, or refused with a reason; none is lost.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		refused   bool
	}{
		{1e12, 1e12 + 1, false}, {1e14, 1e14 + 1, false}, {-1e155, 1e155, false}, {1e-300, 2e-300, false},
		{0, 5e-324, false}, {-1e300, 1, false}, {-1e307, 1e306, false}, {-1.7e308, 1.7e308, true},
		{1e308, math.MaxFloat64, false},
	} {
		tree := paying([]float64{0, c.low}, []float64{c.high, 0})
		everyWay(t, func(name string, o Options) {
			if o.RewardScale = 1; c.high < 1e-307 {
				o.Epsilon = 0
			}
			e, err := New(name, o)
			if err != nil {
				t.Fatal(err)
			}
			credit, err := e.Estimate([]*sparkd.Tree{tree})
			if err != nil {
				if !c.refused || Reason(err) != ReasonOverflow {
					t.Errorf("%s of %v and %v: %v", name, c.low, c.high, err)
				}
				return
			}
			if name == "sibling" || c.high < 1e-307 && o.Std == "" { // roots are no fork; half of the least number is 0
				return
			}
			low, high := credit[0].Copies[1].Advantage, credit[0].Copies[3].Advantage
			if name != "gigpo" && !o.ProcessRewards && name != "tree-grpo" && !(low < 0 && high > 0) {
				t.Errorf("%s of %v and %v: advantages %v and %v", name, c.low, c.high, low, high)
			}
			if !sparkd.Finite(low) || !sparkd.Finite(high) || low == high {
				t.Errorf("%s of %v and %v: advantages %v and %v", name, c.low, c.high, low, high)
			}
		})
	}
}
