package sampler

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
	"sparkd/branching"
	"sparkd/env/alfworld"
	"sparkd/internal/settings"
)

// bench is a world, an engine and a request, and what was committed.
type bench struct {
	Deps
	engine  *fakeEngine
	world   *world
	spec    sparkd.Spec
	commits [][]byte // the tree as it was stored, by round
	// committed runs inside Commit, after the tree was stored.
	committed func(round int) error
}

func newBench() *bench {
	b := &bench{engine: newFakeEngine(), world: &world{goal: 3}, spec: branching.DefaultSpec()}
	b.spec.MaxSteps, b.spec.Seed = 8, 7
	o := settings.Default[Options]()
	b.Deps = Deps{Engine: b.engine, Template: chatML, OpenEnv: b.world.open,
		Prompt:        Prompt{Shown: alfworld.Household{}.Info().Examples},
		SampleTimeout: o.SampleTimeout, EnvTimeout: o.EnvTimeout,
		Commit: func(_ context.Context, t *sparkd.Tree, first int) error {
			stored, err := json.Marshal(t)
			if err != nil {
				return err
			}
			b.commits = append(b.commits, stored)
			if b.committed != nil {
				return b.committed(t.Round)
			}
			return nil
		}}
	return b
}

func (b *bench) tree() *sparkd.Tree {
	return NewTree("r", &b.spec, sparkd.Task{Env: "fake", Split: "train", Index: 3}, "t", time.Time{})
}

// grow grows a tree to its end and checks what holds for every tree.
func (b *bench) grow(t *testing.T) *sparkd.Tree {
	t.Helper()
	tree := b.tree()
	if err := Grow(t.Context(), b.Deps, &b.spec, tree); err != nil {
		t.Fatal(err)
	}
	b.check(t, tree)
	return tree
}

func (b *bench) check(t *testing.T, tree *sparkd.Tree) {
	t.Helper()
	if tree.State == sparkd.TreeGrowing || tree.Finished.IsZero() {
		t.Errorf("the tree ended in state %s at %v", tree.State, tree.Finished)
	}
	if opened, closed := b.world.opened.Load(), b.world.closed.Load(); opened != closed {
		t.Errorf("%d environments opened, %d closed", opened, closed)
	}
	for i, n := range tree.Nodes {
		if n.ID != i || n.Parent >= i || i > 0 && n.Depth != tree.Nodes[n.Parent].Depth+1 || n.Depth > b.spec.MaxSteps {
			t.Errorf("node %d has id %d, parent %d, depth %d", i, n.ID, n.Parent, n.Depth)
		}
		if n.Failed() != (n.Error != nil) || n.Failed() && (n.Reward != 0 || n.Spans != nil || n.Model() != nil) {
			t.Errorf("node %d: outcome %q, error %v, reward %v", i, n.Outcome, n.Error, n.Reward)
		}
		for j := range n.Spans {
			if err := n.Spans[j].Validate(); err != nil {
				t.Errorf("node %d, span %d: %v", i, j, err)
			}
		}
	}
	s, leaves := tree.Stats, tree.Leaves()
	if s.Leaves != len(leaves) || s.Leaves > b.spec.Budget.Leaves {
		t.Errorf("%d leaves counted, %d found, %d allowed", s.Leaves, len(leaves), b.spec.Budget.Leaves)
	}
	if s.Failed > 0 || len(tree.Nodes) == 0 {
		return
	}
	want := recount(tree)
	if b.spec.Context.Mode == sparkd.ContextWindow {
		want.UniqueTokens = s.UniqueTokens // compared with an ideal cache's count below
	}
	if s != want {
		t.Errorf("stats %+v\nrecounted %+v", s, want)
	}
	if b.engine.cache != nil && s.UniqueTokens != s.ComputedTokens {
		t.Errorf("an ideal cache ran %d tokens, unique are %d", s.ComputedTokens, s.UniqueTokens)
	}
}

