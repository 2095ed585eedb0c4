package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"sparkd"
	"sparkd/internal/httpclient"
)

// sglang speaks with SGLang's server: its native /generate with ids
// (srt/managers/io_struct.py, GenerateReqInput), /tokenize, /detokenize, /get_model_info
// and /update_weights_from_disk. It was written from their documented schema and never met
// a real server.
type sglang struct {
	*server
	control *control
}

// modelInfo is what /get_model_info says.
type modelInfo struct {
	ModelPath     string `json:"model_path"`
	TokenizerPath string `json:"tokenizer_path"`
	WeightVersion string `json:"weight_version"`
}

func (s *sglang) learn(ctx context.Context, about *sparkd.EngineInfo) error {
	var m modelInfo
	if err := s.http.JSON(ctx, "GET", "/get_model_info", nil, &m); err != nil {
		return err
	}
	about.ContextLength = s.card.MaxModelLen
	if m.WeightVersion != "" && m.WeightVersion != "default" && s.version() == s.model() {
		s.move(s.model(), m.WeightVersion)
	}
	folder := m.TokenizerPath
	if folder == "" {
		folder = m.ModelPath
	}
	f, err := s.files(folder)
	if err != nil {
		return err
	}
	s.control.learn(f.special, f.plain)
	return f.describe(ctx, about, s.tokenize, func(ctx context.Context, text string) ([]sparkd.Token, error) {
		return s.ids(ctx, text, true)
	})
}

func (s *sglang) ids(ctx context.Context, text string, add bool) ([]sparkd.Token, error) {
	var out struct{ Tokens []sparkd.Token }
	err := s.post(ctx, "/tokenize", map[string]any{"model": s.model(), "prompt": text, "add_special_tokens": add}, &out)
	return out.Tokens, err
}

func (s *sglang) tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	raw := func(text string) ([]sparkd.Token, error) { return s.ids(ctx, text, false) }
	if control {
		return raw(text)
	}
	return s.control.tokenize(text, raw)
}

func (s *sglang) detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	var out struct{ Text string }
	err := s.post(ctx, "/detokenize", map[string]any{"model": s.model(), "tokens": ids, "skip_special_tokens": false}, &out)
	return out.Text, err
}

// produced is one result of /generate.
type produced struct {
	Text string
	IDs  []sparkd.Token `json:"output_ids"`
	Meta struct {
		Finish *struct {
			Type    string
			Matched any // a stop string or a stop token
			Message string
		} `json:"finish_reason"`
		Cached   *int        `json:"cached_tokens"`
		Logprobs []scored    `json:"output_token_logprobs"`
		Tops     [][]*scored `json:"output_top_logprobs"`
	} `json:"meta_info"`
}

// scored is [logprob, id, text or null].
type scored struct {
	logprob float64
	id      sparkd.Token
}

// UnmarshalJSON reads the list.
func (s *scored) UnmarshalJSON(data []byte) error {
	var list []any
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	if len(list) < 2 {
		return fmt.Errorf("%d values are no logprob and id", len(list))
	}
	logprob, ok := list[0].(float64)
	id, fine := list[1].(float64)
	if !ok || !fine || id != math.Trunc(id) || math.Abs(id) > math.MaxInt32 {
		return fmt.Errorf("%s is no logprob and id", httpclient.Excerpt(data))
	}
	s.logprob, s.id = logprob, sparkd.Token(id)
	return nil
}

func (s *sglang) generate(ctx context.Context, a ask) (answer, error) {
	var list []produced
	if a.n > 1 {
		if err := s.post(ctx, "/generate", s.request(&a), &list); err != nil {
			return answer{}, err
		}
	} else {
		list = make([]produced, 1)
		if err := s.post(ctx, "/generate", s.request(&a), &list[0]); err != nil {
			return answer{}, err
		}
	}
	out := answer{counted: true}
	for i := range list {
		cached := list[i].Meta.Cached
		out.counted = out.counted && cached != nil
		if cached == nil {
			cached = new(int)
		}
		if i == 0 {
			out.cached = min(*cached, len(a.prefix))
		}
		out.computed += len(a.prefix) - min(*cached, len(a.prefix))
		c, err := list[i].read(&a)
		if err != nil {
			return answer{}, err
		}
		out.choices = append(out.choices, c)
	}
	return out, nil
}

