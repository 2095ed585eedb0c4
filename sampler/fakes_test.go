package sampler

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"sparkd"
)

// Tokens of the fake vocabulary beyond the 256 bytes.
const (
	tokenStart sparkd.Token = 256 + iota // <|im_start|>
	tokenEnd                             // <|im_end|>
	tokenBOS
	fakeVocabulary
)

// fakeEngine is deterministic: a continuation is drawn from its seed alone. Tokens are
// bytes. It counts what an ideal prefix cache would run, if cache is set.
type fakeEngine struct {
	info sparkd.EngineInfo
	// answer makes the text of a sample and how it ends; nil is wander.
	answer func(seed uint64) (string, sparkd.FinishReason)
	// fault runs before a sample and may fail, block, cancel or spoil.
	fault func(ctx context.Context, r sparkd.SampleRequest) error
	spoil func(*sparkd.SampleResult)

	mu    sync.Mutex
	cache map[uint64]bool // prefixes that were run, by hash; nil: do not count
	asked []sparkd.SampleRequest
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{cache: map[uint64]bool{}, info: sparkd.EngineInfo{Name: "fake", PolicyVersion: "v1",
		Vocabulary: int(fakeVocabulary), ContextLength: 1 << 20, BOS: -1, EOS: tokenEnd, EOT: tokenEnd,
		Capabilities: sparkd.Capabilities{TokenExact: true, Logprobs: "both", Entropy: "full", NativeK: true}}}
}

// wander thinks or explores, and then walks.
func wander(seed uint64) (string, sparkd.FinishReason) {
	tag := "think"
	if seed%3 == 0 {
		tag = "explore"
	}
	action := []string{"up", "up", "down", "nonsense"}[seed/3%4]
	finish := sparkd.FinishStop
	if seed%7 == 0 {
		finish = sparkd.FinishLength
	}
	return fmt.Sprintf("<%s>%x</%s><action>%s</action>", tag, seed, tag, action), finish
}

func (e *fakeEngine) Describe() sparkd.EngineInfo { return e.info }
func (e *fakeEngine) Close() error                { return nil }

func (e *fakeEngine) Tokenize(_ context.Context, text string, control bool) ([]sparkd.Token, error) {
	ids := make([]sparkd.Token, 0, len(text))
	for i := 0; i < len(text); i++ {
		if control && text[i] == '<' {
			if rest := text[i:]; strings.HasPrefix(rest, "<|im_start|>") {
				ids, i = append(ids, tokenStart), i+len("<|im_start|>")-1
				continue
			} else if strings.HasPrefix(rest, "<|im_end|>") {
				ids, i = append(ids, tokenEnd), i+len("<|im_end|>")-1
				continue
			}
		}
		ids = append(ids, sparkd.Token(text[i]))
	}
	return ids, nil
}

func (e *fakeEngine) Detokenize(_ context.Context, ids []sparkd.Token) (string, error) {
	var b strings.Builder
	for _, id := range ids {
		switch id {
		case tokenStart:
			b.WriteString("<|im_start|>")
		case tokenEnd:
			b.WriteString("<|im_end|>")
		case tokenBOS:
			b.WriteString("<s>")
		default:
			b.WriteByte(byte(id))
		}
	}
	return b.String(), nil
}

func (e *fakeEngine) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	if e.fault != nil {
		if err := e.fault(ctx, r); err != nil {
			return sparkd.SampleResult{}, err
		}
	}
	answer := e.answer
	if answer == nil {
		answer = wander
	}
	res := sparkd.SampleResult{Engine: "fake", PolicyVersion: "v1", PromptTokens: len(r.Prefix),
		Samples: make([]sparkd.Sample, r.K)}
	for i := range res.Samples {
		s := &res.Samples[i]
		s.Text, s.Finish = answer(r.Seeds[i])
		s.Tokens, _ = e.Tokenize(ctx, s.Text, false)
		if s.Finish == sparkd.FinishStop {
			s.Tokens = append(s.Tokens, tokenEnd)
		}
		if most := r.Sampling.MaxTokens; len(s.Tokens) > most {
			s.Tokens, s.Finish = s.Tokens[:most], sparkd.FinishLength
			s.Text, _ = e.Detokenize(ctx, s.Tokens)
		}
		s.Logprobs, s.Entropies, s.Margins = make([]float32, len(s.Tokens)), make([]float32,
			len(s.Tokens)), make([]float32, len(s.Tokens))
		for j, id := range s.Tokens {
			s.Logprobs[j], s.Entropies[j], s.Margins[j] = -float32(id)/100, float32(id%7)/4, float32(id%5)
		}
	}
	if e.cache != nil {
		e.account(r, &res)
	}
	if e.spoil != nil {
		e.spoil(&res)
	}
	return res, nil
}

