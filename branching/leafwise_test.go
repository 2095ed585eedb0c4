package branching

import (
	"testing"

	"sparkd"
)

// TestRandomK: k leaves fork in every round, all of them where there are no more.
func TestRandomK(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "random-k", Picks: new(4)}, 30)
	for live, want := range map[int]int{3: 3, 4: 4, 7: 4} {
		tree := leaves(make([]string, live)...)
		k, forks := total(p.Next(tree, sparkd.Budget{Leaves: 100}, PolicyRand(1, 1)))
		if forks != want || k != live+want {
			t.Errorf("%d live leaves: %d forks, want %d", live, forks, want)
		}
	}
	wins := map[int]int{}
	p = policy(t, sparkd.Policy{Name: "random-k", Picks: new(1)}, 30)
	for seed := range uint64(4000) {
		for _, x := range p.Next(leaves("", "", "", ""), sparkd.Budget{Leaves: 8}, PolicyRand(seed, 1)) {
			wins[x.Node] += x.K - 1
		}
	}
	for node := 1; node <= 4; node++ {
		if wins[node] < 840 || wins[node] > 1160 { // 5.8 standard errors
			t.Errorf("leaf %d was drawn %d times of 4000, want about 1000", node, wins[node])
		}
	}
}

// TestFullAndLinear: full has used N after the first step, linear has used M at the end.
func TestFullAndLinear(t *testing.T) {
	for name, want := range map[string]int{"full": 8, "linear": 4} {
		p := policy(t, sparkd.Policy{Name: name, Roots: new(4)}, 30)
		tree := leaves("", "", "", "")
		if k, _ := total(p.Next(tree, sparkd.Budget{Leaves: 8}, PolicyRand(1, 1))); k != want {
			t.Errorf("%s: %d leaves after the first step, want %d", name, k, want)
		}
	}
}
