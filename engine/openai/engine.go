// Package openai is the engine that lives in a server with an OpenAI-like API: vLLM,
// SGLang, llama-server, or any other. Each has a dialect, one file each, because what
// sparkd needs most (token ids in and out, logprobs by id, k continuations of one prefix
// computed once, cached counts) is where these servers differ.
//
// # go-openai
//
// The routes that OpenAI defines (/v1/models, /v1/completions; dialects vllm and generic)
// are asked through github.com/sashabaranov/go-openai. It refuses prompts of ids, leaves
// out zeros (temperature 0 would become the server's default) and drops fields that it
// does not know (token_ids, stop_reason, max_model_len), so its HTTPDoer is wrapped: type
// wire writes the fields that matter into the request and keeps the answer as it came. The
// servers' own routes (/generate of SGLang, /completion of llama-server, /tokenize …) are
// asked with the client of package remote, on which both stand.
//
// # Honesty
//
// Open asks the server for what Capabilities says, with real requests: ids go around, a
// prompt is sent twice for the cached count, two continuations are asked for at once, and
// one token is drawn at two temperatures to see which distribution a logprob is of.
// Servers know only some of their tokens' alternatives, so Entropies are lower bounds
// there (Capabilities.Entropy is "top_k"): all tokens that were not listed count as one.
// Every sampling parameter is sent in every request, because servers have defaults.
//
// # Seeds
//
// A request has one seed. Where k continuations go in one request it is Seeds[0], and the
// server gives its continuations different ones by a rule of its own (vLLM and
// llama-server count up from it); where each is a request, each has its own of Seeds.
package openai

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"sparkd"
	"sparkd/internal/httpclient"
)

// Options say which server, and what it does not say itself. Zero values ask for the
// defaults.
type Options struct {
	URL         string
	Dialect     string            // one of Dialects, or "auto"
	Model       string            // name of the served model; default: the first that the server lists
	APIKey      string            // bearer token
	Tokenizer   string            // folder with the model's Hugging Face files, for servers that do not tell the chat template
	Version     string            // policy version of the weights; default: what the server says, or the model's name
	TopLogprobs int               // alternatives asked for per token, for entropy and margin; default 20, at least 2
	Timeout     time.Duration     // most time of a request; default 10 minutes
	Transport   http.RoundTripper // default: connections of its own
}

// Engine is one server. It implements sparkd.Engine and sparkd.Reloader.
type Engine struct {
	about   sparkd.EngineInfo
	server  *server
	dialect dialect
	trunks  *trunks

	// weights is held once by every sample and wholly by a reload, so that no sample has
	// tokens of two policies.
	weights *semaphore.Weighted
	life    context.Context // ends with Close
	close   context.CancelCauseFunc
}

var _ sparkd.Reloader = (*Engine)(nil)

// most of weights.
const everybody = 1 << 30

// errClosed is what requests end with when the engine closes.
var errClosed = &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "the engine is closed"}

// Open connects to a server, finds out what it is and can do, and makes sure that it can
// sample. Its errors have the code invalid, unavailable or engine.
func Open(ctx context.Context, o Options) (*Engine, error) {
	s, err := newServer(o)
	if err != nil {
		return nil, err
	}
	name, version := o.Dialect, ""
	if name == "" || name == "auto" {
		if name, version, err = detect(ctx, s.http); err != nil {
			return nil, err
		}
	}
	if err := s.choose(ctx); err != nil {
		return nil, err
	}
	e := &Engine{server: s, trunks: newTrunks(), weights: semaphore.NewWeighted(everybody)}
	e.life, e.close = context.WithCancelCause(context.Background())
	if e.dialect, err = newDialect(name, s); err != nil {
		return nil, err
	}
	e.about = sparkd.EngineInfo{Name: s.http.Name(), Model: s.model(), BOS: -1, EOS: -1, EOT: -1,
		Dialect: name, ServerVersion: version, Settings: map[string]any{}}
	if err := e.learn(ctx); err != nil {
		s.http.Close()
		return nil, err
	}
	return e, nil
}

