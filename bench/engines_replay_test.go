package bench_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"sparkd"
	"sparkd/prefixcache"
)

// ideal is a source with a perfect prefix cache, which samples arbitrary ids.
type ideal struct {
	mu   sync.Mutex
	held prefixcache.Index[struct{}]
	next sparkd.Token
}

func (s *ideal) hold(tokens []sparkd.Token) { s.held.Insert(tokens, make([]struct{}, len(tokens))) }

func (s *ideal) Sample(_ context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cached := min(len(s.held.Match(r.Prefix)), len(r.Prefix)-1)
	out := sparkd.SampleResult{PromptTokens: len(r.Prefix), CachedTokens: cached,
		ComputedTokens: len(r.Prefix) - cached}
	s.hold(r.Prefix)
	for range r.K {
		var sample sparkd.Sample
		for range r.Sampling.MaxTokens {
			s.next++
			sample.Tokens = append(sample.Tokens, s.next)
		}
		out.Samples = append(out.Samples, sample)
		s.hold(slices.Concat(r.Prefix, sample.Tokens[:len(sample.Tokens)-1]))
	}
	return out, nil
}

// TestReplay makes sure that what is measured of engines is right of one that is perfect.
func TestReplay(t *testing.T) {
	work := openRecording(t)
	expansions, generated := 0, 0
	for _, tree := range work.Trees {
		grew, longest := map[int]bool{}, map[int]int{}
		for _, n := range tree.Nodes[1:] {
			grew[n.Parent] = true
			longest[n.Parent] = max(longest[n.Parent], n.Generated)
		}
		for _, n := range tree.Nodes[1:] {
			generated += longest[n.Parent]
		}
		expansions += len(grew)
	}
	if len(work.Trees) != 4 || expansions < 40 {
		t.Fatalf("the recording has %d trees and %d expansions", len(work.Trees), expansions)
	}
	p := &replay{source: &ideal{next: 1 << 20}, block: 1}
	c, err := p.run(t.Context(), work)
	if err != nil {
		t.Fatal(err)
	}
	if c.generated != generated || c.computed != c.unique || c.cached+c.computed != c.prompt {
		t.Errorf("%+v: want %d generated, as many computed as unique, and cached + computed = prompt", c, generated)
	}
}
