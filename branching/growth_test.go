package branching

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"sparkd"
)

// world plays sampler, engine and environment: what a step is like depends on the
// tree's seed and on the step's place, with doubt, ends and failures at the given rates.
type world struct {
	policy   sparkd.Policy
	budget   sparkd.Budget
	maxSteps int
	doubt    float64
	end      float64
	success  float64
	failure  float64
}

func randomWorld(rng *rand.Rand) world {
	n := 1 + rng.IntN(16)
	w := world{
		budget:   sparkd.Budget{Leaves: n},
		maxSteps: 1 + rng.IntN(12),
		doubt:    rng.Float64(),
		end:      rng.Float64() * .3,
		success:  rng.Float64(),
		failure:  rng.Float64() * rng.Float64(),
	}
	w.policy = sparkd.Policy{
		Name:  PolicyNames()[rng.IntN(len(PolicyNames()))],
		Roots: unlessZero(rng.IntN(1 + n)), Branch: unlessZero(rng.IntN(5)),
		Picks: unlessZero(rng.IntN(5)), Iterations: unlessZero(rng.IntN(4)),
		Probability: new(rng.Float64()), EntropyBase: new(.5), EntropyWeight: new(2.0),
		Penalty:          new(rng.Float64() * .3),
		EntropyAggregate: new(aggregateMean), EntropyThreshold: new(float64(rng.IntN(2)) * .6),
	}
	some := func() bool { return rng.IntN(4) == 0 }
	upTo := func(most int) int {
		if some() {
			return 1 + rng.IntN(most)
		}
		return 0
	}
	w.policy.MaxDepth, w.policy.MaxForksNode = new(upTo(8)), new(upTo(3))
	w.policy.MaxForksPath, w.policy.CoolDown = new(upTo(3)), new(upTo(3))
	w.budget.EnvSteps, w.budget.GeneratedTokens = upTo(60), upTo(200)
	if some() {
		w.policy.StopEqual = new(2 + rng.IntN(3))
	}
	w.policy.TopUp, w.policy.Fallback = new(some()), new(some())
	return w
}

// unlessZero leaves a parameter out that is zero.
func unlessZero(x int) *int {
	if x == 0 {
		return nil
	}
	return &x
}

// complete returns the policy with all its parameters.
func (w world) complete(t *testing.T) sparkd.Policy {
	t.Helper()
	d, err := describe(w.policy.Name)
	if err != nil {
		t.Fatal(err)
	}
	return d.complete(&w.policy)
}

// next plans a round, and again: the plan is the same.
func (w world) next(t *testing.T, tree *sparkd.Tree) []Expansion {
	t.Helper()
	p := policy(t, w.policy, w.maxSteps)
	plan := p.Next(tree, w.budget, PolicyRand(tree.Seed, tree.Round))
	other := tree
	if tree.Seed%4 == 0 { // costs most of the time
		other = copied(t, tree)
	}
	if again := p.Next(other, w.budget, PolicyRand(tree.Seed, tree.Round)); !reflect.DeepEqual(again, plan) {
		t.Errorf("planned %v, then %v", plan, again)
	}
	return plan
}

// copied returns a copy of the tree that went through JSON, and whose nodes came in at
// other times.
func copied(t *testing.T, tree *sparkd.Tree) *sparkd.Tree {
	t.Helper()
	out := &sparkd.Tree{}
	b, err := json.Marshal(tree)
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range out.Nodes {
		n.Started, n.SampleTime = time.Unix(int64(100-n.ID), 0), time.Duration(n.ID)
	}
	return out
}

// play makes the nodes of a round.
func (w world) play(tree *sparkd.Tree, plan []Expansion) {
	tree.Round++
	k := 0
	for _, x := range plan {
		k += x.K
	}
	most := 6 // tokens of a step
	if b := w.budget.GeneratedTokens; b > 0 {
		most = min(most, (b-tree.Stats.GeneratedTokens)/k)
	}
	for _, x := range plan {
		for i := range x.K {
			w.step(tree, x, i, most)
		}
	}
}

func (w world) step(tree *sparkd.Tree, x Expansion, index, most int) {
	rng := rand.New(rand.NewPCG(tree.Seed, sparkd.Mix(uint64(x.Node), uint64(tree.Round), uint64(index))))
	n := grow(tree, x.Node, "")
	n.Round = tree.Round
	n.Decision = sparkd.Decision{K: x.K, Index: index, Reason: x.Reason, Score: x.Score,
		Of: x.Of, SharedTokens: x.Shared}
	s := sparkd.Span{Source: sparkd.SourceModel}
	if x.Shared > 0 {
		of := tree.Nodes[x.Of].Spans[0]
		s.Tokens, s.Logprobs = slices.Clone(of.Tokens[:x.Shared]), slices.Clone(of.Logprobs[:x.Shared])
	}
	for range min(1+rng.IntN(6), most) {
		s.Tokens, s.Logprobs = append(s.Tokens, rng.Int32N(100)), append(s.Logprobs, -5*rng.Float32())
	}
	tree.Stats.GeneratedTokens += len(s.Tokens) - x.Shared
	if rng.Float64() < w.failure {
		n.Outcome, n.Done = sparkd.OutcomeFailed, true
		return
	}
	n.Spans = []sparkd.Span{s}
	tree.Stats.EnvSteps++
	n.Signals.HasEntropy, n.Signals.FirstEntropy = true, rng.Float64()
	if rng.Float64() < w.doubt {
		n.Signals.Tags = []string{"explore"}
	}
	if rng.Float64() < w.end || n.Depth == w.maxSteps {
		outcome := failure
		if rng.Float64() < w.success {
			outcome = success
		}
		finish(n, outcome)
	}
}

