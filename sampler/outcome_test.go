package sampler

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"sparkd"
)

func TestGrowOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*bench)
		want sparkd.Outcome
		code sparkd.Code // the tree fails
	}{
		"step limit": {func(b *bench) { b.world.goal = 100 }, sparkd.OutcomeStepLimit, ""},
		"success":    {func(b *bench) { b.engine.answer = always("up") }, sparkd.OutcomeSuccess, ""},
		"failure":    {func(b *bench) { b.engine.answer = always("down") }, sparkd.OutcomeFailure, ""},
		"context":    {func(b *bench) { b.engine.info.ContextLength = 2700 }, sparkd.OutcomeContext, ""},
		"opening":    {func(b *bench) { b.engine.info.ContextLength = 100 }, "", sparkd.CodeContext},
		"tokens": {func(b *bench) { b.spec.Budget.GeneratedTokens = 400; b.world.goal = 100 },
			sparkd.OutcomeBudget, ""},
		"env steps": {func(b *bench) { b.spec.Budget.EnvSteps = 9; b.world.goal = 100 }, sparkd.OutcomeBudget, ""},
		"seconds": {func(b *bench) { b.spec.Budget.Seconds = 20; b.world.goal = 100; b.Clock = ticking() },
			sparkd.OutcomeBudget, ""},
		"seconds, early": {func(b *bench) { b.spec.Budget.Seconds = 0.5; b.Clock = ticking() },
			"", sparkd.CodeDeadline},
		"context full while sampling": {func(b *bench) {
			b.world.goal = 100
			b.engine.answer = func(seed uint64) (string, sparkd.FinishReason) { return "<think>", sparkd.FinishFull }
		}, sparkd.OutcomeContext, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			c.set(b)
			tree := b.grow(t)
			if c.code != "" {
				if tree.State != sparkd.TreeFailed || sparkd.CodeOf(tree.Error) != c.code {
					t.Errorf("state %s, error %v", tree.State, tree.Error)
				}
				return
			}
			if tree.State != sparkd.TreeDone || len(tree.Leaves()) == 0 {
				t.Fatalf("state %s, %d leaves", tree.State, len(tree.Leaves()))
			}
			met := 0
			for _, id := range tree.Leaves() {
				switch got := tree.Nodes[id].Outcome; {
				case got == c.want:
					met++
				case name != "context" || got == "": // of which some leaves end before
					t.Errorf("leaf %d: outcome %q, want %q", id, got, c.want)
				}
			}
			if met == 0 {
				t.Errorf("no leaf ended with %q", c.want)
			}
			if most := b.spec.Budget.GeneratedTokens; most > 0 && tree.Stats.GeneratedTokens > most {
				t.Errorf("%d generated tokens", tree.Stats.GeneratedTokens)
			}
			if most := b.spec.Budget.EnvSteps; most > 0 && tree.Stats.EnvSteps > most {
				t.Errorf("%d environment steps", tree.Stats.EnvSteps)
			}
		})
	}
}

// always answers with one action, thinking something else for every seed.
func always(action string) func(uint64) (string, sparkd.FinishReason) {
	return func(seed uint64) (string, sparkd.FinishReason) {
		text, _ := wander(seed)
		i, j := strings.Index(text, "<action>"), strings.Index(text, "</action>")
		return text[:i] + "<action>" + action + text[j:], sparkd.FinishStop
	}
}

// ticking returns a clock that goes on by a second whenever it is read.
func ticking() func() time.Time {
	now := make(chan time.Time, 1)
	now <- time.Unix(0, 0)
	return func() time.Time {
		t := (<-now).Add(time.Second)
		now <- t
		return t
	}
}

func TestNodeRecords(t *testing.T) {
	tree := newBench().grow(t)
	for _, n := range tree.Nodes[1:] {
		answer := n.Model()
		if want := n.Action == "up" || n.Action == "down"; n.Admissible != want || !n.Valid || n.Engine != "fake" ||
			n.PolicyVersion != "v1" {
			t.Errorf("node %d: action %q admissible %v, valid %v, by %s %s", n.ID, n.Action, n.Admissible, n.Valid,
				n.Engine, n.PolicyVersion)
		}
		if len(n.Signals.Tags) != 1 || !strings.HasPrefix(answer.Text, "<"+n.Signals.Tags[0]+">") {
			t.Errorf("node %d: tags %q in %q", n.ID, n.Signals.Tags, answer.Text)
		}
		if siblings := tree.Children()[n.Parent]; n.Decision.K != len(siblings) || siblings[n.Decision.Index] != n.ID ||
			n.Decision.Reason == "" {
			t.Errorf("node %d: decision %+v among %v", n.ID, n.Decision, siblings)
		}
	}
}

func TestSignals(t *testing.T) {
	s := &sparkd.Sample{Logprobs: []float32{-1, -2}, Entropies: make([]float32, 25), Margins: []float32{3, 0.5, 1}}
	for i := range s.Entropies {
		s.Entropies[i] = 0.5
		if i >= firstTokens {
			s.Entropies[i] = 2
		}
	}
	got := signals(s, 8)
	want := sparkd.Signals{MeanEntropy: (20*0.5 + 5*2) / 25.0, MaxEntropy: 2, FirstEntropy: 0.5 / math.Log(8),
		LogprobSum: -3, MinMargin: 0.5, HasEntropy: true}
	if math.Abs(got.FirstEntropy-want.FirstEntropy) > 1e-12 {
		t.Errorf("first entropy %v, want %v", got.FirstEntropy, want.FirstEntropy)
	}
	got.FirstEntropy = want.FirstEntropy
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := signals(&sparkd.Sample{Logprobs: []float32{-1}}, 8); got.HasEntropy || got.FirstEntropy != 0 {
		t.Errorf("without entropies: %+v", got)
	}
}
