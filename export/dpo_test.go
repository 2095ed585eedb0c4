package export

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/export/exporttest"
)

func TestSiblingPairs(t *testing.T) {
	o := DefaultOptions()
	o.Format = "trl-dpo"
	short := func(l TRLDPOLine) string {
		return fmt.Sprintf("%s>%s@%s", node(l.ChosenUID), node(l.RejectedUID), node(l.ForkUID))
	}
	pairs := func(trees ...*sparkd.Tree) string {
		var text []string
		for _, l := range decode[TRLDPOLine](t, export(t, o, trees)) {
			text = append(text, short(l))
			if l.ChosenReturn-l.RejectedReturn < o.Pairs.Margin || l.ChosenReturn <= l.RejectedReturn {
				t.Errorf("%s: returns %v, %v", short(l), l.ChosenReturn, l.RejectedReturn)
			}
		}
		return strings.Join(text, " ")
	}
	if got := pairs(exporttest.Star()); got != "1>2@0 6>7@4" {
		t.Errorf("T*: %s", got)
	}
	if got := pairs(exporttest.Inside()); got != "1>2@0 3>2@0" {
		t.Errorf("forks inside a step: %s", got)
	}
	o.Pairs.Margin = .6 // s1 has a mean of 0.5
	if got := pairs(exporttest.Star()); got != "6>7@4" {
		t.Errorf("margin: %s", got)
	}
	o.Pairs = Pairs{By: "sibling", Most: 1}
	if got := pairs(exporttest.Inside()); got != "1>2@0" {
		t.Errorf("one pair a fork: %s", got)
	}
	same := exporttest.Star()
	same.Nodes[7].Spans[0].Tokens = same.Nodes[6].Spans[0].Tokens
	if got := pairs(same); got != "1>2@0" {
		t.Errorf("equal outputs: %s", got)
	}
}

func TestGroupPairs(t *testing.T) {
	o := DefaultOptions()
	o.Format, o.Pairs.By = "trl-dpo", "group"
	lines := decode[TRLDPOLine](t, export(t, o, exporttest.Groups()[0]))
	if len(lines) != 2 || node(lines[0].ForkUID) != "0" || node(lines[1].ForkUID) != "4" {
		t.Fatalf("%+v", lines)
	}
	var said []string
	for _, m := range lines[1].Chosen {
		said = append(said, m.Role+": "+m.Content)
	}
	if want := []string{"assistant: <think>s3a</think>", "user: After s3a.", "assistant: <think>s4a</think>"}; !slices.Equal(said, want) {
		t.Errorf("chosen: %q", said)
	}
	if m, _ := written(t, o, exporttest.Groups()[2]); m.Lines != 0 || m.Refused() == nil || !strings.Contains(m.LeftOut[len(m.LeftOut)-1].Reason, "window") {
		t.Errorf("window: %d lines, left out %+v", m.Lines, m.LeftOut)
	}
	other := exporttest.Star() // a second tree of the same task
	other.ID = "OTHER"
	lines = decode[TRLDPOLine](t, export(t, o, []*sparkd.Tree{exporttest.Star(), other}))
	if len(lines) != 4 {
		t.Errorf("%d pairs of two trees", len(lines))
	}
}

// TestPairsShareTheirPrefix: on random trees prompt and output of both sides are what the
// model saw and drew.
func TestPairsShareTheirPrefix(t *testing.T) {
	total := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 5))
		tree := drawnTree(rng)
		for _, n := range tree.Nodes {
			for i := range n.Spans {
				if s := &n.Spans[i]; s.Source == sparkd.SourcePrompt {
					s.Text, s.Turns = "hi", []sparkd.Turn{{Role: "user", From: 0, To: 2}}
				}
			}
		}
		o := DefaultOptions()
		o.Format, o.Pairs.Most = "trl-dpo", 0
		for _, l := range decode[TRLDPOLine](t, export(t, o, []*sparkd.Tree{tree})) {
			total++
			var fork, chosen, rejected int
			fmt.Sscan(node(l.ForkUID), &fork)
			fmt.Sscan(node(l.ChosenUID), &chosen)
			fmt.Sscan(node(l.RejectedUID), &rejected)
			if !slices.Equal(l.PromptIDs, tree.Tokens(fork)) || tree.Nodes[chosen].Parent != fork || tree.Nodes[rejected].Parent != fork ||
				!slices.Equal(l.ChosenIDs, tree.Nodes[chosen].Model().Tokens) || !slices.Equal(l.RejectedIDs, tree.Nodes[rejected].Model().Tokens) {
				t.Fatalf("seed %d: %+v", seed, l)
			}
		}
	}
	if total < 100 {
		t.Errorf("only %d pairs were looked at", total)
	}
}

// node is the part of a uid behind the tree.
func node(uid string) string { return uid[strings.IndexByte(uid, ':')+1:] }