// Dialect returns the name of the server's dialect and the server's version, "" where it
// does not say.
func (e *Engine) Dialect() (name, version string) {
	return e.about.Dialect, e.about.ServerVersion
}

// Describe implements sparkd.Engine.
func (e *Engine) Describe() sparkd.EngineInfo {
	about := e.about
	about.PolicyVersion = e.server.version()
	return about
}

// Tokenize implements sparkd.Engine.
func (e *Engine) Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	if text == "" {
		return nil, nil
	}
	ctx, done := e.alive(ctx)
	defer done()
	ids, err := e.dialect.tokenize(ctx, text, control)
	return ids, e.ended(ctx, err)
}

// Detokenize implements sparkd.Engine.
func (e *Engine) Detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	if len(ids) == 0 {
		return "", nil
	}
	ctx, done := e.alive(ctx)
	defer done()
	text, err := e.dialect.detokenize(ctx, ids)
	return text, e.ended(ctx, err)
}

// alive returns a context that also ends with the engine.
func (e *Engine) alive(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(e.life, func() { cancel(errClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// ended says of an error that Close was its cause, where it was.
func (e *Engine) ended(ctx context.Context, err error) error {
	if err != nil && context.Cause(ctx) == errClosed {
		return errClosed
	}
	return err
}

// Probe asks whether the server is there and still the process that it was. A server that
// was started anew is an error of code unavailable that wraps remote.ErrRestarted, once:
// from then on the engine knows that its cache is empty.
func (e *Engine) Probe(ctx context.Context) error {
	ctx, done := e.alive(ctx)
	defer done()
	started, err := e.dialect.started(ctx)
	if err != nil {
		return e.ended(ctx, err)
	}
	if !e.trunks.restarted(started) {
		return nil
	}
	if l, ok := e.dialect.(*llamacpp); ok {
		l.slots.forget()
	}
	return &sparkd.Error{Code: sparkd.CodeUnavailable, Err: httpclient.ErrRestarted,
		Message: fmt.Sprintf("%s was started anew; its cache is empty", e.about.Name)}
}

// Close implements sparkd.Engine.
func (e *Engine) Close() error {
	e.close(errClosed)
	e.server.http.Close()
	return nil
}

// check refuses what no server can answer.
func (e *Engine) check(r *sparkd.SampleRequest) error {
	if err := r.Sampling.Validate("sampling"); err != nil {
		return err
	}
	switch {
	case len(r.Prefix) == 0:
		return sparkd.Invalid("prefix", "give at least one token, for example BOS", "nothing to continue")
	case r.K < 1 || r.K > sparkd.MaxLeaves:
		return sparkd.Invalid("k", fmt.Sprintf("use 1 to %d", sparkd.MaxLeaves), "%d continuations", r.K)
	case len(r.Seeds) != r.K:
		return sparkd.Invalid("seeds", "give one seed per continuation", "%d seeds for %d continuations", len(r.Seeds), r.K)
	case e.about.ContextLength > 0 && len(r.Prefix) >= e.about.ContextLength:
		return &sparkd.Error{Code: sparkd.CodeContext, Field: "prefix",
			Message: fmt.Sprintf("the prefix has %d tokens and the model's context %d", len(r.Prefix), e.about.ContextLength),
			Remedy:  "take fewer or shorter steps, or a model with a longer context"}
	}
	known := e.about.Vocabulary
	if i := slices.IndexFunc(r.Prefix, func(id sparkd.Token) bool { return id < 0 || known > 0 && int(id) >= known }); i >= 0 {
		return sparkd.Invalid(fmt.Sprintf("prefix[%d]", i), "take ids of the engine's own tokenizer", "%d is no token of the model", r.Prefix[i])
	}
	return nil
}
