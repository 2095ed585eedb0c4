// Package ollama is the engine that lives in an Ollama server, asked through Ollama's own
// client, github.com/ollama/ollama/api.
//
// # Text, not tokens
//
// Ollama takes text and returns text: no route takes or returns token ids, and none tokenises. /api/show, however,
// tells the model's whole vocabulary, so the engine rebuilds the tokenizer from that and checks at the start that
// it counts a text as the server does. A prefix is sent as the text that its ids spell, in raw mode, which means
// without a template; the server tokenises that text anew and may merge what stood on both sides of a border
// between spans. Ids of a continuation are found by the pieces of text that the server returns one by one. All of
// this is reconstruction, and every span says so: Capabilities.TokenExact is false. A prefix whose text would mean
// something else to the server (an environment that spells out a control token, half a character) is refused.
//
// The token that ends a turn has no text and gets no logprob from Ollama. It is not part of a sample, except of
// one that has nothing else, which then has no logprobs. Where a character is made of several tokens, the server
// returns a logprob for the last of them only; such a sample has none at all.
//
// # Stop strings
//
// Ollama cuts a stop string off the answer and does not tell which one it was, so the engine searches for stop
// strings itself and hangs up where it finds one: a sample has the tokens and logprobs of its stop string.
//
// # One prefix, k continuations
//
// Ollama has no request for several continuations, and computes the same prefix again for each of several
// concurrent ones. The continuations of a request therefore go one after the other, with nothing in between: each
// finds the prefix in the runner's cache, where the one before left it. OLLAMA_NUM_PARALLEL=1 is the server's
// default and the best. Each continuation draws from its own seed, folded to 31 bits.
//
// # Reuse
//
// Cached counts are those of prompt_eval_cached_count, which Ollama has since 0.33. From a
// server that does not report it nothing is guessed: Capabilities.CachedCounts is false.
package ollama

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/ollama/ollama/api"
	"golang.org/x/sync/semaphore"

	"sparkd"
	"sparkd/engine/remote"
	"sparkd/internal/httpclient"
)

// Open connects to a server.
func Open(ctx context.Context, o remote.Options) (*remote.Engine, error) {
	c, err := o.Client()
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(c.Name())
	if err != nil {
		return nil, sparkd.Invalid("engine.replicas", "write the address of the server", "cannot use %q", o.URL)
	}
	s := &server{options: o, http: c, turn: semaphore.NewWeighted(1),
		api: api.NewClient(base, &http.Client{Transport: c})}
	return remote.Open(ctx, c, s, probeText)
}

// server implements remote.Server and remote.Reloader.
type server struct {
	options remote.Options
	about   *sparkd.EngineInfo
	http    *httpclient.Client
	api     *api.Client
	words   *vocabulary

	serving atomic.Pointer[serving] // what answers: a reload exchanges it
	loaded  atomic.Bool             // the runner was there when last seen
	turn    *semaphore.Weighted     // of the one sample that is under way
}

// serving is a model of the server.
type serving struct {
	model   string // name to ask for
	digest  string
	version string
	own     bool // created by a reload
}

func (s *server) PolicyVersion() string { return s.serving.Load().version }

func (s *server) Tokenize(_ context.Context, text string, control bool) ([]sparkd.Token, error) {
	return s.words.encode(text, control)
}

func (s *server) Detokenize(_ context.Context, ids []sparkd.Token) (string, error) {
	return s.words.decode(ids)
}

// Sample implements remote.Server: one continuation after the other, and one sample after
// the other. A request that ends at a stop string never gets to its counts; where one may, a
// request for a single token brings the prefix into the cache and reports them.
func (s *server) Sample(ctx context.Context, a *remote.Ask) (remote.Drawn, error) {
	if len(a.Sampling.StopTokenIDs) > 0 {
		return remote.Drawn{}, sparkd.Invalid("sampling.stop_token_ids",
			"use sampling.stop, or an engine that returns token ids", "Ollama knows no token ids")
	}
	if err := s.turn.Acquire(ctx, 1); err != nil {
		return remote.Drawn{}, sparkd.AsError(ctx.Err())
	}
	defer s.turn.Release(1)
	p := remote.Plan{Warm: s.about.Capabilities.CachedCounts && len(a.Sampling.Stop) > 0, Each: 1}
	return p.Run(ctx, *a, s.Generate)
}

// FansOut implements remote.Server.
func (s *server) FansOut() bool { return false }

// Restarted implements remote.Server: a runner that is gone took its cache along. A model
// that was created anew under its name is an error of code engine.
func (s *server) Restarted(ctx context.Context) (bool, error) {
	running, err := s.running(ctx)
	if err != nil {
		return false, err
	}
	if now := s.serving.Load(); running != nil && running.Digest != now.digest {
		return false, &sparkd.Error{Code: sparkd.CodeEngine, Field: "engine.served_model",
			Message: s.http.Name() + " serves other weights as " + now.model + " than it did",
			Remedy:  "start sparkd anew, or give new weights another name"}
	}
	return running == nil && s.loaded.CompareAndSwap(true, false), nil
}

// running returns how the server runs the model, or nil where it does not.
func (s *server) running(ctx context.Context) (*api.ProcessModelResponse, error) {
	list, err := s.api.ListRunning(ctx)
	if err != nil {
		return nil, s.typed("/api/ps", err)
	}
	model := s.serving.Load().model
	for i := range list.Models {
		if list.Models[i].Model == model {
			return &list.Models[i], nil
		}
	}
	return nil, nil
}

// find returns a model of the server's list, the first one for "".
func (s *server) find(ctx context.Context, name string) (*serving, error) {
	list, err := s.api.List(ctx)
	if err != nil {
		return nil, s.typed("/api/tags", err)
	}
	var names []string
	for _, m := range list.Models {
		if name == "" || m.Model == name || m.Model == name+":latest" {
			return &serving{model: m.Model, digest: m.Digest, version: m.Digest[:min(12, len(m.Digest))]}, nil
		}
		names = append(names, m.Model)
	}
	if name == "" {
		return nil, sparkd.Errorf(sparkd.CodeEngine, "%s has no model", s.http.Name())
	}
	return nil, sparkd.Invalid("engine.served_model", "one of "+strings.Join(names, ", "),
		"%s has no model %q", s.http.Name(), name)
}

// show asks for all that the server knows of a model.
func (s *server) show(ctx context.Context, model string) (*api.ShowResponse, error) {
	shown, err := s.api.Show(ctx, &api.ShowRequest{Model: model, Verbose: true})
	if err != nil {
		return nil, s.typed("/api/show", err)
	}
	return shown, nil
}

// typed returns an error of Ollama's client with its type: what came from below has one, anything else is an
// answer that the client cannot read or an error that the server wrote into it.
func (s *server) typed(path string, err error) error {
	var known *sparkd.Error
	if errors.As(err, &known) {
		return known
	}
	return &sparkd.Error{Code: sparkd.CodeEngine, Err: err,
		Message: s.http.Base(path) + " answers: " + httpclient.Excerpt([]byte(err.Error())),
		Remedy:  "check that the address is an Ollama server's, and the server's log"}
}
