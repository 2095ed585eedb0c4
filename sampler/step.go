package sampler

import (
	"context"
	"slices"
	"strings"

	"sparkd"
)

// step finishes child i: it reads the sample, acts in the environment and records both.
func (x *expansion) step(ctx context.Context, i int, p place) {
	g, c, s := x.g, &x.children[i], &x.result.Samples[i]
	n := c.node
	n.SampleTime, n.PolicyVersion, n.Engine, n.Finish = x.sampled, x.result.PolicyVersion, x.result.Engine, s.Finish
	n.ReplaySteps += p.replay
	if i == 0 {
		r := x.result
		n.PromptTokens, n.CachedTokens = r.PromptTokens, r.CachedTokens
		n.ComputedTokens, n.ExpectedTokens = r.ComputedTokens, r.ExpectedTokens
	}
	c.leaf.env = p.env
	c.stats.ReplaySteps += p.replay
	c.stats.GeneratedTokens = len(s.Tokens) - x.Shared

	fold := g.spec.Policy.FoldCase
	answer := g.Template.ParseAnswer(s.Text, g.Prompt.tag(), fold != nil && *fold)
	n.Action, n.Valid = answer.Action, answer.Valid
	n.Admissible = x.parent.admissible == nil || slices.Contains(x.parent.admissible, answer.Action)
	n.Signals = signals(s, g.chat.info.Vocabulary)
	n.Signals.Tags = answer.Tags
	said := g.span(sparkd.SourceModel, s.Text)
	said.Tokens, said.Entropies = s.Tokens, s.Entropies
	said.Logprobs, said.SampledLogprobs = s.Logprobs, s.SampledLogprobs
	n.Spans = []sparkd.Span{said}
	if err := wellFormed(n); err != nil {
		c.fail(sparkd.Errorf(sparkd.CodeEngine, "the engine returned a malformed sample: %v", err))
		return
	}
	if p.err != nil {
		c.fail(envError(p.err))
		return
	}
	began := g.Clock()
	o, err := p.env.step(ctx, n.Action)
	n.EnvTime = g.Clock().Sub(began)
	if err == nil {
		err = finite(&o, g.tree.Return(x.Node))
	}
	if err != nil {
		c.fail(envError(err))
		return
	}
	c.stats.EnvSteps++
	if err := x.observe(ctx, i, &o); err != nil {
		c.fail(engineError(err))
	}
}

// finite checks a reward behind those before it: what is no number, alone or with them, is no 0 either.
func finite(o *sparkd.Observation, before float64) error {
	if sparkd.Finite(before + o.Reward) {
		return nil
	}
	return sparkd.NewError(sparkd.CodeEnv, "", "let every reward be a finite number, and their sum too",
		"the environment returned a reward of %v after %v", o.Reward, before)
}

// wellFormed checks what came from the engine before it reaches the store.
func wellFormed(n *sparkd.Node) error {
	if m := n.Signals.MinMargin; !sparkd.Finite(m) {
		return sparkd.Invalid("margins", "numbers must be finite", "value %v", m)
	}
	return n.Spans[0].Validate()
}

// observe records what the environment answered to child i and decides whether the trajectory goes on.
func (x *expansion) observe(ctx context.Context, i int, o *sparkd.Observation) error {
	g, c := x.g, &x.children[i]
	n := c.node
	n.Reward, n.ObsHash = o.Reward, o.Hash()
	seen := g.Prompt.Step(o)
	if g.window != nil {
		seen = strings.TrimSpace(o.Text)
	}
	n.Spans = append(n.Spans, g.span(sparkd.SourceEnv, seen))
	switch {
	case o.Done && o.Success:
		n.Outcome = sparkd.OutcomeSuccess
		c.stats.Successes++
	case o.Done:
		n.Outcome = sparkd.OutcomeFailure
	case n.Depth >= g.spec.MaxSteps:
		n.Outcome = sparkd.OutcomeStepLimit
	case n.Finish == sparkd.FinishFull:
		n.Outcome = sparkd.OutcomeContext
	case n.Finish == sparkd.FinishLength && x.allowance < g.spec.Sampling.MaxTokens-x.Shared:
		n.Outcome = sparkd.OutcomeBudget
	default:
		if err := x.prompt(ctx, i, o); err != nil {
			return err
		}
		c.leaf.admissible = o.Admissible
	}
	n.Done = n.Outcome != sparkd.OutcomeNone
	return nil
}

// prompt gives child i the prompt of its own children, unless that outgrows the model.
func (x *expansion) prompt(ctx context.Context, i int, o *sparkd.Observation) error {
	if x.g.window != nil {
		return x.quote(ctx, i, o)
	}
	g, c := x.g, &x.children[i]
	answer, seen := c.node.Spans[0].Tokens, &c.node.Spans[1]
	room, err := g.chat.room(ctx, seen.Text)
	if err != nil || !room {
		c.node.Outcome = sparkd.OutcomeContext
		return err
	}
	tokens, err := g.chat.turn(ctx, answer, c.node.Finish, seen.Text)
	if err != nil {
		return err
	}
	if g.chat.full(len(x.parent.tokens) + len(answer) + len(tokens)) {
		c.node.Outcome = sparkd.OutcomeContext
		return nil
	}
	seen.Tokens = tokens
	c.leaf.tokens = x.prefix(i, answer, tokens)
	return nil
}

// prefix returns the token prefix of child i. The first child grows its parent's slice in place, so that a linear
// path is not copied at every step; nobody else writes behind the parent's end.
func (x *expansion) prefix(i int, answer, observation []sparkd.Token) []sparkd.Token {
	if i > 0 {
		return slices.Concat(x.parent.tokens, answer, observation)
	}
	return append(append(x.parent.tokens, answer...), observation...)
}
