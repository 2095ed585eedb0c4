package openai

import (
	"encoding/json"
	"testing"

	"sparkd"
)

// FuzzAnswers reads whatever a server may answer: it is refused or well-formed.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"text":"a","finish_reason":"stop","stop_reason":"b","token_ids":[1],"logprobs":{"token_logprobs":[-1],"top_logprobs":[{"token_id:1":-1,"token_id:2":-2}]}}]}`))
	f.Add([]byte(`{"text":"a","output_ids":[1],"meta_info":{"finish_reason":{"type":"length","length":1},"cached_tokens":0,"output_token_logprobs":[[-1,1,null]],"output_top_logprobs":[[[-1,1,null],null]]}}`))
	f.Add([]byte(`{"output_ids":[1],"meta_info":{"output_token_logprobs":[[1e999,1]]}}`))
	e := &Engine{about: sparkd.EngineInfo{Vocabulary: 10, Capabilities: sparkd.Capabilities{Logprobs: "raw", TokenExact: true}}}
	a := ask{prefix: []sparkd.Token{1}, n: 1, limit: 4, top: 2, sampling: &sparkd.Sampling{Temperature: 1, MaxTokens: 4}}
	f.Fuzz(func(t *testing.T, data []byte) {
		var choices []choice
		var c completion
		if json.Unmarshal(data, &c) == nil {
			for i := range c.Choices {
				if read, err := c.Choices[i].read(&a); err == nil {
					choices = append(choices, read)
				}
			}
		}
		var p produced
		if json.Unmarshal(data, &p) == nil {
			if read, err := p.read(&a); err == nil {
				choices = append(choices, read)
			}
		}
		for i := range choices {
			s, err := e.read(&choices[i], &a)
			if err != nil {
				continue
			}
			span := sparkd.Span{Source: sparkd.SourceModel, Tokens: s.Tokens, Logprobs: s.Logprobs, SampledLogprobs: s.SampledLogprobs, Entropies: s.Entropies}
			if err := span.Validate(); err != nil || len(s.Tokens) == 0 {
				t.Fatalf("%s is read as %+v: %v", data, s, err)
			}
		}
	})
}
