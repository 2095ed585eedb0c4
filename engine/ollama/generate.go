package ollama

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/ollama/ollama/api"

	"sparkd"
	"sparkd/engine/remote"
)

// keepAlive is how long the runner and its cache outlive a request.
const keepAlive = 30 * time.Minute

// continuation is what is asked for: one of one prompt.
type continuation struct {
	prompt   string
	sampling *sparkd.Sampling
	limit    int // tokens
	seed     uint64
	top      int // alternatives per token; 0 asks for no logprobs
}

// answer is what came of it.
type answer struct {
	remote.Choice
	found bool // a stop string, so that the server's counts did not arrive

	prompt, cached int
	counted        bool // the server reports cached
}

// errFound ends a request whose text has reached a stop string.
var errFound = errors.New("stop string")

// Generate implements remote.Server for one seed. A server that does not count what it
// reused is taken to have computed everything.
func (s *server) Generate(ctx context.Context, a remote.Ask) (remote.Answer, error) {
	prompt, err := s.words.prompt(a.Prefix)
	if err != nil {
		return remote.Answer{}, err
	}
	c := continuation{prompt: prompt, sampling: a.Sampling, limit: a.Limit, seed: a.Seeds[0], top: a.Top}
	if a.Limit == 0 {
		c.sampling, c.limit = &sparkd.Sampling{}, 1
	}
	got, err := s.generate(ctx, s.serving.Load().model, c)
	if err != nil {
		return remote.Answer{}, err
	}
	out := remote.Answer{Choices: []remote.Choice{got.Choice}, Counted: got.counted}
	switch {
	case got.counted:
		out.Cached, out.Computed = min(got.cached, len(a.Prefix)), got.prompt-got.cached
	case !got.found || !s.about.Capabilities.CachedCounts: // else the request before it has counted
		out.Computed = len(a.Prefix)
	}
	return out, nil
}

// generate asks for one continuation and reads it as it comes.
func (s *server) generate(ctx context.Context, model string, c continuation) (answer, error) {
	const path = "/api/generate"
	in, r := &stream{}, &reader{words: s.words, asked: c, model: model}
	err := s.api.Generate(in.in(ctx), s.request(model, c), r.add)
	switch {
	case errors.Is(err, errFound):
		r.found, r.Stopped = true, true
	case in.err != nil:
		return answer{}, s.typed(path, in.err)
	case err != nil:
		return answer{}, s.typed(path, err)
	case !r.done:
		return answer{}, s.typed(path, errors.New("a continuation without an end"))
	default:
		r.count(in.last())
	}
	s.loaded.Store(true)
	return r.whole(s.words.eot)
}

// request leaves nothing to the server's or the model's defaults.
func (s *server) request(model string, c continuation) *api.GenerateRequest {
	no, yes, p := false, true, c.sampling
	topP := p.TopP
	if topP == 0 {
		topP = 1
	}
	options := map[string]any{
		"temperature": p.Temperature, "top_k": p.TopK, "top_p": topP, "min_p": p.MinP, "seed": fold(c.seed),
		"repeat_penalty": 1, "repeat_last_n": 0, "presence_penalty": 0, "frequency_penalty": 0,
		"num_predict": c.limit, "num_keep": 0, "stop": []string{},
	}
	if n := cmp.Or(s.about.ContextLength, s.options.Context); n > 0 {
		options["num_ctx"] = n
	}
	return &api.GenerateRequest{
		Model: model, Prompt: c.prompt, Raw: true, Stream: &yes, Truncate: &no, Shift: &no,
		Think: &api.ThinkValue{Value: false}, KeepAlive: &api.Duration{Duration: keepAlive},
		Options: options, Logprobs: c.top > 0, TopLogprobs: c.top,
	}
}

// fold makes of a seed one of 31 bits, which every version of Ollama takes (Fibonacci
// hashing; Knuth, The Art of Computer Programming 3, section 6.4).
func fold(seed uint64) int64 { return int64(seed * 0x9E3779B97F4A7C15 >> 33) }
