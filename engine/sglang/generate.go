package sglang

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"

	"sparkd"
	"sparkd/engine/remote"
	"sparkd/internal/httpclient"
)

// produced is one result of /generate.
type produced struct {
	Text string
	IDs  []sparkd.Token `json:"output_ids"`
	Meta struct {
		Finish *struct {
			Type    string
			Matched any // a stop string or a stop token
			Message string
			Status  int `json:"status_code"` // of an abort: what it would have been as an answer
		} `json:"finish_reason"`
		Cached   *int        `json:"cached_tokens"`
		Logprobs []scored    `json:"output_token_logprobs"`
		Tops     [][]*scored `json:"output_top_logprobs"`
	} `json:"meta_info"`
}

// empty reports whether nothing was read that a continuation has.
func (p *produced) empty() bool {
	return p.IDs == nil && p.Text == "" && p.Meta.Finish == nil && p.Meta.Logprobs == nil
}

// scored is [logprob, id, text or null]. A logprob that is null has no number in JSON: the token cannot come.
type scored struct {
	logprob *float64
	id      sparkd.Token
}

// UnmarshalJSON reads the list.
func (s *scored) UnmarshalJSON(data []byte) error {
	var list [2]any
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	logprob, ok := list[0].(float64)
	id, fine := list[1].(float64)
	if !ok && list[0] != nil || !fine || id != math.Trunc(id) || math.Abs(id) > math.MaxInt32 {
		return fmt.Errorf("%s is no logprob and id", httpclient.Excerpt(data))
	}
	if s.id = sparkd.Token(id); ok {
		s.logprob = &logprob
	}
	return nil
}

func (s *server) Generate(ctx context.Context, a remote.Ask) (remote.Answer, error) {
	list, err := remote.Results[produced](ctx, s.OpenAI, "/generate", request(&a), (*produced).empty)
	if err != nil {
		return remote.Answer{}, err
	}
	out := remote.Answer{Counted: true}
	for i := range list {
		cached := list[i].Meta.Cached
		out.Counted = out.Counted && cached != nil
		if cached == nil {
			cached = new(int)
		}
		n := min(*cached, len(a.Prefix))
		if i == 0 {
			out.Cached = n
		}
		out.Computed += len(a.Prefix) - n
		c, err := list[i].read(&a)
		if err != nil {
			return remote.Answer{}, err
		}
		out.Choices = append(out.Choices, c)
	}
	return out, nil
}

// request is what /generate is sent, with every parameter that has a default. The seed counts with
// --enable-deterministic-inference, and then for all continuations of a request.
func request(a *remote.Ask) map[string]any {
	return map[string]any{
		"input_ids": a.Prefix, "stream": false, "return_logprob": true, "logprob_start_len": -1,
		"top_logprobs_num": a.Top, "return_text_in_logprobs": false,
		"sampling_params": map[string]any{
			"max_new_tokens": a.Limit, "n": len(a.Seeds), "temperature": a.Sampling.Temperature,
			"top_p": a.TopP(), "top_k": a.TopK(-1), "min_p": a.Sampling.MinP,
			"frequency_penalty": 0, "presence_penalty": 0, "repetition_penalty": 1,
			"min_new_tokens": 0, "ignore_eos": false,
			"stop": a.Stop(), "stop_token_ids": append([]sparkd.Token{}, a.Sampling.StopTokenIDs...),
			"skip_special_tokens": false, "spaces_between_special_tokens": false, "no_stop_trim": false,
			"sampling_seed": a.Seed(),
		},
	}
}

func (p *produced) read(a *remote.Ask) (remote.Choice, error) {
	c := remote.Choice{Tokens: p.IDs, Text: p.Text}
	if p.IDs == nil { // of older servers
		for _, l := range p.Meta.Logprobs {
			c.Tokens = append(c.Tokens, l.id)
		}
	}
	if err := p.finish(&c, a.Limit); err != nil {
		return c, err
	}
	c.Logprobs = make([]float64, len(p.Meta.Logprobs))
	for i, l := range p.Meta.Logprobs {
		if i >= len(c.Tokens) || l.id != c.Tokens[i] {
			return c, sparkd.Errorf(sparkd.CodeEngine,
				"logprob %d is of token %d, which is not the one returned", i, l.id)
		}
		if l.logprob == nil {
			return c, sparkd.Errorf(sparkd.CodeEngine, "the server reports no logprob for token %d", i)
		}
		c.Logprobs[i] = *l.logprob
	}
	for _, top := range p.Meta.Tops {
		if a.Top == 0 {
			break
		}
		var values []*float64
		for _, t := range top {
			if t != nil {
				values = append(values, t.logprob)
			}
		}
		c.Tops = append(c.Tops, remote.Descending(values))
	}
	return c, nil
}

// finish says why the continuation ended.
func (p *produced) finish(c *remote.Choice, limit int) (err error) {
	f := p.Meta.Finish
	if f == nil {
		c.Stopped, err = remote.Stopped("", len(c.Tokens) >= limit)
		return err
	}
	if f.Type == "abort" {
		if f.Status >= http.StatusBadRequest && f.Status < http.StatusInternalServerError {
			return sparkd.Invalid("", "the server refuses the request as it is",
				"the server aborted a continuation: %s", f.Message)
		}
		return remote.Aborted(f.Message)
	}
	c.Stopped, err = remote.Stopped(f.Type, len(c.Tokens) >= limit)
	if word, ok := f.Matched.(string); ok && c.Stopped {
		c.Text += word
	}
	return err
}
