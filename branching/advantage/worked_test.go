package advantage

import (
	"math"
	"testing"

	"sparkd"
)

// TestWorkedNumbers pins the estimators to the numbers worked out by hand for T*, to
// four decimals and without ε.
func TestWorkedNumbers(t *testing.T) {
	type numbers = map[string]float64
	options := func(kv ...string) Options {
		o := DefaultOptions()
		o.Epsilon = 0
		for ; len(kv) > 0; kv = kv[2:] {
			if err := o.Set(kv[0], kv[1]); err != nil {
				t.Fatal(err)
			}
		}
		return o
	}
	tests := []struct {
		name      string
		estimator string
		options   Options
		invalid   string  // step with an invalid format
		copies    numbers // by "leaf/step", else by step, else by leaf
		unique    numbers // by step
	}{
		{"grpo", "grpo", options(), "", numbers{"A": 1.1547, "B": -.5774, "C": -.5774},
			numbers{"s1": .2887, "s2": .2887, "s3a": 1.1547, "s4a": 1.1547, "s3b": -.5774, "c1": -.5774, "c2": -.5774}},
		{"grpo, format", "grpo", options(), "s3b", numbers{"A": 1.1547, "B": -.5774, "C": -.5774}, nil},
		{"grpo, population", "grpo", options("std", "population"), "",
			numbers{"A": 1.4142, "B": -.7071, "C": -.7071}, nil},
		{"drgrpo", "drgrpo", options(), "", numbers{"A": .6667, "B": -.3333, "C": -.3333}, nil},
		{"rloo", "rloo", options(), "", numbers{"A": 1, "B": -.5, "C": -.5}, nil},
		{"rloo, scaled", "rloo", options("reward_scale", "10"), "", numbers{"A": 10, "B": -5, "C": -5}, nil},
		{"spark-rows", "spark-rows", options(), "", numbers{"A": 1.0541, "B": -.8433, "C": -.8433},
			numbers{"s1": .1054, "s2": .1054, "s3a": 1.0541, "s4a": 1.0541, "s3b": -.8433, "c1": -.8433, "c2": -.8433}},
		{"spark-rows, format", "spark-rows", options(), "s3b",
			numbers{"A": 1.0541, "B": -.8395, "B/s3b": -.8584, "C": -.8395}, nil},
		{"spark-unique", "spark-unique", options(), "",
			numbers{"s1": .1588, "s2": .1588, "A": 1.2702, "B": -.9527, "C": -.9527},
			numbers{"s1": .1588, "s2": .1588, "s3a": 1.2702, "s4a": 1.2702, "s3b": -.9527, "c1": -.9527, "c2": -.9527}},
		{"tree-grpo", "tree-grpo", options(), "", numbers{"A": 1.8618, "B": -1.2845, "C": -.5774},
			numbers{"s1": .2887, "s2": .2887, "s3a": 1.8618, "s4a": 1.8618, "s3b": -1.2845, "c1": -.5774,
				"c2": -.5774}},
		{"arpo-hard", "arpo-hard", options(), "",
			numbers{"s1": .2887, "s2": .2887, "A": 1.1547, "B": -.5774, "C": -.5774}, nil},
		{"treerl", "treerl", options(), "", numbers{"s1": .3536, "s2": .3536, "A": 1.75, "B": -1.25, "C": -1}, nil},
		{"treerl, return", "treerl", options("leaf_value", "return"), "",
			numbers{"s1": .2357, "s2": .2357, "A": 1.1667, "B": -.8333, "C": -.6667}, nil},
		{"treepo", "treepo", options(), "", numbers{"A": .5833, "B": -.4167, "C": -.3333}, nil},
		{"treepo, size", "treepo", options("weighting", "size"), "", numbers{"A": .6, "B": -.4, "C": -.3333}, nil},
		{"at2po", "at2po", options(), "",
			numbers{"s1": .5629, "s2": .5629, "A": 1.4142, "B": -.7071, "C": -.7071}, nil},
		{"at2po, child_mean", "at2po", options("value_mode", "child_mean"), "",
			numbers{"s1": .3536, "s2": .3536, "A": 1.4142, "B": -.7071, "C": -.7071}, nil},
		{"at2po, leaf_mean", "at2po", options("value_mode", "leaf_mean"), "",
			numbers{"s1": .3536, "s2": .3536, "A": 1.4142, "B": -.7071, "C": -.7071}, nil},
		// The root's children have equal entropies: V(root) = (.5629 − .7071) / 2 = −.0721.
		{"at2po, diff_parent", "at2po", options("advantage_mode", "diff_parent"), "",
			numbers{"s1": .6350, "s2": 0, "s3a": .8513, "s4a": 0, "s3b": -1.2700, "c1": -.6350, "c2": 0}, nil},
		{"at2po, diff_global", "at2po", options("advantage_mode", "diff_global"), "",
			numbers{"s1": .6350, "s2": .6350, "A": 1.4863, "s3b": -.6350, "C": -.6350}, nil},
		{"at2po, diff_localglobal", "at2po", options("advantage_mode", "diff_localglobal"), "",
			numbers{"s1": 1.2700, "s2": .6350, "s3a": 2.3376, "s4a": 1.4863, "s3b": -1.9050, "c1": -1.2700,
				"c2": -.6350}, nil},
		// The episode part is spark-rows; after s2 the futures are {9.5, 0}: ±.7071.
		{"gigpo", "gigpo", options(), "",
			numbers{"A/s1": 2.2088, "A/s2": 1.7612, "A/s3a": 1.7612, "A/s4a": 1.0541, "B/s1": -1.4206,
				"B/s2": -1.5504, "B/s3b": -1.5504, "C/c1": -1.4206, "C/c2": -.8433}, nil},
		// 10 − 4.4444 and −4.4444 for the episode; ±4.75 after s2.
		{"gigpo, mean_norm", "gigpo", options("norm", "mean_norm"), "",
			numbers{"A/s1": 11.2714, "A/s2": 10.0681, "A/s3a": 10.3056, "A/s4a": 5.5556, "B/s1": -7.3024,
				"B/s2": -8.9569, "B/s3b": -9.1944, "C/c1": -7.3024, "C/c2": -4.4444}, nil},
		{"gigpo, weighted", "gigpo", options("norm", "mean_norm", "step_weight", "2"), "",
			numbers{"A/s3a": 15.0556, "B/s3b": -13.9444, "A/s1": 16.9872, "A/s2": 14.5806, "A/s4a": 5.5556,
				"B/s1": -10.1603, "B/s2": -13.4694, "C/c1": -10.1603, "C/c2": -4.4444}, nil},
		{"depth-norm", "depth-norm", options(), "",
			numbers{"s1": .7071, "s2": .7071, "s3a": .7071, "s4a": 0, "s3b": -.7071, "C": -.7071}, nil},
		{"sibling", "sibling", options(), "", numbers{"s1": 0, "s2": 0, "s3a": .5, "s4a": 0, "s3b": -.5, "C": 0}, nil},
	}
	tested := map[string]bool{}
	for _, tt := range tests {
		tested[tt.estimator] = true
		t.Run(tt.name, func(t *testing.T) {
			tree := toy()
			for id, name := range stepNames {
				tree.Nodes[id].Valid = name != tt.invalid
			}
			c := estimate(t, tt.estimator, tt.options, tree)[0]
			if len(c.Copies) != 9 || len(c.Unique) != 7 {
				t.Fatalf("%d copies and %d unique rows, want 9 and 7", len(c.Copies), len(c.Unique))
			}
			for _, r := range c.Copies {
				leaf, step := leafNames[r.Leaf], stepNames[r.Node]
				want, ok := tt.copies[leaf+"/"+step]
				if !ok {
					want, ok = tt.copies[step]
				}
				if !ok {
					want, ok = tt.copies[leaf]
				}
				if !ok {
					t.Fatalf("no number for %s/%s", leaf, step)
				}
				near(t, leaf+"/"+step, r.Advantage, want, 5e-5)
			}
			for _, r := range c.Unique {
				if tt.unique != nil {
					near(t, stepNames[r.Node], r.Advantage, tt.unique[stepNames[r.Node]], 5e-5)
				}
			}
		})
	}
	for _, name := range Names() {
		if !tested[name] {
			t.Errorf("no worked numbers for %s", name)
		}
	}
}

