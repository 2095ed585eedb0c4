package worker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sparkd"
	"sparkd/branching"
	"sparkd/env/worker"
	"sparkd/sampler"
)

// visitor is an engine that wanders about: every sample is one of its actions, drawn from
// the seed. Its tokens are bytes.
type visitor struct{ actions []string }

const endOfTurn sparkd.Token = 256

func (v visitor) Describe() sparkd.EngineInfo {
	return sparkd.EngineInfo{Name: "visitor", PolicyVersion: "1", Vocabulary: 257, ContextLength: 1 << 20, BOS: -1,
		EOS: endOfTurn, EOT: endOfTurn,
		Capabilities: sparkd.Capabilities{TokenExact: true, Logprobs: "raw", Entropy: "none", NativeK: true}}
}

func (v visitor) Close() error { return nil }

func (v visitor) Tokenize(_ context.Context, text string, _ bool) ([]sparkd.Token, error) {
	ids := make([]sparkd.Token, len(text))
	for i := range ids {
		ids[i] = sparkd.Token(text[i])
	}
	return ids, nil
}

func (v visitor) Detokenize(_ context.Context, ids []sparkd.Token) (string, error) {
	var text []byte
	for _, id := range ids {
		if id != endOfTurn {
			text = append(text, byte(id))
		}
	}
	return string(text), nil
}

func (v visitor) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	res := sparkd.SampleResult{Engine: "visitor", PolicyVersion: "1", PromptTokens: len(r.Prefix),
		ComputedTokens: len(r.Prefix)}
	for _, seed := range r.Seeds {
		s := sparkd.Sample{Finish: sparkd.FinishStop}
		s.Text = fmt.Sprintf("<explore>?</explore><action>%s</action>", v.actions[seed%uint64(len(v.actions))])
		s.Tokens, _ = v.Tokenize(ctx, s.Text, false)
		s.Tokens = append(s.Tokens, endOfTurn)
		s.Logprobs = make([]float32, len(s.Tokens))
		res.Samples = append(res.Samples, s)
	}
	return res, nil
}

// TestScienceWorldTrees grows trees that fork at every step. In a JVM that repeats itself
// no branch is lost; in another one the sampler finds sooner or later a fork that is not
// the state that was forked: a typed failure of that branch, counted, without a reward.
func TestScienceWorldTrees(t *testing.T) {
	for _, tt := range []struct {
		jvm   string
		trees int // at most
	}{{"deterministic", 4}, {"default", 30}} {
		t.Run(tt.jvm, func(t *testing.T) {
			s := scienceWorld(t, 2, map[string]string{"jvm": tt.jvm})
			defer closeSource(t, s)
			var total sparkd.Stats
			trees := 0
			for ; trees < tt.trees && total.Diverged == 0; trees++ {
				tree := growScience(t, s, (15+trees)%30) // the inclined planes come first
				for _, n := range tree.Nodes {
					if n.Failed() && (n.Error.Code != sparkd.CodeDiverged || n.Reward != 0) {
						t.Errorf("%v: node %d: %v", tree.Task, n.ID, n.Error)
					}
				}
				if tree.Stats.Diverged == 0 && (tree.State != sparkd.TreeDone || tree.Stats.Leaves != 4 ||
					tree.Stats.Failed != 0) {
					t.Errorf("%v: %s, %+v", tree.Task, tree.State, tree.Stats)
				}
				total.Add(tree.Stats)
			}
			if (total.Diverged > 0) != (tt.jvm == "default") {
				t.Errorf("%d diverged in %d trees", total.Diverged, trees)
			}
			t.Logf("%d trees: %d forks, %d steps, %d repeated for forks, %d diverged; %+v", trees, total.Forks,
				total.EnvSteps, total.ReplaySteps, total.Diverged, s.Stats())
		})
	}
}

// growScience grows a tree of 4 leaves and 8 steps; its 2 roots fork now and then.
func growScience(t *testing.T, s *worker.Source, index int) *sparkd.Tree {
	t.Helper()
	spec := branching.DefaultSpec()
	spec.Tasks.Env, spec.Seed, spec.MaxSteps, spec.Budget.Leaves = "scienceworld", 1, 8, 4
	spec.Policy = sparkd.Policy{Name: "random", Roots: new(2), Probability: new(0.3)}
	tree := sampler.NewTree("rollout", &spec, scienceTask(index), "tree", time.Now())
	deps := sampler.Deps{
		Engine: visitor{[]string{"look around", "go to kitchen", "go to hallway", "go to outside",
			"go to art studio", "go to workshop", "inventory", "wait1"}},
		OpenEnv:       s.Open,
		SampleTimeout: time.Minute,
		EnvTimeout:    time.Minute,
		Prompt:        sampler.Prompt{Terse: true},
		Commit:        func(context.Context, *sparkd.Tree, int) error { return nil },
	}
	if err := sampler.Grow(t.Context(), deps, &spec, tree); err != nil {
		t.Fatal(err)
	}
	return tree
}
