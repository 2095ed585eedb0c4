package embedded

import (
	"context"
	"slices"
	"strings"

	"sparkd"
)

// request is a Sample call on its way through the loop, which alone touches it from
// the moment it is submitted until done is closed.
type request struct {
	ctx context.Context
	sparkd.SampleRequest
	limit  int // most tokens of a continuation: MaxTokens, or what the context has room for
	result sparkd.SampleResult
	err    error
	done   chan struct{}

	// Before it starts: a prefill under way computes tokens of this prompt, and is
	// worth waiting for until it has done this many.
	ahead *prefill
	until int

	// While it runs.
	prefix  prefix
	taken   []int32 // blocks of the prompt's own tokens
	pledged int     // blocks that its continuations may still take
	left    int     // continuations that have not ended
	ended   bool    // answered; nothing of it is left in the loop
}

// reusable is the part of the prompt that may come from the cache: all but the last token, whose logits are needed.
func (r *request) reusable() []sparkd.Token { return r.Prefix[:len(r.Prefix)-1] }

// prefill computes a prompt, from pos on, for the continuations in samples. A request has
// one, or one per continuation where nothing is shared.
type prefill struct {
	req     *request
	path    []blockRef // of the whole prompt
	pos     int        // tokens computed or found in the cache
	samples []int
	over    bool // finished or given up
}

// sequence is one continuation that decodes.
type sequence struct {
	req     *request
	index   int // of the sample
	path    []blockRef
	taken   []int32
	pledged int // blocks it may still take
	text    []byte
	next    [1]sparkd.Token // the last sampled token, not yet run through the model
}

// sample is where the continuation's result grows.
func (s *sequence) sample() *sparkd.Sample { return &s.req.result.Samples[s.index] }

// uniform is the random number that the next token is drawn with.
func (s *sequence) uniform() float64 { return uniform(s.req.Seeds[s.index], len(s.sample().Tokens)) }

// accept appends a sampled token and reports whether the continuation ends with it.
func (s *sequence) accept(b backend, c choice) (ended bool) {
	out, p := s.sample(), &s.req.Sampling
	out.Tokens = append(out.Tokens, c.id)
	out.Logprobs = append(out.Logprobs, c.logprob)
	out.Entropies = append(out.Entropies, c.entropy)
	out.Margins = append(out.Margins, c.margin)
	if reshapes(p) {
		out.SampledLogprobs = append(out.SampledLogprobs, c.sampled)
	}
	s.next[0] = c.id
	out.Finish = s.finish(b, c.id)
	if out.Finish != "" {
		out.Text = strings.ToValidUTF8(string(s.text), "\uFFFD")
	}
	return out.Finish != ""
}

// finish adds the token to the text and says why the continuation ends there, or "".
func (s *sequence) finish(b backend, id sparkd.Token) sparkd.FinishReason {
	p := &s.req.Sampling
	if b.isEndOfGeneration(id) || slices.Contains(p.StopTokenIDs, id) {
		return sparkd.FinishStop
	}
	piece := b.detokenizePiece(id)
	s.text = append(s.text, piece...)
	if end := stopEnd(s.text, len(piece), p.Stop); end >= 0 {
		s.text = s.text[:end]
		return sparkd.FinishStop
	}
	switch n := len(s.sample().Tokens); {
	case n == p.MaxTokens:
		return sparkd.FinishLength
	case n == s.req.limit:
		return sparkd.FinishFull
	}
	return ""
}

// computed is the sequence's tokens that were run through the model: all but the last one sampled.
func (s *sequence) computed() []sparkd.Token {
	out := s.sample().Tokens
	return append(s.req.Prefix[:len(s.req.Prefix):len(s.req.Prefix)], out[:len(out)-1]...)
}
