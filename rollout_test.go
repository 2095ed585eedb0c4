package sparkd

import (
	"math"
	"strings"
	"testing"
)

func TestSpecValidate(t *testing.T) {
	whole := RequestSpec()
	whole.Budget.Leaves = 8
	if err := whole.Validate(); err != nil {
		t.Fatalf("the default request is refused: %v", err)
	}
	cases := []struct {
		field  string
		change func(*Spec)
	}{
		{"id", func(s *Spec) { s.ID = "no spaces" }},
		{"tasks.env", func(s *Spec) { s.Tasks.Env = "" }},
		{"tasks.split", func(s *Spec) { s.Tasks.Split = "" }},
		{"tasks.from", func(s *Spec) { s.Tasks.From = -1 }},
		{"tasks.count", func(s *Spec) { s.Tasks.Count = 0 }},
		{"tasks.count", func(s *Spec) { s.Tasks.Count = MaxTasks + 1 }},
		{"tasks.indices[1]", func(s *Spec) { s.Tasks.Indices = []int{3, -3} }},
		{"tasks.indices[2]", func(s *Spec) { s.Tasks.Indices = []int{3, 4, 3} }},
		{"max_steps", func(s *Spec) { s.MaxSteps = 0 }},
		{"budget.leaves", func(s *Spec) { s.Budget.Leaves = 0 }},
		{"budget.leaves", func(s *Spec) { s.Budget.Leaves = MaxLeaves + 1 }},
		{"budget.generated_tokens", func(s *Spec) { s.Budget.GeneratedTokens = -1 }},
		{"budget.env_steps", func(s *Spec) { s.Budget.EnvSteps = -1 }},
		{"budget.seconds", func(s *Spec) { s.Budget.Seconds = math.Inf(1) }},
		{"sampling.temperature", func(s *Spec) { s.Sampling.Temperature = -0.1 }},
		{"sampling.temperature", func(s *Spec) { s.Sampling.Temperature = math.NaN() }},
		{"sampling.temperature", func(s *Spec) { s.Sampling.Temperature = 101 }},
		{"sampling.top_k", func(s *Spec) { s.Sampling.TopK = -1 }},
		{"sampling.top_p", func(s *Spec) { s.Sampling.TopP = 1.1 }},
		{"sampling.min_p", func(s *Spec) { s.Sampling.MinP = -1 }},
		{"sampling.max_tokens", func(s *Spec) { s.Sampling.MaxTokens = 0 }},
		{"sampling.stop", func(s *Spec) { s.Sampling.Stop = make([]string, MaxStops+1) }},
		{"sampling.stop[0]", func(s *Spec) { s.Sampling.Stop = []string{""} }},
		{"sampling.stop_token_ids[0]", func(s *Spec) { s.Sampling.StopTokenIDs = []Token{-1} }},
	}
	for _, c := range cases {
		s := whole
		c.change(&s)
		e := AsError(s.Validate())
		if e == nil || e.Code != CodeInvalid || e.Field != c.field || e.Remedy == "" {
			t.Errorf("want an error in %s, got %+v", c.field, e)
		}
	}
}

func TestParseTask(t *testing.T) {
	want := Task{"household", "train", 17}
	if got, err := ParseTask(want.String()); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{
		"", "household", "household/train", "household/train/x", "household/train/-1", "//1", "a/b/c/d",
	} {
		if _, err := ParseTask(bad); CodeOf(err) != CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSpanValidate(t *testing.T) {
	nan := float32(math.NaN())
	cases := []struct {
		want string
		span Span
	}{
		{"", Span{Source: SourceModel, Tokens: []Token{1, 2}, Logprobs: []float32{-1, -2}, Entropies: []float32{0, 1}}},
		{"", Span{Source: SourceEnv, Tokens: []Token{1}}},
		{"source", Span{Source: "user"}},
		{"logprobs", Span{Source: SourceModel, Tokens: []Token{1, 2}, Logprobs: []float32{-1}}},
		{"logprobs", Span{Source: SourceEnv, Tokens: []Token{1}, Logprobs: []float32{-1}}},
		{"entropies[1]", Span{Source: SourceModel, Tokens: []Token{1, 2}, Entropies: []float32{0, nan}}},
		{"", Span{Source: SourcePrompt, Text: "<user>hi", Turns: []Turn{{"user", 6, 8}}}},
		{"turns[0]", Span{Source: SourcePrompt, Text: "hi", Turns: []Turn{{"user", 0, 3}}}},
		{"turns[1]", Span{Source: SourcePrompt, Text: "hi", Turns: []Turn{{"user", 0, 2}, {"user", 1, 2}}}},
		{"turns[0]", Span{Source: SourceEnv, Text: "hi", Turns: []Turn{{"user", 0, 2}}}},
		{"sampled_logprobs[0]",
			Span{Source: SourceModel, Tokens: []Token{1}, SampledLogprobs: []float32{float32(math.Inf(-1))}}},
	}
	for _, c := range cases {
		err := c.span.Validate()
		if c.want == "" && err != nil || c.want != "" && AsError(err).Field != c.want {
			t.Errorf("%+v: %v, want field %q", c.span, err, c.want)
		}
	}
}

func TestTreeShape(t *testing.T) {
	// 0 ─ 1 ─ 3
	//   │   └ 4 (failed)
	//   └ 2
	span := func(ids ...Token) []Span { return []Span{{Source: SourceModel, Tokens: ids}} }
	tree := &Tree{Nodes: []*Node{
		{ID: 0, Parent: -1, Spans: span(1, 2)},
		{ID: 1, Parent: 0, Depth: 1, Spans: span(3), Reward: 0.5},
		{ID: 2, Parent: 0, Depth: 1, Spans: span(4)},
		{ID: 3, Parent: 1, Depth: 2, Spans: span(5, 6), Reward: 1},
		{ID: 4, Parent: 1, Depth: 2, Outcome: OutcomeFailed},
	}}
	if got := tree.Leaves(); len(got) != 2 || got[0] != 2 || got[1] != 3 {
		t.Errorf("leaves %v", got)
	}
	if got := tree.Tokens(3); len(got) != 5 || got[2] != 3 || got[4] != 6 {
		t.Errorf("tokens %v", got)
	}
	if got := tree.Return(3); got != 1.5 {
		t.Errorf("return %v", got)
	}
	if got := tree.Children()[0]; len(got) != 2 {
		t.Errorf("children of 0: %v", got)
	}
	tree.Nodes[3].Outcome = OutcomeFailed // all children of 1 failed: it is a leaf again
	if got := tree.Leaves(); len(got) != 2 || got[0] != 1 {
		t.Errorf("leaves after a failure %v", got)
	}
}

func TestMix(t *testing.T) {
	seen := map[uint64]bool{}
	for a := range uint64(100) {
		for b := range uint64(100) {
			seen[Mix(1, a, b)] = true
		}
	}
	if len(seen) != 10_000 {
		t.Errorf("%d of 10000 seeds differ", len(seen))
	}
	if Mix(1, 2, 3) == Mix(1, 3, 2) || Mix(1) == Mix(2) {
		t.Error("order or seed does not matter")
	}
}

func TestErrorText(t *testing.T) {
	e := Invalid("policy.roots", "use fewer", "M = %d", 9)
	if got := e.Error(); got != "policy.roots: M = 9 (use fewer)" {
		t.Error(got)
	}
	if AsError(nil) != nil || CodeOf(strings.NewReader("").UnreadByte()) != CodeInternal {
		t.Error("AsError of nil or of a foreign error")
	}
}
