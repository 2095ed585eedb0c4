package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/export/exporttest"
)

// everyFormat calls f with every format, dedupe and source of pairs.
func everyFormat(f func(name string, o Options)) {
	for _, format := range Formats() {
		for _, dedupe := range Dedupes() {
			o := DefaultOptions()
			o.Format, o.Dedupe, o.Text, o.Entropies = format, dedupe, true, true
			f(format+" "+dedupe, o)
		}
	}
	o := DefaultOptions()
	o.Format, o.Pairs.By = "trl-dpo", "group"
	f("trl-dpo group", o)
}

// withMessages says where the messages of the prompts stand.
func withMessages(t *sparkd.Tree) *sparkd.Tree {
	for _, n := range t.Nodes {
		for i := range n.Spans {
			if s := &n.Spans[i]; s.Source == sparkd.SourcePrompt {
				s.Text, s.Turns = "hi", []sparkd.Turn{{Role: "user", From: 0, To: 2}}
			}
		}
	}
	return t
}

// paid is a random tree with rewards that no float64 holds exactly.
func paid(rng *rand.Rand) *sparkd.Tree {
	t := withMessages(drawnTree(rng))
	for _, n := range t.Nodes[1:] {
		n.Reward = []float64{0, .1, .2, .7, -.3, 1. / 3}[rng.IntN(6)]
	}
	return t
}

// TestFiltersChangeNoNumber: a filtered export has the lines of the whole one that it keeps. A merged step, which
// may stand with another trajectory then, keeps its numbers.
func TestFiltersChangeNoNumber(t *testing.T) {
	lost := map[string]int{}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 31))
		tree := paid(rng)
		everyFormat(func(name string, o Options) {
			if o.Pairs.Most = 2; o.Format == "atropos" { // a line of all kept sequences
				return
			}
			key := func(line []byte) string {
				if o.Dedupe == "copies" && o.Format != "tree" {
					return string(line)
				}
				return mergedNumbers(t, o.Format, line)
			}
			all := map[string]bool{}
			for line := range bytes.Lines(export(t, o, []*sparkd.Tree{tree})) {
				all[key(line)] = true
			}
			for _, filter := range []string{"success=true", "success=false", "min_reward=0.3", "outcome=failure"} {
				o := o
				o.Filter, _ = ParseFilter(filter)
				for line := range bytes.Lines(export(t, o, []*sparkd.Tree{tree})) {
					lost[name]++
					if k := key(line); k != "" && !all[k] {
						t.Fatalf("seed %d, %s, %s: a line that the whole export has not: %s", seed, name, filter, line)
					}
				}
			}
		})
	}
	if len(lost) != 43 {
		t.Errorf("%d ways were looked at", len(lost))
	}
}

// mergedNumbers is what a line says that does not depend on the trajectory that a merged step stands with; "" for
// lines that are made of several steps.
func mergedNumbers(t *testing.T, format string, line []byte) string {
	r := reader{t, line}
	switch format {
	case "rows":
		return fmt.Sprint(at[[]int](r, "response_ids"), at[int](r, "offset"), at[float64](r, "advantage"),
			at[float64](r, "weight"), at[int](r, "copies"), at[float64](r, "won"), at[float64](r, "episode_reward"))
	case "verl-agent":
		return fmt.Sprint(at[[]int](r, "responses"), at[float64](r, "advantage"),
			at[float64](r, "weight"), at[int](r, "node_repeated_times"), at[float64](r, "won"))
	case "trl-kto":
		return fmt.Sprint(at[string](r, "node_uid"), at[bool](r, "label"), at[float64](r, "weight"))
	}
	return ""
}

// TestFilterKeepsOrderOfPairs: A (1.0) and B (0.5) follow s1, C (0.9) does not: s1 has a mean of 0.75. A filter that
// leaves B out does not turn the pair of s1 and C around.
func TestFilterKeepsOrderOfPairs(t *testing.T) {
	tree := exporttest.Star()
	tree.Nodes[7].Reward, tree.Nodes[5].Reward = .5, .9
	o := DefaultOptions()
	o.Format = "trl-dpo"
	o.Filter, _ = ParseFilter("min_reward=0.9")
	for _, l := range preferred(t, o, tree) {
		if nodeOf(l.ChosenUID) != "2" || l.ChosenReturn != .9 || l.RejectedReturn != .75 {
			t.Errorf("%+v", l)
		}
	}
	o.Format, o.Dedupe = "trl-kto", "unique"
	o.Filter, _ = ParseFilter("success=true")
	m, lines := written(t, o, []*sparkd.Tree{tree}) // s1 and s2 are a tie, s3a and s4a a success
	if m.Lines != 2 || m.Labels["true"] != 2 || len(m.Labels) != 1 {
		t.Errorf("labels %v: %s", m.Labels, lines)
	}
}

func TestLabelsAreCounted(t *testing.T) {
	o := DefaultOptions()
	o.Format = "trl-kto"
	m, lines := written(t, o, exporttest.Groups()...)
	for _, label := range []string{"true", "false"} {
		if n := bytes.Count(lines, []byte(`"label":`+label)); n == 0 || m.Labels[label] != n {
			t.Errorf("%d lines with label %s, the manifest says %v", n, label, m.Labels)
		}
	}
}

