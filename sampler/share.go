package sampler

import (
	"context"
	"slices"
	"strings"

	"sparkd"
)

// share turns a request for continuations of the node into one for continuations of the
// first tokens of one of its children: a fork inside a step. A stop string that begins
// in the shared tokens is not seen; had it ended there, the child had ended too.
func (x *expansion) share(ctx context.Context, r *sparkd.SampleRequest) error {
	g := x.g
	of := g.tree.Nodes[x.Of].Model()
	if of == nil || g.tree.Nodes[x.Of].Parent != x.Node || x.Shared >= len(of.Tokens) ||
		x.Shared >= r.Sampling.MaxTokens {
		return sparkd.Errorf(sparkd.CodeInternal, "node %d has no first %d tokens to share", x.Of, x.Shared)
	}
	text, err := g.Engine.Detokenize(ctx, of.Tokens[:x.Shared])
	if err != nil {
		return err
	}
	x.shared = text
	r.Prefix = slices.Concat(x.parent.tokens, of.Tokens[:x.Shared])
	r.Sampling.MaxTokens -= x.Shared
	return nil
}

// complete puts the shared tokens in front of every sample, with what the engine said
// of them when they were drawn. Margins are those of the new tokens.
func (x *expansion) complete() {
	of := x.g.tree.Nodes[x.Of].Model()
	front := func(old, new []float32) []float32 {
		if old == nil || new == nil {
			return nil
		}
		return slices.Concat(old[:x.Shared], new)
	}
	for i := range x.result.Samples {
		s := &x.result.Samples[i]
		if of.SampledLogprobs != nil || s.SampledLogprobs != nil { // nil on one side: equal to the raw ones
			s.SampledLogprobs = front(orElse(of.SampledLogprobs, of.Logprobs), orElse(s.SampledLogprobs, s.Logprobs))
		}
		s.Logprobs, s.Entropies = front(of.Logprobs, s.Logprobs), front(of.Entropies, s.Entropies)
		s.Tokens = slices.Concat(of.Tokens[:x.Shared], s.Tokens)
		s.Text = strings.ToValidUTF8(x.shared+s.Text, "\uFFFD")
	}
}

func orElse(values, otherwise []float32) []float32 {
	if values != nil {
		return values
	}
	return otherwise
}