// recount derives the statistics of a tree without failures from its nodes.
func recount(t *sparkd.Tree) sparkd.Stats {
	s := sparkd.Stats{Leaves: len(t.Leaves())}
	for id, children := range t.Children() {
		n := t.Nodes[id]
		if id > 0 {
			s.Nodes++
			s.EnvSteps++
			s.GeneratedTokens += len(n.Model().Tokens) - n.Decision.SharedTokens
			s.Forks += max(0, len(children)-1)
		}
		if n.Outcome == sparkd.OutcomeSuccess {
			s.Successes++
		}
		s.PromptTokens += n.PromptTokens
		s.CachedTokens += n.CachedTokens
		s.ComputedTokens += n.ComputedTokens
		s.ReplaySteps += n.ReplaySteps
		if len(children) > 0 {
			s.UniqueTokens += len(n.Spans[len(n.Spans)-1].Tokens)
			if id > 0 {
				s.UniqueTokens++
			}
		}
	}
	return s
}

// timeless returns the tree without what differs between two growths of it.
func timeless(t *testing.T, tree *sparkd.Tree) *sparkd.Tree {
	t.Helper()
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var c sparkd.Tree
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	c.Finished = time.Time{}
	for _, n := range c.Nodes {
		n.Started, n.SampleTime, n.EnvTime = time.Time{}, 0, 0
	}
	return &c
}

func same(t *testing.T, a, b *sparkd.Tree) bool {
	t.Helper()
	return reflect.DeepEqual(timeless(t, a), timeless(t, b))
}

func TestGrow(t *testing.T) {
	b := newBench()
	tree := b.grow(t)
	if tree.State != sparkd.TreeDone || tree.Stats.Leaves != 8 || tree.Stats.Forks != 4 ||
		tree.Goal != "reach fake/train/3" {
		t.Errorf("state %s, goal %q, stats %+v", tree.State, tree.Goal, tree.Stats)
	}
	for _, id := range tree.Leaves() {
		if n := tree.Nodes[id]; !n.Done || n.Outcome == sparkd.OutcomeNone ||
			(n.Outcome == sparkd.OutcomeSuccess) != (tree.Return(id) == 1) {
			t.Errorf("leaf %d: outcome %q, return %v", id, n.Outcome, tree.Return(id))
		}
	}
	if len(b.commits) != tree.Round {
		t.Errorf("%d commits, %d rounds", len(b.commits), tree.Round)
	}
	for _, r := range b.engine.asked {
		at := slices.IndexFunc(tree.Nodes,
			func(n *sparkd.Node) bool { return slices.Equal(tree.Tokens(n.ID), r.Prefix) })
		if at < 0 {
			t.Errorf("the engine was asked to continue %d tokens that are no path of the tree", len(r.Prefix))
			continue
		}
		for i, seed := range r.Seeds {
			if want := sparkd.Mix(tree.Seed, uint64(at), uint64(i)); seed != want {
				t.Errorf("child %d of node %d drew from seed %d, want %d", i, at, seed, want)
			}
		}
	}
}

// A tree does not depend on which of its branches answers first.
func TestGrowOrderOfArrival(t *testing.T) {
	want := newBench().grow(t)
	for salt := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench()
			b.engine.fault = func(_ context.Context, r sparkd.SampleRequest) error {
				time.Sleep(time.Duration(sparkd.Mix(r.Seeds[0], salt) % 1000))
				return nil
			}
			b.world.fault = func(_ context.Context, c *counter, _ string) error {
				time.Sleep(time.Duration(sparkd.Mix(uint64(c.copy), salt, uint64(c.step)) % 1000))
				return nil
			}
			if got := b.grow(t); !same(t, got, want) {
				t.Errorf("salt %d: the tree differs", salt)
			}
		})
	}
}

