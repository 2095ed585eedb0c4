package ollama

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/ollama/ollama/api"

	"sparkd"
	"sparkd/engine/remote"
)

// keepAlive is how long the runner and its cache outlive a request.
const keepAlive = 30 * time.Minute

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
	if a.Limit == 0 {
		a.Sampling, a.Limit = &sparkd.Sampling{}, 1
	}
	got, err := s.generate(ctx, s.serving.Load().model, prompt, a)
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

// generate asks for a continuation of the prompt, from the first seed of a, and reads it as it comes.
func (s *server) generate(ctx context.Context, model, prompt string, a remote.Ask) (answer, error) {
	r := &reader{words: s.words, asked: a, model: model}
	err := s.stream(ctx, s.request(model, prompt, &a), r.add)
	switch {
	case errors.Is(err, errFound):
		r.found, r.Stopped = true, true
	case err == nil && !r.done:
		err = errors.New("a continuation without an end")
		fallthrough
	case err != nil:
		return answer{}, s.typed("/api/generate", err)
	}
	s.loaded.Store(true)
	return r.whole(s.words.eot)
}

// piece is one line of the answer of /api/generate.
type piece struct {
	api.GenerateResponse
	Error    string
	Cached   *int      `json:"prompt_eval_cached_count"`
	Logprobs []logprob `json:"logprobs"`
}

// logprob is that of a token; null is none.
type logprob struct {
	Token   string
	Logprob *float64
	Tops    []logprob `json:"top_logprobs"`
}

// maxLine bounds a line of an answer, in bytes.
const maxLine = 1 << 20

// stream asks /api/generate and reads the answer piece by piece. Ollama's client forgets errors of reading and drops
// the fields that it does not know.
func (s *server) stream(ctx context.Context, request *api.GenerateRequest, add func(piece) error) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	in, err := s.http.Open(ctx, http.MethodPost, "/api/generate", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer in.Close()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var p piece
		if json.Unmarshal(lines.Bytes(), &p) != nil {
			return cmp.Or(lines.Err(), errors.New(lines.Text()))
		}
		if p.Error != "" {
			return errors.New(p.Error)
		}
		if err := add(p); err != nil {
			return err
		}
	}
	return lines.Err()
}

// request leaves nothing to the server's or the model's defaults.
func (s *server) request(model, prompt string, a *remote.Ask) *api.GenerateRequest {
	no, yes, p := false, true, a.Sampling
	options := map[string]any{
		"temperature": p.Temperature, "top_k": p.TopK, "top_p": a.TopP(), "min_p": p.MinP,
		"repeat_penalty": 1, "repeat_last_n": 0, "presence_penalty": 0, "frequency_penalty": 0,
		"num_predict": a.Limit, "num_keep": 0, "seed": fold(a.Seeds[0]), "stop": []string{},
	}
	if n := cmp.Or(s.about.ContextLength, s.options.Context); n > 0 {
		options["num_ctx"] = n
	}
	return &api.GenerateRequest{
		Model: model, Prompt: prompt, Raw: true, Stream: &yes, Truncate: &no, Shift: &no,
		Think: &api.ThinkValue{Value: false}, KeepAlive: &api.Duration{Duration: keepAlive},
		Options: options, Logprobs: a.Top > 0, TopLogprobs: a.Top,
	}
}

// fold makes of a seed one of 31 bits, which every version of Ollama takes.
func fold(seed uint64) int64 { return remote.Fold(seed) }
