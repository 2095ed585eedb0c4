package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sparkd"
)

// grow appends a step of so many tokens below parent.
func grow(t *sparkd.Tree, parent, tokens int, o sparkd.Outcome) int {
	n := &sparkd.Node{ID: len(t.Nodes), Parent: parent, Depth: t.Nodes[parent].Depth + 1, Outcome: o,
		Spans: []sparkd.Span{{Source: sparkd.SourceModel, Tokens: make([]sparkd.Token, tokens)}}}
	t.Nodes = append(t.Nodes, n)
	if o != sparkd.OutcomeFailed {
		t.Stats.GeneratedTokens += tokens
	}
	return n.ID
}

func empty() *sparkd.Tree { return &sparkd.Tree{Nodes: []*sparkd.Node{{Parent: -1}}} }

// TestTree measures two roots, one of which forks after two steps.
func TestTree(t *testing.T) {
	tree := empty()
	s1 := grow(tree, 0, 10, "")
	s2 := grow(tree, s1, 10, "")
	grow(tree, grow(tree, s2, 5, ""), 5, sparkd.OutcomeSuccess)
	grow(tree, s2, 7, sparkd.OutcomeFailure)
	grow(tree, grow(tree, 0, 3, ""), 3, sparkd.OutcomeStepLimit)
	grow(tree, s1, 100, sparkd.OutcomeFailed)
	grow(tree, 0, 2, "") // did not end
	f := Tree(tree)
	want := Figures{Task: f.Task, Trajectories: 3, Successes: 1, Mixed: true, Leaves: 4,
		Steps: 8, PathSteps: 4 + 3 + 2 + 1, PathTokens: 30 + 27 + 6 + 2, ForkDepths: []int{2}, Generated: 45}
	if f.Task == "" || f.Trajectories != 3 || f.Successes != 1 || !f.Mixed || f.Leaves != 4 ||
		f.Steps != want.Steps || f.PathSteps != want.PathSteps || f.PathTokens != want.PathTokens ||
		!slices.Equal(f.ForkDepths, want.ForkDepths) || f.Generated != 45 {
		t.Errorf("got %+v, want %+v", f, want)
	}
	if got := f.SavedTokens(4); math.Abs(got-(1-45./65)) > 1e-12 {
		t.Errorf("saved %v of the tokens, want %v", got, 1-45./65)
	}
	if got := Shared([]Figures{f}); math.Abs(got-20./65) > 1e-12 {
		t.Errorf("shared %v, want 20 of 65", got)
	}
}

// TestSavedEqualsFormula: what a tree saves against N chains is what the cost model
// says, exactly, on any tree.
func TestSavedEqualsFormula(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 5))
		tree := empty()
		for range 1 + rng.IntN(60) {
			grow(tree, rng.IntN(len(tree.Nodes)), 1, "")
		}
		f := Tree(tree)
		n := f.Leaves + rng.IntN(4)
		if a, b := f.SavedSteps(n), f.SavedByFormula(n); math.Abs(a-b) > 1e-12 {
			t.Fatalf("seed %d: saved %v, formula %v, %+v", seed, a, b, f)
		}
	}
	chains := empty()
	for range 8 {
		grow(chains, grow(chains, 0, 1, ""), 1, "")
	}
	if f := Tree(chains); f.SavedSteps(8) != 0 || f.SavedByFormula(8) != 0 {
		t.Errorf("chains save %v", f.SavedSteps(8))
	}
}

// TestCostModel holds the published reading: eight leaves from four roots that fork at
// the mean depth of 14 % of 50 steps save 7 %.
func TestCostModel(t *testing.T) {
	tree := empty()
	for range 4 {
		at := 0
		for range 7 {
			at = grow(tree, at, 1, "")
		}
		for range 2 {
			leaf := at
			for range 43 {
				leaf = grow(tree, leaf, 1, "")
			}
		}
	}
	if f := Tree(tree); math.Abs(f.SavedSteps(8)-.07) > 1e-12 {
		t.Errorf("saved %v, want 0.07", f.SavedSteps(8))
	}
}

