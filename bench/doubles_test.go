package bench_test

import (
	"context"
	"math/rand/v2"

	"sparkd"
	"sparkd/env/alfworld"
)

const vocabulary = 49152 // as many ids as SmolLM2 has

// instant is an engine that answers at once: with one of many random answers, whose
// tokens have a logprob, an entropy and a margin each, in a text that asks for a branch
// one time in four. Any other text has a token for every four bytes, longest at most.
type instant struct {
	answers [256]sparkd.Sample
	longest int
}

func newInstant(answer, longest int) *instant {
	e := &instant{longest: longest}
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range e.answers {
		s := &e.answers[i]
		s.Finish = sparkd.FinishStop
		s.Text = "<think>The mug may be on the shelf, so that is where to go next.</think>\n" +
			"<action>go to shelf 1</action>"
		if i%4 == 0 {
			s.Text = "<explore>No mug here. It may be on the shelf or in a drawer.</explore>\n" +
				"<action>go to shelf 1</action>"
		}
		for range answer {
			s.Tokens = append(s.Tokens, rng.Int32N(vocabulary))
			s.Logprobs = append(s.Logprobs, -float32(rng.ExpFloat64()))
			s.Entropies = append(s.Entropies, float32(rng.ExpFloat64()))
			s.Margins = append(s.Margins, float32(rng.ExpFloat64()))
		}
	}
	return e
}

func (e *instant) Describe() sparkd.EngineInfo {
	return sparkd.EngineInfo{Name: "instant", PolicyVersion: "none", Vocabulary: vocabulary, ContextLength: 1 << 20,
		BOS: -1, EOS: 2, EOT: 2,
		Capabilities: sparkd.Capabilities{TokenExact: true, Logprobs: "raw", Entropy: "full", NativeK: true}}
}

func (e *instant) Tokenize(_ context.Context, text string, _ bool) ([]sparkd.Token, error) {
	ids := make([]sparkd.Token, min((len(text)+3)/4, e.longest))
	for i := range ids {
		ids[i] = (sparkd.Token(text[4*i])*197 + sparkd.Token(i)*31) % vocabulary
	}
	return ids, nil
}

func (e *instant) Detokenize(context.Context, []sparkd.Token) (string, error) { return "", nil }

func (e *instant) Sample(_ context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	out := sparkd.SampleResult{Samples: make([]sparkd.Sample, r.K),
		PromptTokens: len(r.Prefix), ComputedTokens: len(r.Prefix),
		Forks: r.K - 1, Engine: "instant", PolicyVersion: "none"}
	for i := range out.Samples {
		out.Samples[i] = e.answers[r.Seeds[i]%uint64(len(e.answers))]
	}
	return out, nil
}

func (e *instant) Close() error { return nil }

// room is an environment that answers at once, always the same.
type room struct{}

var seen = sparkd.Observation{Text: "You arrive at shelf 1. On the shelf 1, you see a mug 2.",
	Admissible: []string{"go to desk 1", "go to shelf 1", "take mug 2 from shelf 1"}}

func (room) Reset(context.Context, sparkd.Task) (sparkd.Observation, error) { return seen, nil }
func (room) Step(context.Context, string) (sparkd.Observation, error)       { return seen, nil }
func (room) Fork(context.Context) (sparkd.Env, error)                       { return room{}, nil }
func (room) Close() error                                                   { return nil }

// wanderer plays the household by itself: whatever it is told, it takes the admissible
// actions in turn, each from another place of the list.
type wanderer struct {
	sparkd.Forker
	admissible []string
	turn       int
}

func (w *wanderer) Reset(ctx context.Context, t sparkd.Task) (sparkd.Observation, error) {
	o, err := w.Forker.Reset(ctx, t)
	w.admissible, w.turn = o.Admissible, t.Index
	return o, err
}

func (w *wanderer) Step(ctx context.Context, _ string) (sparkd.Observation, error) {
	w.turn += 7
	o, err := w.Forker.Step(ctx, w.admissible[w.turn%len(w.admissible)])
	w.admissible = o.Admissible
	return o, err
}

// Fork makes a copy that goes another way.
func (w *wanderer) Fork(ctx context.Context) (sparkd.Env, error) {
	e, err := w.Forker.Fork(ctx)
	if err != nil {
		return nil, err
	}
	w.turn++
	return &wanderer{e.(sparkd.Forker), w.admissible, w.turn + 1}, nil
}

func openRoom(context.Context) (sparkd.Env, error) { return room{}, nil }

func openWanderer(context.Context) (sparkd.Env, error) {
	return &wanderer{Forker: alfworld.New()}, nil
}
