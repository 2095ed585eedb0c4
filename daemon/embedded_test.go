//go:build cgo

package daemon_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sparkd"
	"sparkd/api/client"
	"sparkd/daemon"
	"sparkd/engine/embedded/gguftest"
)

// tinyModel is a configuration with a small random model in the embedded engine.
func tinyModel(t *testing.T) daemon.Config {
	t.Helper()
	dir := t.TempDir()
	c := config(t, filepath.Join(dir, "data"))
	c.Engine.Model, c.Embedded.Threads = filepath.Join(dir, "tiny.gguf"), 1
	if err := gguftest.Write(c.Engine.Model, gguftest.Tiny, 1); err != nil {
		t.Fatal(err)
	}
	return c
}

// tinySpec forks wherever it may; the model's context is full after a few steps.
func tinySpec() sparkd.Spec {
	s := spec(2)
	s.ID = "tiny"
	s.Policy = sparkd.Policy{Name: "random", Roots: new(2), Probability: new(1.0)}
	s.MaxSteps, s.Budget.Leaves, s.Sampling.MaxTokens = 3, 4, 8
	return s
}

// A real engine grows branched trees: a prefix is computed once, all tokens add up, and
// what it did can be seen.
func TestEmbeddedEngine(t *testing.T) {
	r := start(t, tinyModel(t), daemon.Parts{})
	got := r.wait(r.submit(tinySpec()).ID)
	s := got.Stats
	if got.State != sparkd.RolloutDone || s.Leaves != 8 || s.Forks != 4 || s.Failed != 0 {
		t.Fatalf("%+v", got)
	}
	if s.ComputedTokens+s.CachedTokens != s.PromptTokens || s.ComputedTokens > s.UniqueTokens {
		t.Errorf("computed %d + cached %d of %d prompt tokens, of which %d are distinct",
			s.ComputedTokens, s.CachedTokens, s.PromptTokens, s.UniqueTokens)
	}
	have := values(t, r.Gatherer())
	for name, want := range map[string]int{
		"sparkd_engine_decoded_tokens_total":         s.GeneratedTokens,
		"sparkd_engine_computed_prompt_tokens_total": s.ComputedTokens,
		"sparkd_engine_cached_prompt_tokens_total":   s.CachedTokens,
	} {
		if have[name] != float64(want) {
			t.Errorf("%s is %v, want %d", name, have[name], want)
		}
	}
	if have["sparkd_engine_forks_total"] == 0 || have["sparkd_engine_decode_batch_tokens"] == 0 {
		t.Errorf("engine metrics: %v", have)
	}
}

// A trainer sends new weights while the daemon runs: later trees carry the new version,
// and weights that cannot be loaded change nothing.
func TestNewWeights(t *testing.T) {
	c := tinyModel(t)
	r := start(t, c, daemon.Parts{})
	versions := func(id string) map[string]bool {
		s := tinySpec()
		s.ID = id
		out := map[string]bool{}
		for _, tree := range r.wait(r.submit(s).ID).Trees {
			got, err := r.Client.Tree(t.Context(), tree)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range got.Nodes[1:] {
				out[n.PolicyVersion] = true
			}
		}
		return out
	}
	before, err := r.Client.Engines(t.Context())
	if err != nil || len(before.Replicas) != 1 || before.Replicas[0].State != sparkd.ReplicaUp {
		t.Fatalf("%+v, %v", before, err)
	}
	if got := versions("before"); len(got) != 1 || !got[before.PolicyVersion] {
		t.Errorf("versions %v, the engine has %s", got, before.PolicyVersion)
	}
	_, err = r.Client.Reload(t.Context(), sparkd.Weights{Path: c.Engine.Model + ".missing"})
	if err == nil || sparkd.AsError(err).Remedy == "" {
		t.Errorf("weights that are not there: %v", err)
	}
	next := filepath.Join(t.TempDir(), "next.gguf")
	if err := gguftest.Write(next, gguftest.Tiny, 2); err != nil {
		t.Fatal(err)
	}
	after, err := r.Client.Reload(t.Context(), sparkd.Weights{Path: next, Version: "step-1"})
	if err != nil || after.PolicyVersion != "step-1" {
		t.Fatalf("%+v, %v", after, err)
	}
	if got := versions("after"); len(got) != 1 || !got["step-1"] {
		t.Errorf("versions %v after the exchange", got)
	}
	_, err = r.Client.Drain(t.Context(), "embedded", true)
	if e := sparkd.AsError(err); e == nil || e.Field != "replica" {
		t.Errorf("draining the only engine: %v", err)
	}
	s := tinySpec()
	s.ID, s.Require = "strict", []string{"token_exact", "logprobs", "entropy", "native_k", "cached_counts", "abort"}
	if got := r.wait(r.submit(s).ID); got.State != sparkd.RolloutDone {
		t.Errorf("requiring what the engine has: %+v", got)
	}
}

// A request that the engine could never serve is refused when it is made.
func TestEmbeddedEngineRefuses(t *testing.T) {
	c := tinyModel(t)
	c.Embedded.Cells = 256
	r := start(t, c, daemon.Parts{})
	s := tinySpec()
	s.Sampling.MaxTokens = 4096
	_, _, err := r.Client.Submit(t.Context(), s)
	if sparkd.CodeOf(err) != sparkd.CodeInvalid || !strings.Contains(err.Error(), "sampling.max_tokens") {
		t.Errorf("longer than the context: %v", err)
	}
	s.Sampling.MaxTokens = 200
	_, _, err = r.Client.Submit(t.Context(), s)
	e := sparkd.AsError(err)
	if e == nil || e.Code != sparkd.CodeCapacity || e.Field != "policy.roots" || e.Remedy == "" {
		t.Errorf("more than the cells: %+v", e)
	}
}

// Stopped in the middle and started again, the engine computes the prefixes anew and
// the trees grow on to their end.
func TestEmbeddedEngineGrowsOn(t *testing.T) {
	c := tinyModel(t)
	r := start(t, c, daemon.Parts{})
	s := tinySpec()
	r.submit(s)
	err := r.Client.Events(t.Context(), "", s.ID, func(e sparkd.Event) error {
		if e.Kind == sparkd.EventRound && e.Round == 2 {
			return client.ErrStop
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	got := start(t, c, daemon.Parts{}).wait(s.ID)
	if got.State != sparkd.RolloutDone || got.Stats.Leaves != 8 || got.Stats.Failed != 0 {
		t.Errorf("%+v", got)
	}
}