// TestRewardsInAnyOrder: where on its way a trajectory earned its rewards changes no byte, but of fields that are
// about single steps.
func TestRewardsInAnyOrder(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 32))
		tree, other := chainsOf(rng, func() []float64 { return []float64{.7, .1, .2} }),
			chainsOf(rng, func() []float64 { return [][]float64{{.1, .2, .7}, {.2, .7, .1}}[rng.IntN(2)] })
		everyFormat(func(name string, o Options) {
			for _, o.Estimator.Epsilon = range []float64{0, 1e-6} {
				a, b := export(t, o, []*sparkd.Tree{tree}), export(t, o, []*sparkd.Tree{other})
				if o.Format == "trl-dpo" && len(b) > 0 {
					t.Errorf("seed %d, %s: pairs of equals: %s", seed, name, b)
				}
				if blank(a) != blank(b) {
					t.Errorf("seed %d, %s:\n%s\n%s", seed, name, a, b)
				}
			}
		})
	}
	for filter, want := range map[string]int{"min_reward=1": 12, "mixed=true": 0, "mixed=false": 12} {
		o := DefaultOptions()
		o.Filter, _ = ParseFilter(filter)
		tree := chainsOf(nil, func() []float64 { return []float64{.7, .1, .2} })
		tree.Nodes[1].Reward, tree.Nodes[2].Reward = tree.Nodes[2].Reward, tree.Nodes[1].Reward
		if m, _ := written(t, o, []*sparkd.Tree{tree}); m.Lines != want {
			t.Errorf("%s keeps %d lines, want %d", filter, m.Lines, want)
		}
	}
}

// blank drops the rewards of single steps.
func blank(lines []byte) string {
	for _, key := range []string{`"reward":`, `"rewards":`} {
		for _, r := range []string{"0.7", "0.1", "0.2"} {
			lines = bytes.ReplaceAll(lines, []byte(key+r), []byte(key+"?"))
		}
	}
	return string(lines)
}

// chainsOf is four trajectories from the opening on, with these rewards.
func chainsOf(_ *rand.Rand, rewards func() []float64) *sparkd.Tree {
	t := exporttest.Star()
	t.Nodes = t.Nodes[:1]
	for range 4 {
		parent := 0
		for _, r := range rewards() {
			n := *exporttest.Star().Nodes[1]
			n.ID, n.Parent, n.Depth, n.Reward = len(t.Nodes), parent, t.Nodes[parent].Depth+1, r
			n.Spans = slices.Clone(n.Spans)
			n.Spans[0].Text = fmt.Sprint("said ", n.ID)
			n.Spans[0].Tokens = []sparkd.Token{int32(n.ID), 7}
			t.Nodes, parent = append(t.Nodes, &n), n.ID
		}
		t.Nodes[parent].Outcome, t.Nodes[parent].Done = sparkd.OutcomeFailure, true
	}
	return t
}

// TestTooLarge: a tree whose numbers outgrow a float64 is left out with the reason, whatever the format, and the
// trees behind it are exported.
func TestTooLarge(t *testing.T) {
	everyFormat(func(name string, o Options) {
		for what, change := range map[string]func(*sparkd.Tree){
			"return": func(t *sparkd.Tree) { t.Nodes[1].Reward, t.Nodes[8].Reward = math.MaxFloat64, math.MaxFloat64 },
			"score":  func(t *sparkd.Tree) { t.Nodes[8].Reward = math.MaxFloat64 },
		} {
			huge := exporttest.Star()
			change(huge)
			m, _ := written(t, o, []*sparkd.Tree{huge}, []*sparkd.Tree{exporttest.Star()})
			l := m.LeftOut[0]
			if m.Groups != 1 || m.Lines == 0 && o.Format != "trl-dpo" || l.What != "group" || l.Remedy == "" ||
				!strings.Contains(l.Reason, "too large to compare") {
				t.Errorf("%s: %s: %d groups, left out %+v", name, what, m.Groups, m.LeftOut)
			}
		}
	})
	o := DefaultOptions()
	o.Format, o.Estimator.RewardScale = "atropos", 1e-3
	star := exporttest.Star()
	star.Nodes[8].Reward = math.MaxFloat64
	if m, _ := written(t, o, []*sparkd.Tree{star}); m.Lines != 1 {
		t.Errorf("a smaller scale: %+v", m.LeftOut)
	}
}

