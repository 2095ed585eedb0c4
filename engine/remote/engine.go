// Package remote is what the engines that are servers share: one [Engine] that checks requests, waits, books what
// the server has computed and reads what it answers, over a [Server], which is what one kind of server does in its
// own way. Each kind has a package of its own beside this one; DESIGN.md says what they promise.
//
// # go-openai
//
// The routes that OpenAI defines (/v1/models, /v1/completions) are asked through github.com/sashabaranov/go-openai.
// It refuses prompts of ids, leaves out zeros (temperature 0 would become the server's default) and drops fields
// that it does not know (token_ids, stop_reason, max_model_len), so its HTTPDoer is wrapped: type wire sends the
// fields that matter and keeps the answer as it came. The servers' own routes (/generate of SGLang, /completion of
// llama-server, /tokenize …) are asked with package httpclient, on which both stand.
//
// # Honesty
//
// Open asks the server for what Capabilities says, with real requests: ids go around, a prompt is sent twice for
// the cached count, two continuations are asked for at once, and one token is drawn at two temperatures to see
// which distribution a logprob is of. Servers know only some of their tokens' alternatives, so Entropies are lower
// bounds there (sparkd.EntropyTopK): all tokens that were not listed count as one. Every sampling parameter is
// sent in every request, because servers have defaults.
//
// # Seeds
//
// A request has one seed, in 31 bits, which all servers take. Where k continuations go in one request it is Seeds[0],
// and the server gives its continuations different ones by a rule of its own (vLLM and llama-server count up from
// it); where each is a request, each has its own of Seeds. Open tries whether two continuations of a request are two
// draws. A server that copies its seed, that does not know of several continuations or that refuses them is asked
// for one in each request; one that returns fewer than it was asked for is asked for the others again.
package remote

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"sparkd"
	"sparkd/internal/httpclient"
)

// Options say which server, and what it does not say itself. Zero values ask for the defaults.
type Options struct {
	URL       string
	Model     string            // name of the served model; default: the first that the server lists
	APIKey    string            // bearer token
	Tokenizer string            // folder with the model's Hugging Face files, for what the server does not tell
	Context   int               // tokens; of Ollama, which loads the model when asked; default: its own
	Timeout   time.Duration     // most time of a request; default 10 minutes
	Transport http.RoundTripper // default: connections of its own
}

// Client returns the HTTP client of the server.
func (o Options) Client() (*httpclient.Client, error) {
	return httpclient.New(httpclient.Options{URL: o.URL, Token: o.APIKey, Timeout: o.Timeout, Transport: o.Transport})
}

// Server is one kind of server. Implementations are safe for concurrent use once they are described.
type Server interface {
	// Describe fills in what the server says of its model and of itself. TokenExact and NativeK are claims, the latter
	// of which Open tries; the other capabilities are found out by Open. about stays valid, and has them then.
	Describe(ctx context.Context, about *sparkd.EngineInfo) error
	// PolicyVersion names the weights that answer.
	PolicyVersion() string
	Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error)
	Detokenize(ctx context.Context, ids []sparkd.Token) (string, error)
	// Generate sends one request, outside of any sample.
	Generate(ctx context.Context, a Ask) (Answer, error)
	// Sample draws a continuation from each seed by the server's own plan. It corrects
	// a.Expected where it knows better.
	Sample(ctx context.Context, a *Ask) (Drawn, error)
	// FansOut reports whether Sample may ask for several continuations in one request.
	FansOut() bool
	// Restarted asks whether the server is there, and reports once whether it has lost its
	// cache since it was asked last.
	Restarted(ctx context.Context) (bool, error)
}

// Reloader is a Server that exchanges weights.
type Reloader interface {
	// Reload prepares other weights while samples run, and returns what moves the server
	// to them when none does. After an error the old weights serve on.
	Reload(ctx context.Context, w sparkd.Weights) (exchange func(context.Context) error, err error)
}

// Engine is one server. It implements sparkd.Engine and sparkd.Reloader.
type Engine struct {
	about    sparkd.EngineInfo // but for the policy version
	server   Server
	http     *httpclient.Client
	resident *resident
	most     atomic.Int64 // continuations that a request may have
	anew     atomic.Bool  // the server was started anew, and not recognised since

	// weights is held once by every sample and wholly by a reload, so that no sample has tokens of two policies.
	weights *semaphore.Weighted
	life    context.Context // ends with Close
	close   context.CancelCauseFunc
}

var _ sparkd.Reloader = (*Engine)(nil)

// allWeights is more than there are samples at once.
const allWeights = 1 << 30

