package vllm

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sparkd"
	"sparkd/engine/remote"
)

// completion is the answer of /v1/completions with vLLM's fields.
type completion struct {
	Choices []completionChoice
	Usage   struct {
		Details *struct {
			Cached *int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"` // with --enable-prompt-tokens-details
	}
}

type completionChoice struct {
	Index        int
	Text         string
	FinishReason string         `json:"finish_reason"`
	StopReason   any            `json:"stop_reason"` // a stop string, a stop token, or null for the model's own end
	TokenIDs     []sparkd.Token `json:"token_ids"`
	PromptIDs    []sparkd.Token `json:"prompt_token_ids"`
	Logprobs     *struct {
		Words  []string              `json:"tokens"` // "token_id:7"
		Tokens []*float64            `json:"token_logprobs"`
		Tops   []map[string]*float64 `json:"top_logprobs"` // by the same words; null is what cannot come
	}
}

func (s *server) Generate(ctx context.Context, a remote.Ask) (remote.Answer, error) {
	var c completion
	if _, err := s.Complete(ctx, s.fields(&a), &c); err != nil {
		return remote.Answer{}, err
	}
	out := remote.Answer{Computed: len(a.Seeds) * len(a.Prefix)}
	if d := c.Usage.Details; d != nil && d.Cached != nil {
		out.Cached, out.Counted = min(*d.Cached, len(a.Prefix)), true
		out.Computed = len(a.Seeds) * (len(a.Prefix) - out.Cached)
	}
	slices.SortStableFunc(c.Choices, func(a, b completionChoice) int { return a.Index - b.Index })
	for i := range c.Choices {
		read, err := c.Choices[i].read(&a)
		if err != nil {
			return remote.Answer{}, err
		}
		out.Choices = append(out.Choices, read)
	}
	return out, s.respell(ctx, &a, out.Choices)
}

// fields are the request, with every parameter that has a default.
func (s *server) fields(a *remote.Ask) map[string]any {
	f := remote.CompletionFields(a)
	f["model"], f["prompt"] = s.Model(), a.Prefix
	f["max_tokens"] = max(a.Limit, 1) // vLLM refuses 0
	f["top_k"], f["min_p"], f["repetition_penalty"] = a.TopK(-1), a.Sampling.MinP, 1
	f["stop_token_ids"] = append([]sparkd.Token{}, a.Sampling.StopTokenIDs...)
	f["ignore_eos"], f["min_tokens"] = false, 0
	f["skip_special_tokens"], f["include_stop_str_in_output"] = false, false
	f["logprobs"], f["return_token_ids"], f["return_tokens_as_token_ids"] = a.Top, true, true
	return f
}

func (c *completionChoice) read(a *remote.Ask) (remote.Choice, error) {
	if c.PromptIDs != nil && !slices.Equal(c.PromptIDs, a.Prefix) {
		return remote.Choice{}, sparkd.Errorf(sparkd.CodeEngine,
			"the server read another prompt than the ids that it was sent")
	}
	out := remote.Choice{Tokens: c.ids(), Text: c.Text}
	if out.Tokens == nil && c.Text != "" {
		return out, sparkd.NewError(sparkd.CodeEngine, "engine.dialect",
			`take vLLM 0.10.2 or later, or set engine.dialect = "generic", which does without ids`,
			"the server returns no token ids")
	}
	var err error
	if out.Stopped, err = remote.Stopped(c.FinishReason, len(out.Tokens) >= a.Limit); err != nil {
		return out, err
	}
	if word, ok := c.StopReason.(string); ok && out.Stopped {
		out.Text += word
	}
	if c.Logprobs == nil {
		return out, nil
	}
	out.Logprobs = []float64{}
	for i, l := range c.Logprobs.Tokens {
		if l == nil {
			return out, sparkd.Errorf(sparkd.CodeEngine, "the server reports no logprob for token %d", i)
		}
		out.Logprobs = append(out.Logprobs, *l)
	}
	for _, top := range c.Logprobs.Tops {
		if a.Top > 0 {
			out.Tops = append(out.Tops, remote.Descending(slices.Collect(maps.Values(top))))
		}
	}
	return out, nil
}

// ids are those of the field, which older servers lack, or else those that stand for the tokens of the logprobs.
func (c *completionChoice) ids() []sparkd.Token {
	if c.TokenIDs != nil || c.Logprobs == nil {
		return c.TokenIDs
	}
	var ids []sparkd.Token
	for _, word := range c.Logprobs.Words {
		id, err := strconv.ParseInt(strings.TrimPrefix(word, "token_id:"), 10, 32)
		if err != nil {
			return nil
		}
		ids = append(ids, sparkd.Token(id))
	}
	return ids
}

// respell has the texts of continuations made anew from their ids where the prompt ends
// inside a character: vLLM then begins the text somewhere in the prompt.
func (s *server) respell(ctx context.Context, a *remote.Ask, choices []remote.Choice) error {
	last := a.Prefix[len(a.Prefix)-1]
	whole, known := s.whole.Load(last)
	if !known {
		text, err := s.Detokenize(ctx, []sparkd.Token{last})
		if err != nil {
			return err
		}
		whole = !strings.Contains(text, "\uFFFD")
		s.whole.Store(last, whole)
	}
	if whole.(bool) {
		return nil
	}
	for i := range choices {
		if err := s.spell(ctx, &choices[i], a.Sampling); err != nil {
			return err
		}
	}
	return nil
}

// spell sets the text of a continuation from its ids.
func (s *server) spell(ctx context.Context, c *remote.Choice, p *sparkd.Sampling) error {
	text, err := s.Detokenize(ctx, c.Tokens)
	if err != nil {
		return err
	}
	switch end := remote.StopEnd(text, p.Stop, 0); {
	case c.Stopped && end >= 0:
		text = text[:end]
	case c.Stopped:
		if text, err = s.Detokenize(ctx, c.Tokens[:len(c.Tokens)-1]); err != nil {
			return err
		}
	}
	c.Text = text
	return nil
}
