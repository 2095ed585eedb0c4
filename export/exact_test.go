package export

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
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

// TestTooLarge: a tree whose numbers outgrow a float64 is left out with the reason, and the trees behind it are
// exported. Formats in which no such number stands have it.
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
			format, _ := formatNamed(o.Format)
			switch {
			case !format.unestimated:
			case o.Format == "trl-dpo" && what == "return":
				if m.Groups != 1 || l.What != "group" || l.Reason != "chosen_return is not finite" {
					t.Errorf("%s: %s: %d groups, left out %+v", name, what, m.Groups, m.LeftOut)
				}
				continue
			default:
				if one, _ := written(t, o, []*sparkd.Tree{exporttest.Star()}); m.Groups != 2 || m.Lines != 2*one.Lines {
					t.Errorf("%s: %s: %d groups, %d lines, left out %+v", name, what, m.Groups, m.Lines, m.LeftOut)
				}
				continue
			}
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

// TestNoEstimator: where no advantage is written none has to be defined: of a lone trajectory, or without entropies.
func TestNoEstimator(t *testing.T) {
	for name, want := range map[string]int{"trl-kto": 3, "openai-messages": 1, "trl-sft": 0} {
		for _, estimator := range []string{"rloo", "gigpo", "depth-norm", "treerl"} {
			lone := chainsOf(nil, func() []float64 { return []float64{.7, .1, .2} })
			lone.Nodes = lone.Nodes[:4]
			o := DefaultOptions()
			o.Format, o.Advantage = name, estimator
			if m, _ := written(t, o, []*sparkd.Tree{lone}); m.Lines != want {
				t.Errorf("%s, %s: %d lines, left out %+v", name, estimator, m.Lines, m.LeftOut)
			}
		}
	}
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

// TestLeavesInAnyOrder: with siblings the other way round the lines are the same but for names that count nodes, and
// their order.
func TestLeavesInAnyOrder(t *testing.T) {
	for seed := range uint64(12) {
		tree := paid(rand.New(rand.NewPCG(seed, 33)))
		for _, n := range tree.Nodes {
			n.Decision.SharedTokens, n.Decision.Of = 0, 0
		}
		other := otherWayRound(tree)
		everyFormat(func(name string, o Options) {
			if o.Dedupe != "copies" && o.Format != "rows" || slices.Contains([]string{"tree", "atropos"}, o.Format) {
				return // they name nodes, or a group, in the lines
			}
			o.Pairs.Most = 0
			if a, b := nameless(t, o, tree), nameless(t, o, other); !slices.Equal(a, b) {
				t.Errorf("seed %d, %s:\n%s\n%s", seed, name, strings.Join(a, ""), strings.Join(b, ""))
			}
			a, _ := written(t, o, []*sparkd.Tree{tree})
			b, _ := written(t, o, []*sparkd.Tree{other})
			if a.Weight != b.Weight || a.TrainedTokens != b.TrainedTokens || a.Lines != b.Lines {
				t.Errorf("seed %d, %s: %+v, %+v", seed, name, a, b)
			}
		})
	}
}

// names are the fields that tell which node of a tree it was.
var names = regexp.MustCompile(
	`("[a-z_]*uid":"T:\d+"|"uid_|"step_id":"[^"]*"|"index":\d+|"rollout_id":\d+|"repetition_id":\d+)`)

func nameless(t *testing.T, o Options, tree *sparkd.Tree) []string {
	var lines []string
	for line := range bytes.Lines(export(t, o, []*sparkd.Tree{tree})) {
		lines = append(lines, names.ReplaceAllString(string(line), ""))
	}
	slices.Sort(lines)
	return lines
}

// otherWayRound returns a tree whose nodes of one depth are in the opposite order.
func otherWayRound(t *sparkd.Tree) *sparkd.Tree {
	nodes := slices.Clone(t.Nodes)
	slices.SortFunc(nodes, func(a, b *sparkd.Node) int { return cmp.Or(a.Depth-b.Depth, b.ID-a.ID) })
	other, ids := *t, make([]int, len(nodes))
	other.Nodes = nil
	for i, n := range nodes {
		c := *n
		if ids[n.ID], c.ID = i, i; c.Parent >= 0 {
			c.Parent = ids[c.Parent]
		}
		other.Nodes = append(other.Nodes, &c)
	}
	return &other
}
