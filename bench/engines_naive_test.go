package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"sparkd"
)

// naive is a client as most are: every sibling is a request of its own, all are sent at
// once, and the server does with them what it likes. It asks for what sparkd asks for.
type naive struct {
	url  string
	path string
	body func(r *sparkd.SampleRequest, seed uint64) map[string]any
	read func(answer []byte, prompt int) (sample sparkd.Sample, cached, computed int, err error)
}

// Sample implements source. What the siblings cost is added up.
func (n *naive) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	out := sparkd.SampleResult{Samples: make([]sparkd.Sample, r.K), PromptTokens: r.K * len(r.Prefix)}
	cached, computed, errs := make([]int, r.K), make([]int, r.K), make([]error, r.K)
	var wg sync.WaitGroup
	for i := range r.K {
		wg.Go(func() {
			answer, err := n.post(ctx, n.body(&r, r.Seeds[i]))
			if err == nil {
				out.Samples[i], cached[i], computed[i], err = n.read(answer, len(r.Prefix))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i := range r.K {
		if errs[i] != nil {
			return out, errs[i]
		}
		out.CachedTokens += cached[i]
		out.ComputedTokens += computed[i]
	}
	return out, nil
}

func (n *naive) post(ctx context.Context, body map[string]any) ([]byte, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+n.path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	w, err := connections.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(w.Body, 16<<20))
	if err == nil && w.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s%s: %s: %.200s", n.url, n.path, w.Status, answer)
	}
	return answer, err
}

// naiveLlama asks llama-server.
func naiveLlama(url string) *naive {
	return &naive{url: url, path: "/completion",
		body: func(r *sparkd.SampleRequest, seed uint64) map[string]any {
			return map[string]any{"prompt": r.Prefix, "n_predict": r.Sampling.MaxTokens,
				"temperature": r.Sampling.Temperature, "seed": seed & (1<<31 - 1),
				"samplers": []string{"temperature"}, "return_tokens": true, "n_probs": 20, "stream": false}
		},
		read: func(answer []byte, _ int) (sparkd.Sample, int, int, error) {
			var g struct {
				Tokens  []sparkd.Token
				Timings struct {
					Cached   int `json:"cache_n"`
					Computed int `json:"prompt_n"`
				}
			}
			err := json.Unmarshal(answer, &g)
			return sparkd.Sample{Tokens: g.Tokens}, g.Timings.Cached, g.Timings.Computed, err
		}}
}

// naiveVLLM asks vLLM.
func naiveVLLM(url, model string) *naive {
	return &naive{url: url, path: "/v1/completions",
		body: func(r *sparkd.SampleRequest, seed uint64) map[string]any {
			return map[string]any{"model": model, "prompt": r.Prefix, "max_tokens": r.Sampling.MaxTokens,
				"temperature": r.Sampling.Temperature, "seed": seed >> 2,
				"top_p": 1, "top_k": -1, "ignore_eos": true, "logprobs": 20,
				"return_token_ids": true, "return_tokens_as_token_ids": true}
		},
		read: func(answer []byte, prompt int) (sparkd.Sample, int, int, error) {
			var c struct {
				Choices []struct {
					IDs []sparkd.Token `json:"token_ids"`
				}
				Usage struct {
					Details struct {
						Cached *int `json:"cached_tokens"`
					} `json:"prompt_tokens_details"`
				}
			}
			if err := json.Unmarshal(answer, &c); err != nil {
				return sparkd.Sample{}, 0, 0, err
			}
			if len(c.Choices) != 1 || c.Usage.Details.Cached == nil {
				return sparkd.Sample{}, 0, 0, fmt.Errorf("vLLM reports no cached counts: " +
					"start it with --enable-prompt-tokens-details")
			}
			cached := *c.Usage.Details.Cached
			return sparkd.Sample{Tokens: c.Choices[0].IDs}, cached, prompt - cached, nil
		}}
}
