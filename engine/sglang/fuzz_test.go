package sglang

import (
	"encoding/json"
	"testing"

	"sparkd"
	"sparkd/engine/remote"
)

// FuzzAnswers reads whatever a server may answer: it is refused or well-formed.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"text":"a","output_ids":[1],"meta_info":{` +
		`"finish_reason":{"type":"length","length":1},"cached_tokens":0,` +
		`"output_token_logprobs":[[-1,1,null]],"output_top_logprobs":[[[-1,1,null],null]]}}`))
	f.Add([]byte(`{"output_ids":[1],"meta_info":{"output_token_logprobs":[[1e999,1]]}}`))
	about := sparkd.EngineInfo{Vocabulary: 10}
	about.Capabilities = sparkd.Capabilities{Logprobs: sparkd.LogprobsRaw, TokenExact: true}
	sampling := &sparkd.Sampling{Temperature: 1, MaxTokens: 4}
	a := remote.Ask{Prefix: []sparkd.Token{1}, Seeds: []uint64{0}, Limit: 4, Top: 2, Sampling: sampling}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p produced
		if json.Unmarshal(data, &p) != nil {
			return
		}
		if read, err := p.read(&a); err == nil {
			readable(t, data, &read, &about, sampling)
		}
	})
}

func readable(t *testing.T, data []byte, c *remote.Choice, about *sparkd.EngineInfo, p *sparkd.Sampling) {
	s, err := c.Sample(about, p)
	if err != nil {
		return
	}
	span := sparkd.Span{Source: sparkd.SourceModel, Tokens: s.Tokens, Logprobs: s.Logprobs,
		SampledLogprobs: s.SampledLogprobs, Entropies: s.Entropies}
	if err := span.Validate(); err != nil || len(s.Tokens) == 0 {
		t.Fatalf("%s is read as %+v: %v", data, s, err)
	}
}