// TestGrowth grows many random trees with every policy and modifier and checks after
// each round what must always hold, and at the end that the tree grows the same again,
// from the start and from every round.
func TestGrowth(t *testing.T) {
	grown := map[string]int{}
	for seed := range uint64(1200) {
		w := randomWorld(rand.New(rand.NewPCG(seed, 2)))
		full := &sparkd.Tree{Seed: seed, Nodes: []*sparkd.Node{{Parent: -1}}}
		var plans [][]Expansion // of each round
		var stats []sparkd.Stats
		for {
			plan := w.next(t, full)
			w.checkPlan(t, full, plan)
			plans, stats = append(plans, plan), append(stats, full.Stats)
			if len(plan) == 0 {
				break
			}
			w.play(full, plan)
			w.checkTree(t, full)
			if t.Failed() {
				t.Fatalf("seed %d, round %d, plan %v, %+v", seed, full.Round, plan, w)
			}
			if full.Round > 3*MaxAttempts*(w.maxSteps+1)*(w.budget.Leaves+1) {
				t.Fatalf("seed %d: no end after %d rounds, %+v", seed, full.Round, w)
			}
		}
		for round := range plans {
			p, again := policy(t, w.policy, w.maxSteps), truncated(full, round, stats[round])
			plan := p.Next(again, w.budget, PolicyRand(again.Seed, again.Round))
			if !reflect.DeepEqual(plan, plans[round]) {
				t.Fatalf("seed %d: resumed from round %d it plans %v, not %v; %+v", seed, round, plan, plans[round], w)
			}
		}
		for _, n := range full.Nodes {
			grown[n.Decision.Reason]++
		}
	}
	for _, reason := range []string{"root", "probe", "linear", "tag:explore", "random", "random-k", "full",
		"entropy", "entropy-balanced", "topk-entropy", "expand-random", "token-fork:1", "token-fork:2",
		"width-split", "tail", "pivot", "contrast", "top-up", "fallback"} {
		if grown[reason] < 10 {
			t.Errorf("only %d nodes were grown for %s", grown[reason], reason)
		}
	}
}

// checkPlan looks at the expansions of a round before they are made.
func (w world) checkPlan(t *testing.T, tree *sparkd.Tree, plan []Expansion) {
	t.Helper()
	children := tree.Children()
	widest := policy(t, w.policy, w.maxSteps).Widest(w.budget.Leaves)
	for i, x := range plan {
		n := tree.Nodes[x.Node]
		if x.K > widest {
			t.Errorf("%+v is wider than %d", x, widest)
		}
		if x.K < 1 || x.Reason == "" || i > 0 && plan[i-1].Node >= x.Node {
			t.Errorf("bad expansion %+v", x)
		}
		if n.Done || n.Failed() || n.Depth >= w.maxSteps {
			t.Errorf("%+v grows from %+v", x, n)
		}
		if x.Shared == 0 {
			continue
		}
		if of := tree.Nodes[x.Of]; of.Parent != x.Node || x.Shared < 1 || x.Shared > len(of.Spans[0].Tokens)-2 {
			t.Errorf("%+v forks inside %+v", x, of)
		}
	}
	equal := *w.complete(t).StopEqual
	if equal == 0 {
		return
	}
	returns := map[float64]bool{}
	ended := 0
	for _, id := range tree.Leaves() {
		if tree.Nodes[id].Done {
			ended++
			returns[tree.Return(id)] = true
		}
	}
	if ended < equal || len(returns) > 1 {
		return
	}
	for _, x := range plan {
		alive := slices.ContainsFunc(children[x.Node], func(c int) bool { return !tree.Nodes[c].Failed() })
		if x.K > 1 || alive || x.Node == 0 {
			t.Errorf("%+v after %d equal ends", x, ended)
		}
	}
}

