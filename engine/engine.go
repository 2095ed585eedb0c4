// Package engine opens the engines that live in other processes: it finds out what each
// server is and puts all of them behind one pool.
package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"sparkd"
	"sparkd/engine/ollama"
	"sparkd/engine/openai"
	"sparkd/engine/pool"
	"sparkd/internal/httpclient"
)

// Options say which servers hold the model. Zero values ask for the defaults.
type Options struct {
	Replicas  []string      // addresses
	Dialect   string        // one of Dialects; "" is "auto"
	Model     string        // name of the served model; default: the first that a server lists
	APIKey    string        // bearer token
	Tokenizer string        // folder of Hugging Face files, for servers that do not tell the chat template
	Inflight  int           // requests under way on one replica
	Timeout   time.Duration // of one request
}

// Dialects lists what a server can be asked to be.
func Dialects() []string { return append([]string{"auto", "ollama"}, openai.Dialects...) }

// Open connects to the replicas.
func Open(ctx context.Context, o Options) (*pool.Pool, error) {
	if o.Dialect == "" {
		o.Dialect = "auto"
	}
	if !slices.Contains(Dialects(), o.Dialect) {
		return nil, sparkd.Invalid("engine.dialect", "one of "+strings.Join(Dialects(), ", "), "unknown dialect %q", o.Dialect)
	}
	targets := make([]pool.Target, len(o.Replicas))
	for i, address := range o.Replicas {
		address = strings.TrimSuffix(strings.TrimRight(address, "/"), "/v1") // which OpenAI's clients want
		targets[i] = pool.Target{Name: address, Connect: func(ctx context.Context) (pool.Member, error) {
			return connect(ctx, address, o)
		}}
	}
	return pool.Open(ctx, targets, pool.Options{Inflight: o.Inflight, Timeout: o.Timeout})
}

// connect finds out what a server is, unless it is told, and opens its engine.
func connect(ctx context.Context, address string, o Options) (pool.Member, error) {
	dialect := o.Dialect
	if dialect == "auto" {
		var err error
		if dialect, _, err = openai.Detect(ctx, httpclient.Options{URL: address, Token: o.APIKey}); err != nil {
			return nil, err
		}
	}
	if dialect != "ollama" {
		return opened(openai.Open(ctx, openai.Options{URL: address, Dialect: dialect, Model: o.Model, APIKey: o.APIKey, Tokenizer: o.Tokenizer, Timeout: o.Timeout}))
	}
	return opened(ollama.Open(ctx, ollama.Options{URL: address, Model: o.Model, APIKey: o.APIKey, Tokenizer: o.Tokenizer, Timeout: o.Timeout}))
}

// opened keeps a nil pointer from becoming a Member that is not nil.
func opened[T pool.Member](e T, err error) (pool.Member, error) {
	if err != nil {
		return nil, err
	}
	return e, nil
}
