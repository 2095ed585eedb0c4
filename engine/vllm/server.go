// Package vllm is the engine that lives in vLLM's server: /v1/completions with ids and vLLM's
// own fields (vllm/entrypoints/openai/completion/protocol.py), /tokenize, /detokenize, and
// where they are switched on /tokenizer_info and the routes of its development mode.
package vllm

import (
	"context"
	"net/http"
	"regexp"
	"sort"
	"strconv"
	"sync"

	"sparkd"
	"sparkd/engine/remote"
)

// Open connects to a server.
func Open(ctx context.Context, o remote.Options) (*remote.Engine, error) {
	return remote.Connect(ctx, o, func(api *remote.OpenAI) remote.Server {
		return &server{Tokenizer: remote.Tokenizer{OpenAI: api}}
	})
}

// server implements remote.Server and remote.Reloader.
type server struct {
	remote.Tokenizer
	process remote.Process
	whole   sync.Map // of token ids: whether its text ends with a whole character
}

func (s *server) Describe(ctx context.Context, about *sparkd.EngineInfo) error {
	var version struct{ Version string }
	if _, err := s.HTTP.Has(ctx, "/version", &version); err != nil {
		return err
	}
	f, err := s.Files(s.Card.Root)
	if err != nil {
		return err
	}
	var info remote.TokenizerInfo // with --enable-tokenizer-info-endpoint
	if _, err := s.HTTP.Has(ctx, "/tokenizer_info", &info); err != nil {
		return err
	}
	f.Fill(info)
	s.Know(f)
	if err := s.weightVersion(ctx); err != nil {
		return err
	}
	about.Model = s.Model()
	if err := f.Describe(ctx, about, s.Tokenize, s.Added); err != nil {
		return err
	}
	if about.Vocabulary == 0 {
		if about.Vocabulary, err = s.vocabulary(ctx); err != nil {
			return err
		}
	}
	about.Dialect, about.ServerVersion, about.ContextLength = "vllm", version.Version, s.Card.MaxModelLen
	about.Capabilities.TokenExact, about.Capabilities.NativeK = true, true
	size, err := s.metric(ctx, blockSize)
	about.BlockTokens = 16
	if n, _ := strconv.Atoi(size); n > 0 {
		about.BlockTokens = n
	}
	return err
}

// weightVersion takes the server's own name of its weights, where it has one.
func (s *server) weightVersion(ctx context.Context) error {
	var weights struct {
		Version string `json:"weight_version"`
	}
	ok, err := s.HTTP.Has(ctx, "/weight_info", &weights)
	if ok && weights.Version != "default" && weights.Version != "" {
		s.Move(s.Model(), weights.Version)
	}
	return err
}

// vocabulary finds the number of ids, which vLLM does not tell, by what it refuses.
func (s *server) vocabulary(ctx context.Context) (int, error) {
	var failed error
	n := sort.Search(1<<20, func(id int) bool {
		if failed != nil {
			return true
		}
		_, err := s.Generate(ctx, remote.Ask{Prefix: []sparkd.Token{sparkd.Token(id)}, Seeds: []uint64{0}, Limit: 1,
			Sampling: &sparkd.Sampling{}})
		if sparkd.CodeOf(err) == sparkd.CodeInvalid {
			return true
		}
		failed = err
		return false
	})
	return n, failed
}

func (s *server) Detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	var out struct{ Prompt string }
	err := s.Post(ctx, "/detokenize", map[string]any{"model": s.Model(), "tokens": ids}, &out)
	return out.Prompt, err
}

// FansOut implements remote.Server.
func (s *server) FansOut() bool { return true }

func (s *server) Sample(ctx context.Context, a *remote.Ask) (remote.Drawn, error) {
	return plan(a).Run(ctx, *a, s.Generate)
}

// plan asks for the continuations of a resident prefix in one request (vLLM refuses n > 1 at temperature 0, but
// then there is one seed). vLLM gives blocks that one request is about to compute to all that come after it, even
// in the same forward, and so computes a cold prefix once; but of n continuations it says only what the last one
// found. Requests of their own say it of each.
func plan(a *remote.Ask) remote.Plan {
	if a.Resident {
		return remote.Plan{Each: len(a.Seeds)}
	}
	return remote.Plan{Each: 1, AtOnce: true}
}

// What /metrics says of vLLM's process and of its prefix cache.
var (
	startTime = regexp.MustCompile(`(?m)^process_start_time_seconds (\S+)`)
	blockSize = regexp.MustCompile(`(?m)^vllm:cache_config_info\{.*[{,]block_size="(\d{1,6})"`)
)

// Restarted implements remote.Server, by the time at which vLLM's process was started. The new process has the
// weights again that it was started with.
func (s *server) Restarted(ctx context.Context) (bool, error) {
	started, err := s.metric(ctx, startTime)
	if err != nil || !s.process.Changed(started) {
		return false, err
	}
	s.Move(s.Card.ID, s.Card.ID)
	return true, s.weightVersion(ctx)
}

// metric returns what an expression finds in /metrics, or "".
func (s *server) metric(ctx context.Context, find *regexp.Regexp) (string, error) {
	body, err := s.HTTP.Bytes(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return "", err
	}
	if m := find.FindSubmatch(body); m != nil {
		return string(m[1]), nil
	}
	return "", nil
}