// TestProcessRewards: T* with .5 for s2. Step rewards of the nine rows are
// .5 .5 1 and six 0: mean .2222, deviation .3632.
func TestProcessRewards(t *testing.T) {
	tree := toy()
	tree.Nodes[3].Reward = .5
	for _, tt := range []struct {
		estimator, discount string
		want                map[string]float64 // by "leaf/step"
	}{
		// DeepSeekMath §4.1.3: normalised rewards (s2 .7647, s4a 2.1412, else −.6118), summed to the end.
		{"grpo", "1",
			map[string]float64{"A/s1": 1.6824, "A/s2": 2.2942, "A/s3a": 1.5294, "A/s4a": 2.1412, "B/s1": -.4588,
				"B/s3b": -.6118, "C/c1": -1.2236}},
		{"drgrpo", "1",
			map[string]float64{"A/s4a": .7778, "A/s3a": .5556, "A/s2": .8333, "A/s1": .6111, "C/c1": -.4444}},
		{"drgrpo", "0.5",
			map[string]float64{"A/s4a": .7778, "A/s3a": .1667, "A/s2": .3611, "A/s1": -.0417, "C/c2": -.2222,
				"C/c1": -.3333}},
		{"arpo-hard", "1", map[string]float64{"A/s1": .6118, "B/s1": .6118, "A/s4a": 2.1412}},
		// Futures ×10: A 15 15 10 10, B 5 5 0, C 0 0: mean 6.6667, deviation 6.1237.
		{"spark-rows", "1",
			map[string]float64{"A/s1": 1.3608, "A/s2": 1.3608, "A/s3a": .5443, "B/s2": -.2722, "B/s3b": -1.0887,
				"C/c1": -1.0887}},
		// Merged: s1, s2 10, s3a, s4a 10, else 0: mean 5.7143, deviation 5.3452.
		{"spark-unique", "1",
			map[string]float64{"A/s1": .8018, "B/s2": .8018, "A/s4a": .8018, "B/s3b": -1.0690, "C/c2": -1.0690}},
	} {
		o := DefaultOptions()
		o.Epsilon, o.ProcessRewards = 0, true
		if err := o.Set("discount", tt.discount); err != nil {
			t.Fatal(err)
		}
		for _, r := range estimate(t, tt.estimator, o, tree)[0].Copies {
			where := leafNames[r.Leaf] + "/" + stepNames[r.Node]
			if want, ok := tt.want[where]; ok {
				near(t, tt.estimator+" "+where, r.Advantage, want, 5e-5)
			}
		}
	}
}

