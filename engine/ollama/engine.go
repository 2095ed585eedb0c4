// Package ollama is the engine that lives in an Ollama server, asked through Ollama's own
// client, github.com/ollama/ollama/api.
//
// # Text, not tokens
//
// Ollama takes text and returns text: no route takes or returns token ids, and none
// tokenises. /api/show, however, tells the model's whole vocabulary, so the engine rebuilds
// the tokenizer from that and checks at the start that it counts a text as the server does. A prefix is sent as the text that its ids spell, in raw mode,
// which means without a template; the server tokenises that text anew and may merge what
// stood on both sides of a border between spans. Ids of a continuation are found by the
// pieces of text that the server returns one by one. All of this is reconstruction, and
// every span says so: Capabilities.TokenExact is false. A prefix whose text would mean
// something else to the server (an environment that spells out a control token, half a
// character) is refused.
//
// The token that ends a turn has no text and gets no logprob from Ollama. It is not part of
// a sample, except of one that has nothing else, which then has no logprobs. Where a
// character is made of several tokens, the server returns a logprob for the last of them
// only; such a sample has none at all.
//
// # Stop strings
//
// Ollama cuts a stop string off the answer and does not tell which one it was, so the
// engine looks for stop strings itself and hangs up where it finds one: a sample has the
// tokens and logprobs of its stop string.
//
// # One prefix, k continuations
//
// Ollama has no request for several continuations, and computes the same prefix again for
// each of several concurrent ones. The continuations of a request therefore go one after
// the other, with nothing in between: each finds the prefix in the runner's cache, where
// the one before left it. OLLAMA_NUM_PARALLEL=1 is the server's default and the best.
// Each continuation draws from its own seed, folded to 31 bits.
//
// # Reuse
//
// Cached counts are those of prompt_eval_cached_count, which Ollama has since 0.33. From a
// server that does not report it nothing is guessed: Capabilities.CachedCounts is false.
package ollama

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/ollama/ollama/api"
	"golang.org/x/sync/semaphore"

	"sparkd"
	"sparkd/internal/httpclient"
)

// Options say which server, and what it does not say itself. Zero values ask for the
// defaults.
type Options struct {
	URL         string
	Model       string            // name of the model; default: the first that the server lists
	APIKey      string            // bearer token, for a proxy in front of the server
	Tokenizer   string            // folder with the model's Hugging Face files, for the chat template, where Ollama does not show the GGUF's
	Context     int               // num_ctx; default: the server's own
	Parallel    int               // OLLAMA_NUM_PARALLEL of the server; default 1
	TopLogprobs int               // alternatives asked for per token, for entropy and margin; default and most 20, -1 asks for no logprobs at all
	Timeout     time.Duration     // most time of a request; default 10 minutes
	Transport   http.RoundTripper // default: connections of its own
}

// Engine is one Ollama server. It implements sparkd.Engine and sparkd.Reloader.
type Engine struct {
	Options
	about sparkd.EngineInfo // without what serving says
	http  *httpclient.Client
	api   *api.Client
	words *vocabulary

	// places has Parallel of them: a sample holds one, a reload all.
	places *semaphore.Weighted
	life   context.Context // ends with Close
	close  context.CancelCauseFunc

	mu      sync.Mutex // guards below
	serving serving
	loaded  bool // the runner was there when last seen
}

// serving is what answers: a reload exchanges it.
type serving struct {
	model  string // name to ask for
	digest string
	policy string // version
	own    bool   // created by a reload
}

var _ sparkd.Reloader = (*Engine)(nil)

// errClosed is what requests end with when the engine closes.
var errClosed = &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "the engine is closed"}

// Open connects to a server, rebuilds its model's tokenizer, and finds out by requests what
// it can do. Its errors have the code invalid, unavailable or engine.
func Open(ctx context.Context, o Options) (*Engine, error) {
	const most = 20 // that Ollama returns
	if o.TopLogprobs == 0 {
		o.TopLogprobs = most
	}
	o.TopLogprobs = max(0, min(o.TopLogprobs, most))
	o.Parallel = max(o.Parallel, 1)
	c, err := httpclient.New(httpclient.Options{URL: o.URL, Token: o.APIKey, Timeout: o.Timeout, Transport: o.Transport})
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(c.Name())
	if err != nil {
		return nil, sparkd.Invalid("engine.replicas", "write the address of the server", "cannot use %q", o.URL)
	}
	e := &Engine{Options: o, http: c, api: api.NewClient(base, &http.Client{Transport: wire{c}}), places: semaphore.NewWeighted(int64(o.Parallel))}
	e.life, e.close = context.WithCancelCause(context.Background())
	if err := e.learn(ctx); err != nil {
		_ = e.Close()
		return nil, err
	}
	return e, nil
}

// Describe implements sparkd.Engine.
func (e *Engine) Describe() sparkd.EngineInfo {
	about := e.about
	about.PolicyVersion = e.serves().policy
	return about
}

func (e *Engine) serves() serving {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.serving
}

// Tokenize implements sparkd.Engine.
func (e *Engine) Tokenize(_ context.Context, text string, control bool) ([]sparkd.Token, error) {
	return e.words.encode(text, control)
}

// Detokenize implements sparkd.Engine.
func (e *Engine) Detokenize(_ context.Context, ids []sparkd.Token) (string, error) {
	return e.words.decode(ids)
}

// Probe asks whether the server is there and holds the model. A runner that is gone took
// its cache along; that is an error of code unavailable that wraps remote.ErrRestarted,
// once. A model that was created anew under its name is an error of code engine.
func (e *Engine) Probe(ctx context.Context) error {
	ctx, done := e.alive(ctx)
	defer done()
	running, err := e.running(ctx)
	if err != nil {
		return e.ended(ctx, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if running != nil && running.Digest != e.serving.digest {
		return &sparkd.Error{Code: sparkd.CodeEngine, Field: "engine.served_model", Remedy: "start sparkd anew, or give new weights another name",
			Message: fmt.Sprintf("%s serves other weights as %q than it did", e.about.Name, e.serving.model)}
	}
	if running == nil && e.loaded {
		e.loaded = false
		return &sparkd.Error{Code: sparkd.CodeUnavailable, Err: httpclient.ErrRestarted,
			Message: fmt.Sprintf("%s has unloaded the model; its cache is empty", e.about.Name)}
	}
	return nil
}

// running returns how the server runs the model, or nil where it does not.
func (e *Engine) running(ctx context.Context) (*api.ProcessModelResponse, error) {
	list, err := e.api.ListRunning(ctx)
	if err != nil {
		return nil, e.typed("/api/ps", err)
	}
	model := e.serves().model
	for i := range list.Models {
		if list.Models[i].Model == model {
			return &list.Models[i], nil
		}
	}
	return nil, nil
}

// Close implements sparkd.Engine.
func (e *Engine) Close() error {
	e.close(errClosed)
	e.http.Close()
	return nil
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
