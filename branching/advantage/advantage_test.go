package advantage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"sparkd"
)

// TestGroupOfOne: what SPARK's code and GRPO say about a trajectory alone; the others
// compare at least two.
func TestGroupOfOne(t *testing.T) {
	tree := seed()
	grow(tree, 0, sparkd.OutcomeSuccess)
	covered := map[string]float64{"grpo": 0, "spark-rows": 10, "spark-unique": 10}
	for _, name := range Names() {
		if want, ok := covered[name]; ok {
			c := estimate(t, name, DefaultOptions(), tree)
			near(t, name, c[0].Copies[0].Advantage, want, 1e-4)
			continue
		}
		refused(t, name, ReasonOneTrajectory, "T", tree)
	}
}

// refused checks that an estimator refuses a group, says why and names the tree.
func refused(t *testing.T, name, reason, id string, group ...*sparkd.Tree) {
	t.Helper()
	est, err := New(name, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	_, err = est.Estimate(group)
	if !Undefined(err) || Reason(err) != reason {
		t.Errorf("%s: %v, want it undefined because %s", name, err, reason)
		return
	}
	e := sparkd.AsError(err)
	if e.Code != sparkd.CodeInvalid || e.Field != "advantage" || e.Remedy == "" || !strings.Contains(e.Message, id) {
		t.Errorf("%s: %+v, want an invalid advantage, tree %s and a remedy", name, e, id)
	}
}

func TestUndefined(t *testing.T) {
	if Undefined(nil) || Undefined(sparkd.Invalid("advantage", "", "unknown")) {
		t.Error("other errors are about more than their group")
	}
	mute := toy()
	mute.ID = "mute"
	mute.Nodes[6].Spans[0].Logprobs = nil
	refused(t, "at2po", ReasonNoEntropy, "mute", toy(), mute)
	for _, mode := range []string{"child_mean", "leaf_mean"} {
		o := DefaultOptions()
		o.ValueMode = mode
		estimate(t, "at2po", o, mute)
	}
	cut := toy() // an engine that reports the logprobs of the distribution sampled from
	for _, n := range cut.Nodes[1:] {
		s := &n.Spans[0]
		s.Logprobs, s.SampledLogprobs = nil, s.Logprobs
	}
	a, b := estimate(t, "at2po", DefaultOptions(), toy()), estimate(t, "at2po", DefaultOptions(), cut)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%+v with sampled logprobs, %+v with raw ones", b, a)
	}
	alone := toy()
	alone.Nodes[7].Spans = nil // an only child needs no weight
	estimate(t, "at2po", DefaultOptions(), alone)

	huge := edited(toy(), func(n *sparkd.Node) { n.Reward *= math.MaxFloat64 })
	huge.ID = "huge"
	refused(t, "spark-rows", ReasonOverflow, "huge", huge)

	for _, name := range Names() {
		est, err := New(name, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if c, err := est.Estimate(nil); len(c) != 0 || err != nil && !Undefined(err) {
			t.Errorf("%s of no trees: %v, %v", name, c, err)
		}
	}
}

// TestGroupSpansTrees checks that two trees of one task are compared with each other.
func TestGroupSpansTrees(t *testing.T) {
	won, lost, broken := seed(), seed(), &sparkd.Tree{ID: "no opening context"}
	grow(won, 0, sparkd.OutcomeSuccess)
	grow(lost, 0, sparkd.OutcomeStepLimit)
	for _, name := range []string{"grpo", "arpo-hard", "spark-rows", "spark-unique", "depth-norm"} {
		c := estimate(t, name, DefaultOptions(), broken, won, broken, lost)
		near(t, name+" won", c[1].Copies[0].Advantage, math.Sqrt(.5), 1e-4)
		near(t, name+" lost", c[3].Unique[0].Advantage, -math.Sqrt(.5), 1e-4)
		if len(c) != 4 || len(c[0].Copies)+len(c[0].Unique)+len(c[2].Copies)+len(c[2].Unique) != 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestSplitTree: the roots of a task can lie in one tree or in one each.
func TestSplitTree(t *testing.T) {
	for s := range uint64(60) {
		tree := randomTree(rand.New(rand.NewPCG(s, 2)))
		children := tree.Children()
		var parts []*sparkd.Tree
		var ids [][]int
		for _, root := range children[0] {
			nodes := []*sparkd.Node{tree.Nodes[0], tree.Nodes[root]}
			for i := 1; i < len(nodes); i++ {
				for _, c := range children[nodes[i].ID] {
					nodes = append(nodes, tree.Nodes[c])
				}
			}
			part, id := renumbered(tree, nodes)
			parts, ids = append(parts, part), append(ids, id)
		}
		for _, name := range Names() {
			want := map[int]float64{}
			for _, r := range estimate(t, name, DefaultOptions(), tree)[0].Unique {
				want[r.Node] = r.Advantage
			}
			steps := 0
			for i, c := range estimate(t, name, DefaultOptions(), parts...) {
				got := map[int]float64{}
				for _, r := range c.Unique {
					got[r.Node] = r.Advantage
				}
				for node, id := range ids[i] {
					if a, ok := got[id]; ok && id > 0 {
						where := fmt.Sprintf("seed %d, %s, node %d in a tree of its root", s, name, node)
						near(t, where, a, want[node], 1e-9)
						steps++
					}
				}
			}
			if steps != len(want) {
				t.Errorf("seed %d, %s: %d steps, want %d", s, name, steps, len(want))
			}
		}
	}
}

// TestFailuresEarnNothing: a failed or abandoned branch changes no other row and has none.
func TestFailuresEarnNothing(t *testing.T) {
	for _, name := range Names() {
		want := estimate(t, name, DefaultOptions(), toy())[0]
		tree := toy()
		grow(tree, 3, sparkd.OutcomeFailed)
		grow(tree, 0, sparkd.OutcomeNone) // a root that never ended
		got := estimate(t, name, DefaultOptions(), tree)[0]
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	empty := seed()
	grow(empty, 0, sparkd.OutcomeFailed)
	for _, name := range Names() {
		if !strings.HasPrefix(name, "spark") && name != "grpo" {
			refused(t, name, ReasonNoTrajectory, "T", empty)
		} else if c := estimate(t, name, DefaultOptions(), empty)[0]; len(c.Copies)+len(c.Unique) != 0 {
			t.Errorf("%s: a tree of failures has rows %v", name, c)
		}
	}
}

// TestEstimatorProperties checks what holds on any tree, for every estimator.
func TestEstimatorProperties(t *testing.T) {
	for s := range uint64(200) {
		tree := randomTree(rand.New(rand.NewPCG(s, 1)))
		other, ids := mirrored(tree)
		for _, name := range Names() {
			o := someOptions(name, s)
			where := fmt.Sprintf("seed %d, %s %+v", s, name, o)
			c := estimate(t, name, o, tree)[0]

			loss := map[int]float64{}
			for _, r := range c.Copies {
				loss[r.Node] += r.Weight * r.Advantage
			}
			for _, r := range c.Unique {
				near(t, where+": loss of the merged row", r.Weight*r.Advantage, loss[r.Node], 1e-9)
			}

			for _, r := range estimate(t, name, o, other)[0].Unique {
				for id, to := range ids {
					if to == r.Node {
						near(t, where+": with children in another order", r.Weight*r.Advantage, loss[id], 1e-9)
					}
				}
			}

			nothing := edited(tree, func(n *sparkd.Node) { n.Reward, n.Valid = 0, true })
			for _, r := range estimate(t, name, o, nothing)[0].Copies {
				if r.Advantage != 0 {
					t.Errorf("%s: without rewards the advantage is %v", where, r.Advantage)
				}
			}
		}
	}
}

// someOptions varies with s what an estimator has.
func someOptions(name string, s uint64) Options {
	o := DefaultOptions()
	if s%3 == 0 {
		o.Epsilon = 0
	}
	m, _ := New(name, o)
	for _, option := range m.m.options {
		switch option {
		case "process_rewards":
			o.ProcessRewards = s%4 == 0
		case "discount":
			if name == "gigpo" || o.ProcessRewards {
				o.Discount = .9
			}
		case "step_weight":
			o.StepWeight = 1 + float64(s%2)
		default:
			for _, w := range words {
				if w.name == option {
					*o.field(option).(*string) = w.known[s%uint64(len(w.known))]
				}
			}
		}
	}
	return o
}

// TestEqualReturns: trajectories that all earned the same have no advantage, whatever
// they earned, but for what is defined otherwise: the trees of one trajectory of
// tree-grpo.
func TestEqualReturns(t *testing.T) {
	for s := range uint64(100) {
		rng := rand.New(rand.NewPCG(s, 3))
		tree := randomTree(rng)
		pay := rng.NormFloat64()
		equal := edited(tree, func(n *sparkd.Node) {
			n.Valid = true
			n.Reward = 0
			if n.Done {
				n.Reward = pay
			}
		})
		for _, name := range Names() {
			o := DefaultOptions()
			o.Epsilon = 0
			switch name {
			case "tree-grpo":
				continue
			case "gigpo":
				o.Discount = 1
			}
			for _, r := range estimate(t, name, o, equal)[0].Copies {
				if r.Advantage != 0 {
					t.Fatalf("seed %d, %s: equal returns of %v have advantage %v", s, name, pay, r.Advantage)
				}
			}
		}
	}
}

// TestEstimatorsAgree checks where estimators are the same.
func TestEstimatorsAgree(t *testing.T) {
	same := func(where string, a, b Credit, factor float64) {
		t.Helper()
		for i := range a.Copies {
			near(t, where, a.Copies[i].Advantage, factor*b.Copies[i].Advantage, 1e-9)
		}
	}
	exact := DefaultOptions()
	exact.Epsilon = 0
	for s := range uint64(100) {
		rng := rand.New(rand.NewPCG(s, 4))
		of := func(name string, o Options, tree *sparkd.Tree) Credit { return estimate(t, name, o, tree)[0] }
		where := fmt.Sprintf("seed %d", s)

		chain := chains(rng)
		same(where+": arpo-hard is grpo without forks", of("arpo-hard", exact, chain), of("grpo", exact, chain), 1)
		same(where+": spark-unique is spark-rows without forks",
			of("spark-unique", exact, chain), of("spark-rows", exact, chain), 1)
		same(where+": treepo is drgrpo without forks", of("treepo", exact, chain), of("drgrpo", exact, chain), 1)
		same(where+": sibling is 0 without forks", of("sibling", exact, chain), Credit{Copies: make([]Row, 1000)}, 0)

		tree := randomTree(rng)
		hard, soft := map[int]float64{}, map[int]float64{}
		for _, r := range of("arpo-hard", exact, tree).Copies {
			hard[r.Node] += r.Advantage
		}
		for _, r := range of("grpo", exact, tree).Copies {
			soft[r.Node] += r.Advantage
		}
		for node := range soft {
			near(t, where+": arpo-hard sums to grpo", hard[node], soft[node], 1e-9)
		}

		single := seed()
		root := grow(single, 0, "").ID
		for range 2 + rng.IntN(5) {
			grow(single, root, []sparkd.Outcome{sparkd.OutcomeSuccess, sparkd.OutcomeFailure}[rng.IntN(2)])
		}
		same(where+": tree-grpo is twice grpo in one tree",
			of("tree-grpo", exact, single), of("grpo", exact, single), 2)
	}
}
