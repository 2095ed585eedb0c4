package store

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"sparkd"
	"sparkd/branching"
	"sparkd/internal/settings"
)

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 123456789, time.UTC)

// testOptions keep nothing free, so that tests run on small disks.
func testOptions() Options { return with(func(o *Options) { o.MinFree = 1 }) }

// with returns the default options, changed.
func with(change func(*Options)) Options {
	o := settings.Default[Options]()
	change(&o)
	return o
}

func open(t testing.TB, dir string, opt Options) *Store {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	shut(t, s)
	return open(t, s.dir, s.opt)
}

func testRollout(id string, trees ...string) sparkd.Rollout {
	spec := branching.DefaultSpec()
	spec.Tasks.Count = max(1, len(trees))
	return sparkd.Rollout{ID: id, Spec: spec, State: sparkd.RolloutQueued, Trees: trees, Created: epoch}
}

func testTree(id, rollout string) *sparkd.Tree {
	return &sparkd.Tree{ID: id, Rollout: rollout, Task: sparkd.Task{Env: "household", Split: "train", Index: 3},
		Goal: "put a clean mug on the shelf", Seed: 7, State: sparkd.TreeGrowing, Created: epoch}
}

// addRound appends a round of k nodes with about tokens sampled tokens each.
func addRound(t *sparkd.Tree, rng *rand.Rand, k, tokens int) (first int) {
	first = len(t.Nodes)
	for range k {
		n := &sparkd.Node{ID: len(t.Nodes), Parent: -1, Round: t.Round}
		n.Started = epoch.Add(time.Duration(n.ID) * time.Second)
		if n.ID == 0 {
			n.Spans = []sparkd.Span{{
				Source:     sparkd.SourcePrompt,
				Tokens:     randomTokens(rng, 40),
				Text:       "You are in a kitchen.",
				TokenExact: true,
			}}
			t.Nodes = append(t.Nodes, n)
			break
		}
		n.Parent = rng.IntN(max(first, 1))
		n.Depth = t.Nodes[n.Parent].Depth + 1
		fillNode(n, rng, tokens)
		t.Nodes = append(t.Nodes, n)
	}
	t.Stats.Nodes = len(t.Nodes) - 1
	t.Round++
	return first
}

func fillNode(n *sparkd.Node, rng *rand.Rand, tokens int) {
	n.Spans = []sparkd.Span{
		{
			Source:     sparkd.SourceModel,
			Tokens:     randomTokens(rng, tokens),
			Logprobs:   randomFloats(rng, tokens),
			Entropies:  randomFloats(rng, tokens),
			Text:       "<explore>Where could a mug be?</explore><action>go to shelf 1</action>",
			TokenExact: true,
		},
		{
			Source:     sparkd.SourceEnv,
			Tokens:     randomTokens(rng, 30),
			Text:       "You arrive at shelf 1. On the shelf 1, you see a mug 2.",
			TokenExact: true,
		},
	}
	n.Action, n.Valid, n.Admissible, n.ObsHash = "go to shelf 1", true, true, fmt.Sprintf("%016x", rng.Uint64())
	n.Reward, n.Finish = rng.Float64(), sparkd.FinishStop
	n.Engine, n.PolicyVersion = "embedded", "sha256:0123456789abcdef"
	n.Signals = sparkd.Signals{
		Tags:        []string{"explore"},
		MeanEntropy: rng.Float64(),
		MaxEntropy:  2,
		LogprobSum:  -rng.Float64(),
		HasEntropy:  true,
	}
	n.Decision = sparkd.Decision{K: 2, Index: rng.IntN(2), Reason: "tag:explore", Score: 1}
	n.PromptTokens, n.CachedTokens, n.ComputedTokens = 512, 500, 12
	n.SampleTime, n.EnvTime = 3*time.Millisecond, 5*time.Microsecond
	if rng.IntN(8) == 0 {
		n.Done, n.Outcome = true, sparkd.OutcomeFailed
		n.Error = &sparkd.Error{
			Code: sparkd.CodeDiverged, Message: "observation 3 differs", Field: "task", Remedy: "report it",
		}
	}
}

func randomTokens(rng *rand.Rand, n int) []sparkd.Token {
	out := make([]sparkd.Token, n)
	for i := range out {
		out[i] = rng.Int32N(49152)
	}
	return out
}

func randomFloats(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = -rng.Float32()
	}
	return out
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// putTree commits a tree of some rounds and finishes it when done is set.
func putTree(t testing.TB, s *Store, tree *sparkd.Tree, rounds int, done bool) {
	t.Helper()
	rng := seeded(uint64(len(tree.ID)) + tree.Seed)
	for r := range rounds {
		first := addRound(tree, rng, 4, 20)
		if done && r == rounds-1 {
			tree.State, tree.Finished = sparkd.TreeDone, epoch.Add(time.Hour)
		}
		if err := s.PutRound(t.Context(), tree, first); err != nil {
			t.Fatalf("PutRound %d: %v", r, err)
		}
	}
}

// sameTree fails the test where the stored tree is not want.
func sameTree(t testing.TB, s *Store, want *sparkd.Tree) {
	t.Helper()
	got, err := s.Tree(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("Tree: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("tree %s is not what was stored:\n got %+v\nwant %+v", want.ID, got, want)
	}
}

// checkClean fails the test where Check finds anything.
func checkClean(t testing.TB, s *Store) Report {
	t.Helper()
	r, err := s.Check(t.Context())
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	for i := range r.Findings {
		t.Errorf("Check: %s: %v", r.Findings[i].Kind, &r.Findings[i])
	}
	return r
}

func wantCode(t testing.TB, err error, code sparkd.Code) *sparkd.Error {
	t.Helper()
	if sparkd.CodeOf(err) != code {
		t.Fatalf("error %v has code %q, want %q", err, sparkd.CodeOf(err), code)
	}
	return sparkd.AsError(err)
}
