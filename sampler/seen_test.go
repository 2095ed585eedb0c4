package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
)

// told is a source of copies whose resets say what tell says of the n-th copy.
func told(w *world, tell func(n int64, o *sparkd.Observation)) func(context.Context) (sparkd.Env, error) {
	return func(ctx context.Context) (sparkd.Env, error) {
		raw, err := w.open(ctx)
		switch e := raw.(type) {
		case *counter:
			return tellingCounter{e, tell}, err
		case replayingCounter:
			return replayingTeller{tellingCounter{e.counter, tell}}, err
		}
		return raw, errors.New("no such copy")
	}
}

type tellingCounter struct {
	*counter
	tell func(n int64, o *sparkd.Observation)
}

func (c tellingCounter) Reset(ctx context.Context, t sparkd.Task) (sparkd.Observation, error) {
	o, err := c.counter.Reset(ctx, t)
	c.tell(c.copy, &o)
	return o, err
}

type replayingTeller struct{ tellingCounter }

func (r replayingTeller) Replay(ctx context.Context, t sparkd.Task, actions []string) ([]sparkd.Observation, error) {
	seen, err := replayingCounter{r.counter}.Replay(ctx, t, actions)
	r.tell(r.copy, &seen[0])
	return seen, err
}

// A replay must see again all that was seen: a copy whose reset tells something else is no copy.
func TestReplaysCompareEverything(t *testing.T) {
	for name, c := range map[string]struct {
		tell  func(n int64, o *sparkd.Observation)
		words string
	}{
		"goal": {func(n int64, o *sparkd.Observation) { o.Goal = fmt.Sprint("goal ", n) },
			` instead of "goal 1"`},
		"goal that is gone": {func(n int64, o *sparkd.Observation) {
			if n > 1 {
				o.Goal = ""
			}
		}, `another goal, "" instead of "reach`},
		"text":   {func(n int64, o *sparkd.Observation) { o.Text = fmt.Sprint("text ", n) }, "step 0 of"},
		"reward": {func(n int64, o *sparkd.Observation) { o.Reward = float64(n) }, "step 0 of"},
		"list":   {func(n int64, o *sparkd.Observation) { o.Admissible = o.Admissible[min(n-1, 1):] }, "step 0 of"},
		"list that is empty": {func(n int64, o *sparkd.Observation) {
			if o.Admissible = nil; n > 1 {
				o.Admissible = []string{}
			}
		}, "step 0 of"},
		"end": {func(n int64, o *sparkd.Observation) { o.Done = n > 1 }, "step 0 of"},
	} {
		for _, forks := range []string{"replay", "replay at once"} {
			t.Run(name+", "+forks, func(t *testing.T) {
				b := newBench()
				b.world.forks = forks
				b.OpenEnv = told(b.world, c.tell)
				tree := b.grow(t)
				if tree.Stats.Diverged == 0 {
					t.Fatalf("no copy of %d was told apart", tree.Stats.Leaves)
				}
				for _, n := range tree.Nodes {
					e := n.Error
					if e != nil && (e.Code != sparkd.CodeDiverged || !strings.Contains(e.Message, c.words)) {
						t.Fatalf("node %d: %v, want %q", n.ID, e, c.words)
					}
				}
			})
		}
	}
}

// What a reset may not say: the tree fails before anything is sampled, and says why.
func TestResetsThatBeginNothing(t *testing.T) {
	for name, c := range map[string]struct {
		tell  func(n int64, o *sparkd.Observation)
		words string
	}{
		"over": {func(_ int64, o *sparkd.Observation) { o.Done = true }, "over before its first step"},
		"won": {func(_ int64, o *sparkd.Observation) { o.Done, o.Success, o.Reward = true, true, 1 },
			"success true, reward 1"},
		"NaN":         {func(_ int64, o *sparkd.Observation) { o.Reward = math.NaN() }, "a reward of NaN"},
		"without end": {func(_ int64, o *sparkd.Observation) { o.Reward = math.Inf(-1) }, "a reward of -Inf"},
	} {
		b := newBench()
		b.world.forks = "replay"
		b.OpenEnv = told(b.world, c.tell)
		tree := b.tree()
		if err := Grow(t.Context(), b.Deps, &b.spec, tree); err != nil {
			t.Fatal(err)
		}
		if tree.State != sparkd.TreeFailed || len(tree.Nodes) > 0 || len(b.engine.asked) > 0 ||
			sparkd.CodeOf(tree.Error) != sparkd.CodeEnv || tree.Error.Remedy == "" ||
			!strings.Contains(tree.Error.Message, c.words) {
			t.Errorf("%s: %s with %d nodes, %v; want %q", name, tree.State, len(tree.Nodes), tree.Error, c.words)
		}
	}
}