// errClosed is what requests end with when the engine closes.
var errClosed = &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "the engine is closed"}

// Open finds out what a server is and can do, and makes sure that it can sample. The first requests are made of
// the text probe. Its errors have the code invalid, unavailable or engine.
func Open(ctx context.Context, c *httpclient.Client, s Server, probe string) (*Engine, error) {
	e := &Engine{server: s, http: c, weights: semaphore.NewWeighted(allWeights)}
	e.life, e.close = context.WithCancelCause(context.Background())
	if err := e.describe(ctx, probe); err != nil {
		_ = e.Close()
		return nil, contextFull(err)
	}
	return e, nil
}

// Describe implements sparkd.Engine.
func (e *Engine) Describe() sparkd.EngineInfo {
	about := e.about
	about.PolicyVersion = e.server.PolicyVersion()
	return about
}

// Tokenize implements sparkd.Engine.
func (e *Engine) Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	if text == "" {
		return nil, nil
	}
	ctx, done := e.alive(ctx)
	defer done()
	ids, err := e.server.Tokenize(ctx, text, control)
	return ids, e.ended(ctx, err)
}

// Detokenize implements sparkd.Engine.
func (e *Engine) Detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	if len(ids) == 0 {
		return "", nil
	}
	ctx, done := e.alive(ctx)
	defer done()
	text, err := e.server.Detokenize(ctx, ids)
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

// Probe asks whether the server is there and still the process that it was. A cache that was lost is an error of
// code unavailable that wraps httpclient.ErrRestarted, once: from then on the engine knows that it is empty. A server
// that came back with another model is an error of code engine until it has its own again.
func (e *Engine) Probe(ctx context.Context) error {
	ctx, done := e.alive(ctx)
	defer done()
	restarted, err := e.server.Restarted(ctx)
	if restarted {
		e.resident.forget()
		e.anew.Store(true)
	}
	if err == nil && e.anew.Load() {
		err = e.recognise(ctx)
	}
	if err != nil || !e.anew.Swap(false) {
		return e.ended(ctx, err)
	}
	return &sparkd.Error{Code: sparkd.CodeUnavailable, Err: httpclient.ErrRestarted,
		Message: fmt.Sprintf("the cache of %s is empty: it was started anew, or has unloaded the model", e.about.Name)}
}

// Lister is a Server that can say whether the model that it lists is still the same.
type Lister interface {
	Lists(ctx context.Context) error
}

// recognise makes sure that a server that was started anew has the model that the one before had.
func (e *Engine) recognise(ctx context.Context) error {
	if l, ok := e.server.(Lister); ok {
		if err := l.Lists(ctx); err != nil {
			return err
		}
	}
	hash, err := sparkd.TokenizerHash(ctx, e.server.Tokenize)
	if err == nil && hash != e.about.TokenizerHash {
		err = sparkd.NewError(sparkd.CodeEngine, "engine.served_model",
			"give it the model back that it had, or start sparkd anew",
			"%s was started anew with another model: it tokenises differently", e.about.Name)
	}
	return err
}

// Reload implements sparkd.Reloader. It waits for the samples under way, and others wait for it.
func (e *Engine) Reload(ctx context.Context, w sparkd.Weights) (string, error) {
	s, ok := e.server.(Reloader)
	if !ok {
		return "", sparkd.Invalid("engine.dialect",
			"use vllm, sglang or the embedded engine, or start the server anew with other weights",
			"this server cannot exchange its weights while it runs")
	}
	ctx, done := e.alive(ctx)
	defer done()
	exchange, err := s.Reload(ctx, w)
	if err != nil {
		return "", e.ended(ctx, err)
	}
	if err := e.weights.Acquire(ctx, allWeights); err != nil {
		return "", e.ended(ctx, sparkd.AsError(ctx.Err()))
	}
	defer e.weights.Release(allWeights)
	if err := exchange(ctx); err != nil {
		return "", e.ended(ctx, err)
	}
	e.resident.forget()
	return e.server.PolicyVersion(), nil
}

// CheckWeights refuses weights that a server cannot find or that cannot be told from others.
func CheckWeights(w sparkd.Weights) error {
	switch {
	case w.Path == "":
		return sparkd.Invalid("path", "name the weights in the server's file system", "no path")
	case w.Version == "":
		return sparkd.Invalid("version",
			"name the weights' version: the file is the server's, so that no hash of it can be had", "no version")
	}
	return nil
}

// Close implements sparkd.Engine.
func (e *Engine) Close() error {
	e.close(errClosed)
	e.http.Close()
	return nil
}