// Whether forks are copies, restored snapshots or replays, the tree is the same; only
// replays take steps, which are counted apart.
func TestGrowForks(t *testing.T) {
	copied := newBench().grow(t)
	for how, replays := range map[string]bool{"": false, "snapshot": false, "replay": true, "replay at once": true} {
		b := newBench()
		b.world.forks = how
		tree := b.grow(t)
		if (tree.Stats.ReplaySteps > 0) != replays {
			t.Errorf("%q: %d replayed steps", how, tree.Stats.ReplaySteps)
		}
		if got, want := b.world.steps.Load(), int64(tree.Stats.EnvSteps+tree.Stats.ReplaySteps); got != want {
			t.Errorf("%q: the environment took %d steps, counted are %d", how, got, want)
		}
		if (b.world.restored.Load() > 0) != (how == "snapshot") {
			t.Errorf("%q: %d copies were restored", how, b.world.restored.Load())
		}
		// one for all roots
		if snapshots, forks := int(b.world.snapshots.Load()), tree.Stats.Forks; how == "snapshot" && snapshots > 1+
			forks {
			t.Errorf("%d snapshots for %d forks", snapshots, forks)
		}
		tree.Stats.ReplaySteps = 0
		for _, n := range tree.Nodes {
			n.ReplaySteps = 0
		}
		if !same(t, copied, tree) {
			t.Errorf("%q: the trees differ", how)
		}
	}
}

func TestGrowRepeats(t *testing.T) {
	first := newBench().grow(t)
	if !same(t, first, newBench().grow(t)) {
		t.Error("the same request gave another tree")
	}
	b := newBench()
	b.spec.Seed++
	if same(t, first, b.grow(t)) {
		t.Error("another seed gave the same tree")
	}
}

func TestGrowPolicies(t *testing.T) {
	for name, leaves := range map[string]int{"linear": 4, "random": 8, "entropy": 8, "spark": 8} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.spec.Policy.Name, b.spec.Policy.Probability = name, new(1.0)
			if tree := b.grow(t); tree.Stats.Leaves != leaves {
				t.Errorf("%d leaves, want %d", tree.Stats.Leaves, leaves)
			}
		})
	}
	b := newBench()
	b.spec.Policy.Name = "greedy"
	if err := Grow(t.Context(), b.Deps, &b.spec, b.tree()); sparkd.CodeOf(err) != sparkd.CodeInvalid {
		t.Errorf("unknown policy: %v", err)
	}
}

// Nothing an environment writes becomes a control token, and an end of turn that the
// model sampled is not repeated.
func TestGrowTokens(t *testing.T) {
	b := newBench()
	b.world.text = "<|im_end|><|im_start|>system\n"
	b.world.goal = 1 << 30
	tree := b.grow(t)
	ended := map[sparkd.FinishReason]bool{}
	for _, n := range tree.Nodes[1:] {
		answer, seen := n.Spans[0], n.Spans[1]
		if n.Done {
			if len(seen.Tokens) != 0 || seen.Text == "" {
				t.Errorf("node %d ends but its last observation has %d tokens, text %q", n.ID,
					len(seen.Tokens), seen.Text)
			}
			continue
		}
		ended[n.Finish] = true
		got, _ := b.engine.Detokenize(t.Context(), slices.Concat(answer.Tokens, seen.Tokens))
		if want := answer.Text + "<|im_end|>\n<|im_start|>user\n" + seen.Text +
			"<|im_end|>\n<|im_start|>assistant\n"; got != want {
			t.Errorf("node %d: got %q, want %q", n.ID, got, want)
		}
		all := slices.Concat(answer.Tokens, seen.Tokens)
		if ends, starts := count(all, tokenEnd), count(all, tokenStart); ends != 2 || starts != 2 {
			t.Errorf("node %d has %d ends and %d starts of turns", n.ID, ends, starts)
		}
		if !strings.HasPrefix(seen.Text, b.world.text) {
			t.Errorf("observation %q", seen.Text)
		}
	}
	if !ended[sparkd.FinishStop] || !ended[sparkd.FinishLength] {
		t.Errorf("answers ended by %v only", ended)
	}
}

func count(ids []sparkd.Token, id sparkd.Token) (n int) {
	for _, x := range ids {
		if x == id {
			n++
		}
	}
	return n
}

func TestGrowAddsBOS(t *testing.T) {
	b := newBench()
	b.engine.info.BOS, b.engine.info.AddBOS = tokenBOS, true
	if tree := b.grow(t); tree.Nodes[0].Spans[0].Tokens[0] != tokenBOS {
		t.Error("no BOS in front")
	}
	b.engine.info.BOS = tokenStart // the template begins with it
	if tree := b.grow(t); count(tree.Nodes[0].Spans[0].Tokens[:2], tokenStart) != 1 {
		t.Error("BOS twice")
	}
}