// request is what /generate is sent, with every parameter that has a default. The seed
// counts with --enable-deterministic-inference.
func (s *sglang) request(a *ask) map[string]any {
	topP, topK := a.sampling.TopP, -1
	if topP == 0 {
		topP = 1
	}
	if a.sampling.TopK > 0 {
		topK = a.sampling.TopK
	}
	return map[string]any{
		"input_ids": a.prefix, "stream": false, "return_logprob": true, "logprob_start_len": -1, "top_logprobs_num": a.top, "return_text_in_logprobs": false,
		"sampling_params": map[string]any{
			"max_new_tokens": a.limit, "n": a.n, "temperature": a.sampling.Temperature, "top_p": topP, "top_k": topK, "min_p": a.sampling.MinP,
			"frequency_penalty": 0, "presence_penalty": 0, "repetition_penalty": 1, "min_new_tokens": 0, "ignore_eos": false,
			"stop": append([]string{}, a.sampling.Stop...), "stop_token_ids": append([]sparkd.Token{}, a.sampling.StopTokenIDs...),
			"skip_special_tokens": false, "spaces_between_special_tokens": false, "no_stop_trim": false, "sampling_seed": a.seed & math.MaxInt32,
		},
	}
}

func (p *produced) read(a *ask) (choice, error) {
	c := choice{tokens: p.IDs, text: p.Text}
	if p.Meta.Finish == nil {
		return c, sparkd.Errorf(sparkd.CodeEngine, "the server does not say why a continuation ended")
	}
	switch f := p.Meta.Finish; f.Type {
	case "stop":
		c.stopped = true
		if word, ok := f.Matched.(string); ok {
			c.text += word
		}
	case "length":
	case "abort":
		return c, &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "the server aborted a continuation: " + f.Message, Err: &httpclient.Retry{Err: fmt.Errorf("aborted: %s", f.Message)}}
	default:
		return c, sparkd.Errorf(sparkd.CodeEngine, "the server ended a continuation with %q", f.Type)
	}
	c.logprobs = make([]float64, len(p.Meta.Logprobs))
	for i, l := range p.Meta.Logprobs {
		if c.logprobs[i] = l.logprob; i >= len(c.tokens) || l.id != c.tokens[i] {
			return c, sparkd.Errorf(sparkd.CodeEngine, "logprob %d is of token %d, which is not the one returned", i, l.id)
		}
	}
	for _, top := range p.Meta.Tops {
		if a.top == 0 {
			break
		}
		var values []float64
		for _, t := range top {
			if t != nil {
				values = append(values, t.logprob)
			}
		}
		c.tops = append(c.tops, descending(slices.Clip(values)))
	}
	return c, nil
}

// started implements dialect: SGLang does not tell when it was started.
func (s *sglang) started(ctx context.Context) (string, error) {
	var m modelInfo
	return "", s.http.JSON(ctx, "GET", "/get_model_info", nil, &m)
}

// reload implements dialect: the server waits for what runs there and empties its cache.
func (s *sglang) reload(ctx context.Context, w sparkd.Weights) (string, error) {
	if w.LoRA {
		return "", sparkd.Invalid("lora", "merge the adapter into its model", "adapters of SGLang are not supported")
	}
	var out struct {
		Success bool
		Message string
	}
	request := map[string]any{"model_path": w.Path, "weight_version": w.Version, "flush_cache": true, "abort_all_requests": false}
	if err := s.post(ctx, "/update_weights_from_disk", request, &out); err != nil {
		return "", err
	}
	if !out.Success {
		return "", sparkd.Errorf(sparkd.CodeEngine, "the server did not take the weights: %s", out.Message)
	}
	return s.model(), nil
}