// TestNamedTrees: filters name trees; one that is damaged is in the way until a filter leaves it out.
func TestNamedTrees(t *testing.T) {
	groups := exporttest.Groups()
	groups[1][0].Nodes[1].Reward = math.NaN()
	ids := []string{groups[0][0].ID, groups[1][0].ID, groups[2][0].ID}
	for filter, want := range map[string]int{
		"": -1, "tree=" + ids[1]: -1, "except=" + ids[0]: -1,
		"except=" + ids[1]: 2, "tree=" + ids[0]: 1, "tree=" + ids[0] + "|" + ids[2]: 2, "tree=none": 0,
		"except=" + ids[0] + "|" + ids[1]: 1,
	} {
		o := DefaultOptions()
		var err error
		if o.Filter, err = ParseFilter(filter); err != nil || o.Filter.String() != filter {
			t.Fatalf("%q is read as %q, %v", filter, o.Filter.String(), err)
		}
		w, err := NewWriter(&bytes.Buffer{}, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			if err == nil {
				err = w.Write(g)
			}
		}
		if flushed := w.Flush(); err == nil {
			err = flushed
		}
		e := sparkd.AsError(err)
		if m := w.Manifest(); err == nil && m.Trees != want || err != nil && want >= 0 {
			t.Errorf("%q: %d trees, %v", filter, m.Trees, err)
		}
		if err != nil && (e.Code != sparkd.CodeDamaged || !strings.Contains(e.Remedy, "except="+ids[1])) {
			t.Errorf("%q: %+v", filter, e)
		}
	}
}

// TestGroupsAreComparedWhole: a tree that a filter leaves out still counts for the others of its task.
func TestGroupsAreComparedWhole(t *testing.T) {
	group := func() []*sparkd.Tree {
		other := exporttest.Star()
		other.ID = "OTHER"
		return []*sparkd.Tree{exporttest.Star(), other}
	}
	everyFormat(func(name string, o Options) {
		all := map[string]bool{}
		o.Pairs.Most = 0
		for line := range bytes.Lines(export(t, o, group())) {
			all[string(line)] = true
		}
		o.Filter, _ = ParseFilter("tree=OTHER")
		lines := export(t, o, group())
		for line := range bytes.Lines(lines) {
			if !all[string(line)] && o.Format != "atropos" {
				t.Errorf("%s: a line that the whole export has not: %s", name, line)
			}
		}
		if len(lines) == 0 || bytes.Contains(lines, []byte(exporttest.Star().ID)) {
			t.Errorf("%s: %s", name, lines)
		}
	})
}

// TestSameTextIsNoPair: two outputs of other tokens and the same text are one to a trainer that tokenizes messages.
func TestSameTextIsNoPair(t *testing.T) {
	tree := exporttest.Star()
	tree.Nodes[7].Spans[0].Text = tree.Nodes[6].Spans[0].Text
	o := DefaultOptions()
	o.Format = "trl-dpo"
	m, lines := written(t, o, []*sparkd.Tree{tree})
	if l := m.LeftOut[len(m.LeftOut)-1]; m.Lines != 1 || l.Reason != "both outputs have the same text" || l.Count != 1 {
		t.Errorf("left out %+v: %s", m.LeftOut, lines)
	}
}

// TestLinesAreLines: whatever stands in a tree's texts, every reader sees as many lines as were written.
func TestLinesAreLines(t *testing.T) {
	for _, end := range []string{"\v", "\f", "\x1c", "\x1d", "\x1e", "\u0085", "\u2028", "\u2029", "\r\n"} {
		everyFormat(func(name string, o Options) {
			tree := exporttest.Star()
			tree.Goal += end
			for _, n := range tree.Nodes {
				n.Action, n.PolicyVersion, n.ObsHash = n.Action+end, n.PolicyVersion+end, n.ObsHash+end
				n.Signals.Tags = append(n.Signals.Tags, end)
				for i := range n.Spans {
					n.Spans[i].Text += end
				}
			}
			m, lines := written(t, o, []*sparkd.Tree{tree})
			if n := len(strings.FieldsFunc(string(lines), endsLine)); n != m.Lines {
				t.Errorf("%s with %q: %d lines for %d", name, end, n, m.Lines)
			}
		})
	}
}

// TestFloatsAreFloats: at temperature 0, where log-probabilities have no fraction, every column of floats has none
// but floats.
func TestFloatsAreFloats(t *testing.T) {
	everyFormat(func(name string, o Options) {
		whole := exporttest.Star()
		for _, n := range whole.Nodes[1:] {
			if m := n.Model(); m != nil {
				m.Logprobs, m.SampledLogprobs, m.Entropies = []float32{0, -1}, []float32{-100, 0}, []float32{0, 3}
			}
		}
		half := exporttest.Star()
		kinds := map[string]string{}
		for _, lines := range [][]byte{export(t, o, []*sparkd.Tree{half}), export(t, o, []*sparkd.Tree{whole})} {
			for line := range bytes.Lines(lines) {
				maps.Copy(kinds, numberKinds(t, name, line, kinds))
			}
		}
	})
}

// numberKinds says of every path of a line whether its numbers are integers or floats, and that it is one of them.
func numberKinds(t *testing.T, name string, line []byte, before map[string]string) map[string]string {
	kinds, d := map[string]string{}, json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				walk(path+"."+key, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		case json.Number:
			kind := "integer"
			if strings.ContainsAny(v.String(), ".e") {
				kind = "float"
			}
			for _, known := range []string{before[path], kinds[path]} {
				if known != "" && known != kind {
					t.Errorf("%s: %s is %s in %s, and %s elsewhere", name, path, kind, v, known)
				}
			}
			kinds[path] = kind
		}
	}
	walk("", v)
	return kinds
}
