package openai

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"sparkd"
	"sparkd/internal/httpclient"
)

// Dialects are the names of the dialects.
var Dialects = []string{"vllm", "sglang", "llamacpp", "generic"}

// dialect is how one kind of server wants to be asked.
type dialect interface {
	// learn fills in what the server says of its model and of itself.
	learn(ctx context.Context, about *sparkd.EngineInfo) error
	tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error)
	detokenize(ctx context.Context, ids []sparkd.Token) (string, error)
	// generate sends one request for n continuations.
	generate(ctx context.Context, a ask) (answer, error)
	// started identifies the server's process, "" where it cannot be told.
	started(ctx context.Context) (string, error)
	// reload moves the server to other weights and returns the name of the model to ask
	// for from then on. No sample is under way.
	reload(ctx context.Context, w sparkd.Weights) (model string, err error)
}

// ask is one request for n continuations of a prefix.
type ask struct {
	prefix   []sparkd.Token
	n        int
	limit    int // most tokens of a continuation; 0 only computes the prefix
	sampling *sparkd.Sampling
	seed     uint64
	top      int  // alternatives per token
	slot     int  // of llama-server
	expected int  // how much of the prefix the server is thought to hold
	cold     bool // others can go on from the prefix once it is computed
}

// answer is what came back.
type answer struct {
	choices  []choice // n
	cached   int      // of the prefix, reused
	computed int      // prompt tokens that were run through the model, over all continuations
	counted  bool     // the server said so
}

// choice is one continuation in the terms of the server.
type choice struct {
	tokens   []sparkd.Token
	logprobs []float64   // of tokens, of the distribution that the server reports; nil if it does not
	tops     [][]float64 // logprobs of distinct tokens, best first; nil where it lists none
	text     string      // up to and including a stop string
	stopped  bool        // by a stop token or a stop string; else by a limit
}

// newDialect returns the dialect of that name.
func newDialect(name string, s *server) (dialect, error) {
	switch name {
	case "vllm":
		return &vllm{server: s, control: newControl()}, nil
	case "sglang":
		return &sglang{server: s, control: newControl()}, nil
	case "llamacpp":
		return &llamacpp{server: s}, nil
	case "generic":
		return &generic{server: s}, nil
	case "ollama":
		return nil, sparkd.Invalid("engine.dialect", "open it with package ollama", "Ollama has an API of its own")
	}
	return nil, sparkd.Invalid("engine.dialect", "one of auto, "+strings.Join(Dialects, ", "), "unknown dialect %q", name)
}

// signs are the routes by which a server is known, in the order of asking: a server may
// imitate another's routes, as llama-server does with Ollama's and OpenAI's.
var signs = []struct{ dialect, path, field string }{
	{"llamacpp", "/props", "total_slots"},
	{"sglang", "/get_model_info", "model_path"},
	{"ollama", "/api/version", "version"},
	{"vllm", "/version", "version"},
}

// Detect asks a server which dialect it speaks, and its version where it says. "ollama" is
// an answer too, though this package does not speak it; "generic" is a server that lists
// models and is none of the others.
func Detect(ctx context.Context, o httpclient.Options) (dialect, version string, err error) {
	c, err := httpclient.New(o)
	if err != nil {
		return "", "", err
	}
	defer c.Close()
	return detect(ctx, c)
}

func detect(ctx context.Context, c *httpclient.Client) (dialect, version string, err error) {
	for _, s := range signs {
		var said map[string]any
		ok, err := c.Has(ctx, s.path, &said)
		if err != nil {
			return "", "", err
		}
		if _, has := said[s.field]; ok && has {
			version, _ := said["version"].(string)
			if build, ok := said["build_info"].(string); ok {
				version = build
			}
			return s.dialect, version, nil
		}
	}
	return "generic", "", nil
}

// readable turns the refusal of an overlong prompt, which every server words in its own
// way, into context_full.
func readable(err error) error {
	var s *httpclient.Status
	if !errors.As(err, &s) || s.Code != http.StatusBadRequest && s.Code != http.StatusRequestEntityTooLarge {
		return err
	}
	text := strings.ToLower(s.Message)
	full := s.Kind == "exceed_context_size_error" || s.Param == "input_tokens"
	for _, words := range []string{"context length", "context size", "maximum allowed length", "maximum model length", "max_model_len"} {
		full = full || strings.Contains(text, words)
	}
	if !full {
		return err
	}
	return &sparkd.Error{Code: sparkd.CodeContext, Field: "prefix", Err: err, Message: "the prefix does not fit into the model's context: " + s.Message,
		Remedy: "take fewer or shorter steps, or serve the model with a longer context"}
}
