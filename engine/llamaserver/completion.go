package llamaserver

import (
	"context"
	"slices"

	"sparkd"
	"sparkd/engine/remote"
)

// generated is one result of /completion.
type generated struct {
	Content  string
	Tokens   []sparkd.Token
	Slot     int    `json:"id_slot"`
	StopType string `json:"stop_type"` // eos, word, limit
	Stopping string `json:"stopping_word"`
	Model    string
	Probs    []prob `json:"completion_probabilities"`
	Timings  struct {
		Cached   int `json:"cache_n"`
		Computed int `json:"prompt_n"`
	}
}

// empty reports whether nothing was read that a continuation has.
func (g *generated) empty() bool { return g.Tokens == nil && g.Content == "" && g.StopType == "" }

type prob struct {
	ID      sparkd.Token
	Logprob *float64
	Tops    []struct {
		ID      sparkd.Token
		Logprob *float64
	} `json:"top_logprobs"`
}

// request is what /completion is sent, with every parameter that has a default. The
// samplers are named in the order that Sampling promises; those that are not named are off.
func request(a *remote.Ask, slot int) map[string]any {
	return map[string]any{
		"prompt": a.Prefix, "n_predict": a.Limit, "n_cmpl": len(a.Seeds), "stream": false,
		"id_slot": slot, "cache_prompt": true, "n_cache_reuse": 0,
		"temperature": a.Sampling.Temperature, "top_k": a.Sampling.TopK, "top_p": a.TopP(), "min_p": a.Sampling.MinP,
		"samplers": []string{"temperature", "top_k", "top_p", "min_p"}, "dynatemp_range": 0, "repeat_penalty": 1,
		"presence_penalty": 0, "frequency_penalty": 0, "mirostat": 0, "ignore_eos": false, "min_keep": 0, "grammar": "",
		"seed": a.Seed(), "stop": a.Stop(),
		"return_tokens": true, "n_probs": max(a.Top, 1), "post_sampling_probs": false,
		"response_fields": []string{
			"content", "tokens", "id_slot", "stop_type", "stopping_word", "model",
			"completion_probabilities", "timings",
		},
	}
}

func (s *server) completion(ctx context.Context, request map[string]any) ([]generated, error) {
	return remote.Results[generated](ctx, s.OpenAI, "/completion", request, (*generated).empty)
}

// read makes a continuation of a result: ids and text as they came, logprobs where they
// came and, for the tokens that llama-server leaves out, by asking for them.
func (s *server) read(ctx context.Context, g *generated, a *remote.Ask, slot int) (remote.Choice, error) {
	c := remote.Choice{Tokens: g.Tokens, Text: g.Content}
	var err error
	if c.Stopped, err = remote.Stopped(g.StopType, len(c.Tokens) >= a.Limit); err != nil {
		return c, err
	}
	if g.StopType == "word" {
		c.Text += g.Stopping
	}
	// llama-server knows no stop tokens but the model's own.
	isStop := func(id sparkd.Token) bool { return slices.Contains(a.Sampling.StopTokenIDs, id) }
	if i := slices.IndexFunc(c.Tokens, isStop); i >= 0 && (i+1 < len(c.Tokens) || !c.Stopped) {
		c.Tokens, c.Stopped = c.Tokens[:i+1], true
		text, err := s.Detokenize(ctx, c.Tokens[:i])
		if err != nil {
			return c, err
		}
		c.Text = text
	}
	return c, s.addLogprobs(ctx, &c, g, a, slot)
}