// TestFutures pins the discounted rewards that GiGPO compares: γ .95, a success pays 10.
func TestFutures(t *testing.T) {
	g := join([]*sparkd.Tree{toy()}, Options{RewardScale: 10, Discount: .95})
	x := make([]sparkd.Amount, len(g.rows))
	g.future(x)
	want := map[string]float64{"A/s1": 8.57375, "A/s2": 9.025, "A/s3a": 9.5, "A/s4a": 10}
	for k, r := range g.rows {
		where := leafNames[r.Leaf] + "/" + stepNames[r.Node]
		if math.Abs(x[k].Value-want[where]) > 1e-12 {
			t.Errorf("%s: %v, want %v", where, x[k].Value, want[where])
		}
	}
}

func TestContrast(t *testing.T) {
	copies := []float64{10, 10, 10, 10, 0, 0, 0, 0, 0} // mean 4.4444
	unique := []float64{5, 5, 10, 10, 0, 0, 0}         // mean 4.2857
	same := []float64{9.9, 9.9, 9.9, 9.9, 9.9, 9.9, 9.9}
	for _, tt := range []struct {
		x     []float64
		c     contrast
		first float64
	}{
		{copies, contrast{std: "unbiased"}, 5.5556 / 5.2705},
		{copies, contrast{std: "population"}, 5.5556 / 4.9690},
		{copies, contrast{}, 5.5556},
		{unique, contrast{std: "unbiased"}, .7143 / 4.4987},
		{[]float64{1, 0, 0}, contrast{std: "population"}, math.Sqrt2},
		{[]float64{1, 0}, contrast{std: "population", epsilon: .5}, .5},
		{[]float64{3}, contrast{std: "unbiased"}, 0},
		{[]float64{3}, contrast{std: "unbiased", raw: true}, 3},
		{[]float64{3}, contrast{std: "unbiased", raw: true, epsilon: 1}, 1.5},
		{same, contrast{std: "unbiased"}, 0},
		{[]float64{.1 + .2, .3}, contrast{std: "unbiased"}, 0}, // differ by rounding only
	} {
		if got := values(tt.c.of(given(tt.x...), nil, 1))[0]; math.IsNaN(got) || math.Abs(got-tt.first) > 5e-5 {
			t.Errorf("%v %+v: %.4f, want %.4f", tt.x, tt.c, got, tt.first)
		}
	}
	got := values(contrast{}.of(given(1, 5, 3, 7), []int{0, 2, 0, 1}, 3))
	for i, want := range []float64{-1, 0, 1, 0} {
		if got[i] != want {
			t.Errorf("by key: %v", got)
		}
	}
}

// given are numbers as they were written down.
func given(x ...float64) []sparkd.Amount {
	out := make([]sparkd.Amount, len(x))
	for i := range x {
		out[i] = sparkd.Given(x[i])
	}
	return out
}

func TestMergedRows(t *testing.T) {
	c := estimate(t, "spark-rows", DefaultOptions(), toy())[0]
	want := Row{Leaf: 6, Node: 1, Copies: 2, Means: Means{Return: .5, Length: 3.5, Won: .5, Score: 5}, Weight: 2}
	got := c.Unique[0]
	got.Advantage = 0
	if got != want {
		t.Errorf("row of s1 is %+v, want %+v", got, want)
	}
	if r := c.Copies[0]; r.Leaf != 4 || r.Node != 2 || r.Length != 2 || r.Won != 0 {
		t.Errorf("first copy is %+v, want leaf 4 (C), node 2 (c1)", r)
	}
}

// TestWeights: the row of s1, which A and B share, and its copies.
func TestWeights(t *testing.T) {
	once := map[string]bool{"spark-unique": true, "depth-norm": true, "sibling": true}
	for _, name := range Names() {
		c := estimate(t, name, DefaultOptions(), toy())[0]
		unique, copies := 2., 1.
		if once[name] {
			unique, copies = 1, .5
		}
		if c.Unique[0].Weight != unique {
			t.Errorf("%s: the merged row weighs %v, want %v", name, c.Unique[0].Weight, unique)
		}
		for _, r := range c.Copies {
			want := 1.
			if stepNames[r.Node] == "s1" || stepNames[r.Node] == "s2" {
				want = copies
			}
			if r.Weight != want {
				t.Errorf("%s: a copy of %s weighs %v, want %v", name, stepNames[r.Node], r.Weight, want)
			}
		}
	}
}