func TestPassAt(t *testing.T) {
	for _, tt := range []struct {
		n, c, k int
		want    float64
	}{{8, 2, 1, .25}, {8, 2, 8, 1}, {4, 1, 2, .5}, {5, 0, 3, 0}, {5, 5, 1, 1}, {0, 0, 1, 0}, {6, 2, 3, 1 - 4./20}} {
		f := Figures{Trajectories: tt.n, Successes: tt.c}
		if got := f.passAt(tt.k); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("pass@%d of %d in %d: %v, want %v", tt.k, tt.c, tt.n, got, tt.want)
		}
	}
}

// TestIntervals: an interval holds the value, shrinks with more tasks, and holds the
// truth about as often as it says.
func TestIntervals(t *testing.T) {
	tasks := func(rng *rand.Rand, n int, p float64) []Figures {
		out := make([]Figures, n)
		for i := range out {
			out[i] = Figures{Trajectories: 1, Successes: int(indicator(rng.Float64() < p))}
		}
		return out
	}
	inside, width := 0, 0.0
	const trials = 200
	for seed := range uint64(trials) {
		e := PassAt1.Of(tasks(rand.New(rand.NewPCG(seed, 6)), 60, .4))
		if e.Low > e.Value || e.High < e.Value {
			t.Fatalf("seed %d: %+v", seed, e)
		}
		if e.Low <= .4 && .4 <= e.High {
			inside++
		}
		width += e.High - e.Low
	}
	if inside < trials*88/100 {
		t.Errorf("the truth lies in %d of %d intervals", inside, trials)
	}
	wide := PassAt1.Of(tasks(rand.New(rand.NewPCG(1, 6)), 600, .4))
	if wide.High-wide.Low > width/trials/2 {
		t.Errorf("ten times the tasks: width %v, before %v", wide.High-wide.Low, width/trials)
	}
	one := PassAt1.Of([]Figures{{Trajectories: 2, Successes: 1}})
	if one != (Estimate{.5, .5, .5}) {
		t.Errorf("one task: %+v", one)
	}
}

// TestDifference: tasks drawn in pairs show a difference that the tasks' own spread hides.
func TestDifference(t *testing.T) {
	var a, b []Figures
	for i := range 40 {
		a = append(a, Figures{Trajectories: 100, Successes: i * 2})
		b = append(b, Figures{Trajectories: 100, Successes: i*2 + 5 + i%3})
	}
	d := PassAt1.Difference(a, b)
	if d.Low <= 0 || math.Abs(d.Value-.06) > .001 {
		t.Errorf("difference %+v", d)
	}
	if e := PassAt1.Of(a); e.High-e.Low < d.High-d.Low {
		t.Errorf("the paired interval %+v is wider than %+v", d, e)
	}
}

func TestSummarize(t *testing.T) {
	s := Summarize([]Figures{
		{Trajectories: 8, Successes: 4, Mixed: true, Leaves: 8, Steps: 20, PathSteps: 24, ForkDepths: []int{1, 3},
			Generated: 100, PathTokens: 120, Computed: 7},
		{Trajectories: 8, Leaves: 8, Steps: 32, PathSteps: 32, Generated: 200, PathTokens: 200, ReplaySteps: 3},
	}, 8)
	if s.Tasks != 2 || s.Trajectories != 16 || s.PassAt1.Value != .25 || s.PassAtN.Value != .5 || s.Mixed.Value != .5 ||
		s.Generated != 300 || s.Computed != 7 || s.ReplaySteps != 3 || !slices.Equal(s.ForkDepths, []int{0, 1, 0, 1}) ||
		math.Abs(s.SharedShare.Value-20./320) > 1e-12 {
		t.Errorf("%+v", s)
	}
	if math.Abs(s.Saved.Value-1./12) > 1e-12 || math.Abs(s.SavedByFormula-s.Saved.Value) > 1e-12 {
		t.Errorf("saved %v, formula %v", s.Saved.Value, s.SavedByFormula)
	}
	if none := Summarize(nil, 8); none.PassAt1.Value != 0 || none.Tasks != 0 {
		t.Errorf("no tasks: %+v", none)
	}
}
