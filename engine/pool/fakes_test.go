package pool

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"sparkd"
	"sparkd/internal/settings"
	"sparkd/prefixcache"
)

// server is a fake replica that injects faults and records what it was asked.
type server struct {
	name    string
	version string
	hash    string
	// fault runs before every sample and may fail or wait; probe before every Probe.
	fault  func(ctx context.Context, r sparkd.SampleRequest) error
	probe  func() error
	reload func(sparkd.Weights) (string, error)
	takes  time.Duration // of one sample
	empty  bool          // says that nothing was cached

	mu      sync.Mutex
	held    *prefixcache.Holders // what it has computed, as the engines of servers remember it
	asked   []sparkd.SampleRequest
	running int
	most    int // most requests at once
	closed  bool
}

func newServer(name string) *server {
	return &server{name: name, version: "v1", hash: "h", held: prefixcache.NewHolders(1 << 20)}
}

func (s *server) target() Target {
	return Target{Name: s.name, Connect: func(context.Context) (Member, error) {
		if err := s.Probe(context.Background()); err != nil {
			return nil, err
		}
		return s, nil
	}}
}

func (s *server) Describe() sparkd.EngineInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sparkd.EngineInfo{Name: s.name, Model: "m", PolicyVersion: s.version, Vocabulary: 1000,
		ContextLength: 4096, TokenizerHash: s.hash,
		Capabilities: sparkd.Capabilities{TokenExact: true, Logprobs: "raw", Entropy: "top_k", NativeK: true,
			CachedCounts: true, Abort: true, Reload: true, TopK: 20}}
}

func (s *server) Tokenize(_ context.Context, text string, _ bool) ([]sparkd.Token, error) {
	if err := s.Probe(context.Background()); err != nil {
		return nil, err
	}
	out := make([]sparkd.Token, len(text))
	for i := range text {
		out[i] = sparkd.Token(text[i])
	}
	return out, nil
}

func (s *server) Detokenize(_ context.Context, ids []sparkd.Token) (string, error) {
	return fmt.Sprint(ids), nil
}

func (s *server) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	s.running++
	s.most = max(s.most, s.running)
	version, fault, takes, empty := s.version, s.fault, s.takes, s.empty
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
	}()
	if fault != nil {
		if err := fault(ctx, r); err != nil {
			return sparkd.SampleResult{}, err
		}
	}
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return sparkd.SampleResult{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	res := sparkd.SampleResult{PromptTokens: len(r.Prefix), Engine: s.name, PolicyVersion: version,
		CachedTokens: len(r.Prefix) - 1, ComputedTokens: 1,
		ExpectedTokens: min(s.held.Held("", r.Prefix), len(r.Prefix)-1)}
	if empty {
		res.CachedTokens, res.ComputedTokens = 0, len(r.Prefix)
	}
	s.held.Compare("", res.ExpectedTokens, res.CachedTokens)
	for _, seed := range r.Seeds {
		tokens := []sparkd.Token{sparkd.Token(seed % 1000), 1, 2, 3}
		s.held.Add("", append(r.Prefix[:len(r.Prefix):len(r.Prefix)], tokens[:3]...))
		res.Samples = append(res.Samples,
			sparkd.Sample{Tokens: tokens, Logprobs: make([]float32, 4), Finish: sparkd.FinishStop})
	}
	return res, nil
}

func (s *server) Probe(context.Context) error {
	s.mu.Lock()
	probe := s.probe
	s.mu.Unlock()
	if probe != nil {
		return probe()
	}
	return nil
}

// change changes how the server behaves while it is in use.
func (s *server) change(f func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *server) Reload(_ context.Context, w sparkd.Weights) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running > 0 {
		return "", sparkd.Errorf(sparkd.CodeInternal, "%s was moved while %d requests ran", s.name, s.running)
	}
	if s.reload != nil {
		version, err := s.reload(w)
		if err == nil {
			s.version = version
		}
		return version, err
	}
	s.version = w.Version
	return w.Version, nil
}

func (s *server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// open opens a pool of the servers, which ends with the test.
func open(t *testing.T, o Options, servers ...*server) *Pool {
	t.Helper()
	var targets []Target
	for _, s := range servers {
		targets = append(targets, s.target())
	}
	settings.Fill(settings.Of("engine", &o))
	p, err := Open(t.Context(), targets, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// closing closes a pool and checks that nothing was left in it.
func closing(t *testing.T, p *Pool, servers ...*server) {
	t.Helper()
	p.mu.Lock()
	for _, r := range p.replicas {
		if r.Running != 0 || r.load != 0 {
			t.Errorf("%s: %d requests, load %d at the end", r.Name, r.Running, r.load)
		}
	}
	if len(p.waiting) > 0 || len(p.entered) > 0 {
		t.Errorf("%d waiters, %d requests at the end", len(p.waiting), len(p.entered))
	}
	p.mu.Unlock()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, s := range servers {
		if !s.closed {
			t.Errorf("%s was not closed", s.name)
		}
	}
}

// prefix is n tokens that begin with the given ones.
func prefix(n int, begin ...sparkd.Token) []sparkd.Token {
	out := append([]sparkd.Token{}, begin...)
	for i := len(out); i < n; i++ {
		out = append(out, sparkd.Token(i%700+10))
	}
	return out
}

func ask(p []sparkd.Token, seeds ...uint64) sparkd.SampleRequest {
	return sparkd.SampleRequest{Prefix: p, K: len(seeds), Seeds: seeds, Sampling: sparkd.DefaultSampling()}
}

var errGone = &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "connection refused"}
