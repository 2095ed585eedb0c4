// Package engine opens the engines that live in other processes: it finds out what each
// server is and puts all of them behind one pool.
package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"sparkd"
	"sparkd/engine/generic"
	"sparkd/engine/llamaserver"
	"sparkd/engine/ollama"
	"sparkd/engine/pool"
	"sparkd/engine/remote"
	"sparkd/engine/sglang"
	"sparkd/engine/vllm"
	"sparkd/internal/httpclient"
	"sparkd/internal/settings"
)

// Options say which servers hold the model: their part of the section [engine] of the configuration.
type Options struct {
	Replicas []string `toml:"replicas" default:"" separators:"," secret:"addresses"`
	Dialect  string   `toml:"dialect" default:"auto"` // one of Dialects
	Model    string   `toml:"served_model"`           // its name there; "": the first that a server lists
	// Tokenizer is a folder of Hugging Face files, for servers that do not tell the chat template.
	Tokenizer  string `toml:"tokenizer"`
	APIKeyFile string `toml:"api_key_file"` // that holds the bearer token
	TLSCA      string `toml:"tls_ca"`       // file with the certificates that are trusted beside the system's
	TLSAny     bool   `toml:"tls_skip_verify"`
	pool.Options
}

// Validate checks the dialect and the addresses.
func (o *Options) Validate(section string) (faults settings.Faults) {
	faults.OneOf(section+".dialect", o.Dialect, Dialects()...)
	for _, address := range o.Replicas {
		if _, err := (remote.Options{URL: base(address)}).Client(); err != nil {
			faults = append(faults, sparkd.AsError(err))
		}
	}
	return faults
}

// base is the address in front of the routes of a server: OpenAI's clients want the /v1.
func base(address string) string {
	address, query, asks := strings.Cut(address, "?")
	address = strings.TrimSuffix(strings.TrimRight(address, "/"), "/v1")
	if asks {
		address += "?" + query
	}
	return address
}

// dialects are the servers that are known, in the order of asking for the route and the
// field of its answer by which they are recognised: a server may imitate another's routes, as
// llama-server does with Ollama's and OpenAI's. The last one is any other.
var dialects = []struct {
	name        string
	open        func(context.Context, remote.Options) (*remote.Engine, error)
	path, field string
}{
	{"llamacpp", llamaserver.Open, "/props", "total_slots"},
	{"sglang", sglang.Open, "/get_model_info", "model_path"},
	{"ollama", ollama.Open, "/api/version", "version"},
	{"vllm", vllm.Open, "/version", "version"},
	{"generic", generic.Open, "", ""},
}

// Dialects lists what a server can be asked to be.
func Dialects() []string {
	names := []string{"auto"}
	for _, d := range dialects {
		names = append(names, d.name)
	}
	return names
}

// Open connects to the replicas.
func Open(ctx context.Context, o Options) (*pool.Pool, error) {
	if err := settings.Check("engine", &o).Err(); err != nil {
		return nil, err
	}
	key, err := settings.ReadSecret("engine.api_key_file", o.APIKeyFile)
	if err != nil {
		return nil, err
	}
	trust, err := trust(o.TLSCA, o.TLSAny)
	if err != nil {
		return nil, err
	}
	names := names(o.Replicas)
	targets := make([]pool.Target, len(o.Replicas))
	for i, address := range o.Replicas {
		server := remote.Options{
			URL: base(address), Model: o.Model, APIKey: key, Tokenizer: o.Tokenizer, Timeout: o.Timeout,
			Transport: httpclient.Transport(trust),
		}
		targets[i] = pool.Target{Name: names[i], Connect: func(ctx context.Context) (pool.Member, error) {
			e, err := Connect(ctx, o.Dialect, server)
			if err != nil {
				return nil, err
			}
			return e, nil
		}}
	}
	return pool.Open(ctx, targets, o.Options)
}

// names are what the replicas are called: their addresses without what may be secret, and a number behind those that
// are alike then.
func names(replicas []string) []string {
	out, seen := make([]string, len(replicas)), map[string]int{}
	for i, address := range replicas {
		out[i] = address
		if c, err := (remote.Options{URL: base(address)}).Client(); err == nil {
			out[i] = c.Name()
		}
		if seen[out[i]]++; seen[out[i]] > 1 {
			out[i] = fmt.Sprintf("%s#%d", out[i], seen[out[i]])
		}
	}
	return out
}

// trust is how certificates of servers are verified; nil is as the system does.
func trust(ca string, any bool) (*tls.Config, error) {
	if ca == "" && !any {
		return nil, nil
	}
	c := &tls.Config{InsecureSkipVerify: any} //nolint:gosec // it was asked for
	if ca == "" {
		return c, nil
	}
	text, err := os.ReadFile(ca)
	if c.RootCAs, _ = x509.SystemCertPool(); c.RootCAs == nil {
		c.RootCAs = x509.NewCertPool()
	}
	if err != nil || !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, sparkd.Invalid("engine.tls_ca",
			"name a file with certificates in PEM (-----BEGIN CERTIFICATE-----)",
			"no certificate can be read from %q", ca).Because(err)
	}
	return c, nil
}

// Connect opens the engine of one server, one of Dialects.
func Connect(ctx context.Context, dialect string, o remote.Options) (*remote.Engine, error) {
	if dialect == "auto" {
		var err error
		if dialect, err = detect(ctx, o); err != nil {
			return nil, err
		}
	}
	for _, d := range dialects {
		if d.name == dialect {
			return d.open(ctx, o)
		}
	}
	return nil, unknown(dialect)
}

func unknown(dialect string) error {
	return sparkd.Invalid("engine.dialect", "one of "+strings.Join(Dialects(), ", "), "unknown dialect %q", dialect)
}

// detect asks a server which dialect it speaks.
func detect(ctx context.Context, o remote.Options) (string, error) {
	c, err := o.Client()
	if err != nil {
		return "", err
	}
	defer c.Close()
	for _, d := range dialects {
		if d.path == "" {
			return d.name, nil
		}
		var answer map[string]any
		ok, err := c.Has(ctx, d.path, &answer)
		if err != nil {
			return "", err
		}
		if _, has := answer[d.field]; ok && has {
			return d.name, nil
		}
	}
	return "", unknown("auto")
}
