package branching

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"testing"

	"sparkd"
)

// TestStoredSpecsGrowOn: what an earlier version stored is read, and its trees grow as they did
// then. testdata/stored.txt is its record: the request as it lay in the store, then the
// plans of every round. All parameters are resolved there, a policy that takes no branch
// has one of 1, zeros are left out, and some hold parameters that their policy never took.
func TestStoredSpecsGrowOn(t *testing.T) {
	record, err := os.ReadFile("testdata/stored.txt")
	if err != nil {
		t.Fatal(err)
	}
	for entry := range strings.SplitSeq(strings.TrimSpace(string(record)), "\n\n") {
		stored, want, _ := strings.Cut(entry, "\n")
		var spec sparkd.Spec
		if err := json.Unmarshal([]byte(stored), &spec); err != nil {
			t.Fatal(err)
		}
		if got := recorded(t, &spec); got != want {
			t.Errorf("%s\ngrew\n%s\nand grows\n%s", stored, want, got)
		}
	}
}

// recorded grows a tree and writes down its plans: by round, then a hash that has the
// scores in it.
func recorded(t *testing.T, spec *sparkd.Spec) string {
	t.Helper()
	w := world{policy: spec.Policy, budget: spec.Budget, maxSteps: spec.MaxSteps,
		doubt: .5, end: .15, success: .5, failure: .05}
	tree := &sparkd.Tree{Seed: spec.Seed, Nodes: []*sparkd.Node{{Parent: -1}}}
	var lines []string
	hash := fnv.New64a()
	for {
		plan := w.next(t, tree)
		if len(plan) == 0 {
			return strings.Join(append(lines, fmt.Sprintf("%x", hash.Sum64())), "\n")
		}
		lines = append(lines, brief(plan))
		if err := json.NewEncoder(hash).Encode(plan); err != nil {
			t.Fatal(err)
		}
		w.play(tree, plan)
	}
}