var fakeSeed = maphash.MakeSeed()

// account fills in what an ideal cache would run and reuse.
func (e *fakeEngine) account(r sparkd.SampleRequest, res *sparkd.SampleResult) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, r)
	run := func(h *maphash.Hash, ids []sparkd.Token) (computed int) {
		for _, id := range ids {
			_, _ = h.Write([]byte{byte(id), byte(id >> 8)})
			if !e.cache[h.Sum64()] {
				e.cache[h.Sum64()] = true
				computed++
			}
		}
		return computed
	}
	var h maphash.Hash
	h.SetSeed(fakeSeed)
	res.ComputedTokens = run(&h, r.Prefix)
	res.CachedTokens = len(r.Prefix) - res.ComputedTokens
	for _, s := range res.Samples {
		at := h
		run(&at, s.Tokens[:len(s.Tokens)-1])
	}
}

// world is a fake environment: a counter that is to reach goal.
type world struct {
	goal  int
	text  string // told in every observation
	forks string // how a copy is made: "" by Fork, "snapshot", "replay", "replay at once"
	// fault runs before every step and may fail, panic, block or cancel.
	fault func(ctx context.Context, e *counter, action string) error
	// resetFault runs before every reset.
	resetFault func() error
	diverges   bool // a replayed copy tells something else at its second step
	// pays, if set, is the reward of every step.
	pays float64

	opened, closed, steps, snapshots, restored atomic.Int64
}

type counter struct {
	*world
	at, step int
	copy     int64 // which of the opened copies
	closed   atomic.Bool
}

type forkingCounter struct{ *counter }

func (w *world) open(context.Context) (sparkd.Env, error) {
	c := &counter{world: w, copy: w.opened.Add(1)}
	switch w.forks {
	case "snapshot":
		return savedCounter{c}, nil
	case "replay":
		return c, nil
	case "replay at once":
		return replayingCounter{c}, nil
	}
	return forkingCounter{c}, nil
}

func (c *counter) observe() sparkd.Observation {
	o := sparkd.Observation{Text: fmt.Sprintf("%sYou are at %d after %d steps.", c.text, c.at, c.step),
		Admissible: []string{"down", "up"}}
	if c.diverges && c.copy > 1 && c.step >= 2 {
		o.Text += fmt.Sprintf(" This is copy %d.", c.copy)
	}
	if c.at >= c.goal || c.at <= -c.goal {
		o.Done, o.Success = true, c.at >= c.goal
	}
	if o.Success {
		o.Reward = 1
	}
	if c.pays != 0 && c.step > 0 {
		o.Reward = c.pays
	}
	return o
}

func (c *counter) Reset(_ context.Context, t sparkd.Task) (sparkd.Observation, error) {
	if c.resetFault != nil {
		if err := c.resetFault(); err != nil {
			return sparkd.Observation{}, err
		}
	}
	o := c.observe()
	o.Goal = "reach " + t.String()
	return o, nil
}

func (c *counter) Step(ctx context.Context, action string) (sparkd.Observation, error) {
	c.steps.Add(1)
	if c.closed.Load() {
		return sparkd.Observation{}, errors.New("step after close")
	}
	if c.fault != nil {
		if err := c.fault(ctx, c, action); err != nil {
			return sparkd.Observation{}, err
		}
	}
	c.step++
	switch action {
	case "up":
		c.at++
	case "down":
		c.at--
	}
	return c.observe(), nil
}

func (c *counter) Close() error {
	if c.closed.Swap(true) {
		return errors.New("closed twice")
	}
	c.world.closed.Add(1)
	return nil
}

func (f forkingCounter) Fork(context.Context) (sparkd.Env, error) {
	c := &counter{world: f.world, at: f.at, step: f.step, copy: f.world.opened.Add(1)}
	return forkingCounter{c}, nil
}

type savedCounter struct{ *counter }

func (s savedCounter) Snapshot(context.Context) ([]byte, error) {
	s.snapshots.Add(1)
	return fmt.Appendf(nil, "%d %d", s.at, s.step), nil
}

func (s savedCounter) Restore(_ context.Context, _ sparkd.Task, state []byte) error {
	s.restored.Add(1)
	_, err := fmt.Sscanf(string(state), "%d %d", &s.at, &s.step)
	return err
}

type replayingCounter struct{ *counter }

func (r replayingCounter) Replay(ctx context.Context, t sparkd.Task, actions []string) ([]sparkd.Observation, error) {
	o, err := r.Reset(ctx, t)
	seen := []sparkd.Observation{o}
	for i := 0; i < len(actions) && err == nil && !o.Done; i++ {
		o, err = r.Step(ctx, actions[i])
		seen = append(seen, o)
	}
	return seen, err
}
