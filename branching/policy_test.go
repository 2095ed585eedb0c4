package branching

import (
	"fmt"
	"strings"
	"testing"

	"sparkd"
)

func TestNewPolicy(t *testing.T) {
	for _, name := range PolicyNames() {
		if _, err := NewPolicy(sparkd.Policy{Name: name}, 30); err != nil {
			t.Errorf("%s with its defaults is refused: %v", name, err)
		}
	}
	_, err := NewPolicy(sparkd.Policy{Name: "mcts"}, 30)
	e := sparkd.AsError(err)
	if e == nil || e.Code != sparkd.CodeInvalid || e.Field != "policy.name" {
		t.Fatalf("mcts: %v, want an invalid policy.name", err)
	}
	for _, known := range PolicyNames() {
		if !strings.Contains(e.Remedy, known) {
			t.Errorf("%q does not list %s", e.Remedy, known)
		}
	}
}

func TestWidest(t *testing.T) {
	for _, tt := range []struct {
		p    sparkd.Policy
		n    int
		want int
	}{
		{sparkd.Policy{Name: "spark"}, 8, 4},
		{sparkd.Policy{Name: "spark", Branch: new(6)}, 8, 6},
		{sparkd.Policy{Name: "spark", Branch: new(60)}, 8, 8},
		{sparkd.Policy{Name: "spark", Fallback: new(true)}, 8, 8},
		{sparkd.Policy{Name: "linear"}, 8, 8},
		{sparkd.Policy{Name: "linear", Roots: new(3)}, 8, 3},
		{sparkd.Policy{Name: "width-split"}, 16, 16},
		{sparkd.Policy{Name: "expand-random", Roots: new(3), Picks: new(4)}, 20, 12},
	} {
		if got := policy(t, tt.p, 30).Widest(tt.n); got != tt.want {
			t.Errorf("%+v in %d leaves: %d, want %d", tt.p, tt.n, got, tt.want)
		}
	}
}

func TestCheckEngine(t *testing.T) {
	full := sparkd.Capabilities{TokenExact: true, Logprobs: "raw", Entropy: "full"}
	without := func(edit func(*sparkd.Capabilities)) sparkd.Capabilities {
		c := full
		edit(&c)
		return c
	}
	bare := sparkd.Capabilities{Logprobs: "none", Entropy: "none"}
	needs := map[string][]sparkd.Capabilities{
		"entropy":          {without(func(c *sparkd.Capabilities) { c.Entropy = "none" })},
		"entropy-balanced": {without(func(c *sparkd.Capabilities) { c.Entropy = "none" })},
		"topk-entropy":     {without(func(c *sparkd.Capabilities) { c.Logprobs = "none" })},
		"token-fork": {
			without(func(c *sparkd.Capabilities) { c.Logprobs = "none" }),
			without(func(c *sparkd.Capabilities) { c.TokenExact = false }),
		},
	}
	for _, name := range PolicyNames() {
		if err := CheckEngine(name, full); err != nil {
			t.Errorf("%s on an engine that can do everything: %v", name, err)
		}
		refused := needs[name]
		if refused == nil {
			if err := CheckEngine(name, bare); err != nil {
				t.Errorf("%s on a bare engine: %v", name, err)
			}
		}
		for _, c := range refused {
			if e := sparkd.AsError(CheckEngine(name, c)); e == nil || e.Field != "policy.name" || e.Remedy == "" {
				t.Errorf("%s on %+v: %v", name, c, e)
			}
		}
	}
	if err := CheckEngine("entropy", without(func(c *sparkd.Capabilities) { c.Entropy = "top_k" })); err != nil {
		t.Error(err)
	}
}

func TestPolicyRandStreams(t *testing.T) {
	seen := map[uint64]string{}
	for seed := range uint64(50) {
		for round := range 50 {
			x := PolicyRand(seed, round).Uint64()
			if at, ok := seen[x]; ok {
				t.Fatalf("seed %d round %d draws like %s", seed, round, at)
			}
			seen[x] = fmt.Sprintf("seed %d round %d", seed, round)
		}
	}
	if PolicyRand(1, 2).Uint64() != PolicyRand(1, 2).Uint64() {
		t.Error("one round has two streams")
	}
}