// A reward of the reset is the opening's, and counts in every return.
func TestRewardOfAReset(t *testing.T) {
	b := newBench()
	b.world.forks = "replay"
	b.OpenEnv = told(b.world, func(_ int64, o *sparkd.Observation) { o.Reward = 0.5 })
	tree := b.grow(t)
	if tree.Nodes[0].Reward != 0.5 {
		t.Errorf("node 0 has the reward %v", tree.Nodes[0].Reward)
	}
	for _, n := range tree.Ended() {
		if got := tree.Return(n.ID); got != 0.5+n.Reward {
			t.Errorf("leaf %d returns %v, its last step %v", n.ID, got, n.Reward)
		}
	}
}

// Where an environment lists no actions none is known to be out of place; where it lists none, all are.
func TestAdmissibleWithoutAList(t *testing.T) {
	for name, list := range map[string][]string{"unknown": nil, "none": {}} {
		b := newBench()
		b.OpenEnv = func(ctx context.Context) (sparkd.Env, error) {
			raw, err := b.world.open(ctx)
			return listing{raw, list}, err
		}
		for _, n := range b.grow(t).Nodes[1:] {
			if n.Admissible != (list == nil) {
				t.Errorf("%s: node %d: the action %q is admissible: %v", name, n.ID, n.Action, n.Admissible)
			}
		}
	}
}

// listing is an environment with another list of actions, which is copied by replay.
type listing struct {
	sparkd.Env
	list []string
}

func (l listing) Reset(ctx context.Context, t sparkd.Task) (sparkd.Observation, error) {
	o, err := l.Env.Reset(ctx, t)
	o.Admissible = slices.Clone(l.list)
	return o, err
}

func (l listing) Step(ctx context.Context, action string) (sparkd.Observation, error) {
	o, err := l.Env.Step(ctx, action)
	o.Admissible = slices.Clone(l.list)
	return o, err
}

// measured is an engine that notes the longest text it was given to tokenise.
type measured struct {
	sparkd.Engine
	longest *int
}

func (m measured) Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	*m.longest = max(*m.longest, len(text))
	return m.Engine.Tokenize(ctx, text, control)
}

// An observation that cannot fit ends the trajectory, in either context, and the tree where it is the first one; only
// its beginning is tokenised.
func TestHugeObservations(t *testing.T) {
	for name, blank := range map[string]string{"words": "word ", "one word": "x", "runes": "ü", "lines": "a\n"} {
		for _, mode := range []string{sparkd.ContextAppend, sparkd.ContextWindow} {
			b := newBench()
			b.engine.info.ContextLength = 1 << 13
			longest := 0
			b.Engine = measured{b.engine, &longest}
			b.spec.Context = sparkd.Context{Mode: mode, Window: 2}
			b.spec.Policy.Roots, b.spec.Budget.Leaves = new(int), 1
			*b.spec.Policy.Roots = 1
			huge := strings.Repeat(blank, 4<<20) + "."
			b.world.fault = func(_ context.Context, c *counter, _ string) error {
				c.world.text = huge
				return nil
			}
			tree := b.grow(t)
			if n := tree.Nodes[1]; n.Outcome != sparkd.OutcomeContext || n.Spans[1].Text == "" {
				t.Errorf("%s, %s: outcome %q", name, mode, n.Outcome)
			}
			if most := firstLook << 13; longest > most {
				t.Errorf("%s, %s: a text of %d bytes was tokenised, want %d at most", name, mode, longest, most)
			}
			tree = b.tree() // whose copies tell it from the beginning
			err := Grow(t.Context(), b.Deps, &b.spec, tree)
			if err != nil || sparkd.CodeOf(tree.Error) != sparkd.CodeContext {
				t.Errorf("%s, %s: as an opening: %v, %v", name, mode, err, tree.Error)
			}
		}
	}
}

// stuck is an engine that tokenises long texts forever and does not hear of the end of a context.
type stuck struct{ sparkd.Engine }

func (s stuck) Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	if strings.Contains(text, "endless") {
		time.Sleep(24 * time.Hour)
	}
	return s.Engine.Tokenize(ctx, text, control)
}

func TestCancelWhileTokenising(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		b.Engine = stuck{b.engine}
		b.world.fault = func(_ context.Context, c *counter, _ string) error {
			c.world.text = "endless "
			return nil
		}
		b.spec.Policy.Roots, b.spec.Budget.Leaves = new(int), 1
		*b.spec.Policy.Roots = 1
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := Grow(ctx, b.Deps, &b.spec, b.tree()); !errors.Is(err, context.DeadlineExceeded) ||
			time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		began = time.Now()
		tree := b.tree()
		if err := Grow(t.Context(), b.Deps, &b.spec, tree); err != nil || time.Since(began) != b.SampleTimeout ||
			tree.Error == nil || tree.Error.Field != "sampler.sample_timeout" {
			t.Errorf("%v, %v after %v", err, tree.Error, time.Since(began))
		}
		time.Sleep(48 * time.Hour) // what was left behind ends
	})
}