// checkTree looks at the tree after a round.
func (w world) checkTree(t *testing.T, tree *sparkd.Tree) {
	t.Helper()
	if used := len(tree.Leaves()); used > w.budget.Leaves {
		t.Errorf("%d leaves of %d", used, w.budget.Leaves)
	}
	if w.budget.EnvSteps > 0 && tree.Stats.EnvSteps > w.budget.EnvSteps {
		t.Errorf("%d environment steps of %d", tree.Stats.EnvSteps, w.budget.EnvSteps)
	}
	if w.budget.GeneratedTokens > 0 && tree.Stats.GeneratedTokens > w.budget.GeneratedTokens {
		t.Errorf("%d generated tokens of %d", tree.Stats.GeneratedTokens, w.budget.GeneratedTokens)
	}
	kids, roots := make([]int, len(tree.Nodes)), 0
	tries := map[int]map[int]bool{}
	for _, n := range tree.Nodes[1:] {
		switch {
		case !n.Failed():
			kids[n.Parent]++
		case tries[n.Parent] == nil:
			tries[n.Parent] = map[int]bool{n.Round: true}
		default:
			tries[n.Parent][n.Round] = true
		}
		if !n.Failed() && n.Parent == 0 && n.Decision.Reason == "root" {
			roots++
		}
	}
	for parent, rounds := range tries {
		if len(rounds) > MaxAttempts {
			t.Errorf("node %d failed in %d rounds", parent, len(rounds))
		}
	}
	if most := *w.complete(t).Roots; most > 0 && roots > most {
		t.Errorf("%d roots of %d", roots, most)
	}
	w.checkForks(t, tree, kids)
}

// checkForks looks at the modifiers that limit forks, path by path.
func (w world) checkForks(t *testing.T, tree *sparkd.Tree, kids []int) {
	t.Helper()
	m := w.complete(t)
	for _, id := range tree.Leaves() {
		forks, last := 0, -1
		for _, n := range tree.Path(id)[1:] {
			if kids[n.ID] < 2 {
				continue
			}
			forks++
			switch {
			case *m.MaxDepth > 0 && n.Depth >= *m.MaxDepth:
				t.Errorf("node %d forked at depth %d", n.ID, n.Depth)
			case *m.MaxForksNode > 0 && kids[n.ID]-1 > *m.MaxForksNode:
				t.Errorf("node %d forked %d times", n.ID, kids[n.ID]-1)
			case *m.CoolDown > 0 && last >= 0 && n.Depth-last <= *m.CoolDown:
				t.Errorf("node %d forked %d steps after another fork", n.ID, n.Depth-last)
			}
			last = n.Depth
		}
		if *m.MaxForksPath > 0 && forks > *m.MaxForksPath {
			t.Errorf("%d forks on the path to %d", forks, id)
		}
	}
}

// truncated is the tree as it was committed after a round.
func truncated(t *sparkd.Tree, round int, stats sparkd.Stats) *sparkd.Tree {
	c := &sparkd.Tree{Seed: t.Seed, Round: round, Stats: stats}
	for _, n := range t.Nodes {
		if n.Round <= round {
			c.Nodes = append(c.Nodes, n)
		}
	}
	return c
}

func TestPlacesAreNeverLeftUnderDoubt(t *testing.T) {
	// With every step in doubt and nothing failing, the whole budget is spent.
	for seed := range uint64(50) {
		w := world{policy: spark(nil), budget: sparkd.Budget{Leaves: 8}, maxSteps: 5, doubt: 1}
		if n := len(w.grown(t, seed).Leaves()); n != 8 {
			t.Fatalf("seed %d: %d leaves of 8", seed, n)
		}
	}
}

// TestModifiersFillTheBudget: chains that never fork leave places; top-up and fallback
// spend all of them, unless all ends are equal and that is to stop them.
func TestModifiersFillTheBudget(t *testing.T) {
	for name, edit := range map[string]func(*sparkd.Policy){
		"top-up":   func(p *sparkd.Policy) { p.TopUp = new(true) },
		"fallback": func(p *sparkd.Policy) { p.Fallback = new(true) },
	} {
		for seed := range uint64(20) {
			w := world{policy: sparkd.Policy{Name: "spark", Roots: new(2)}, budget: sparkd.Budget{Leaves: 7},
				maxSteps: 5, success: .5}
			edit(&w.policy)
			if n := len(w.grown(t, seed).Leaves()); n != 7 {
				t.Errorf("%s, seed %d: %d leaves of 7", name, seed, n)
			}
			w.policy.StopEqual, w.success = new(2), 0
			if n := len(w.grown(t, seed).Leaves()); n != 2 {
				t.Errorf("%s, seed %d: %d leaves after two equal ends", name, seed, n)
			}
		}
	}
}

func (w world) grown(t *testing.T, seed uint64) *sparkd.Tree {
	tree := &sparkd.Tree{Seed: seed, Nodes: []*sparkd.Node{{Parent: -1}}}
	for {
		plan := w.next(t, tree)
		if len(plan) == 0 {
			return tree
		}
		w.play(tree, plan)
	}
}

// grow appends a valid step below parent.
func grow(t *sparkd.Tree, parent int, o sparkd.Outcome) *sparkd.Node {
	n := &sparkd.Node{ID: len(t.Nodes), Parent: parent, Depth: t.Nodes[parent].Depth + 1,
		Valid: true, Outcome: o, Done: o != sparkd.OutcomeNone}
	n.Round = n.Depth
	t.Nodes = append(t.Nodes, n)
	return n
}
