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

// preference is what the tests look at of a line of trl-dpo.
type preference struct {
	Prompt, Chosen []struct{ Role, Content string }
	PromptIDs      []sparkd.Token `json:"prompt_ids"`
	ChosenIDs      []sparkd.Token `json:"chosen_ids"`
	RejectedIDs    []sparkd.Token `json:"rejected_ids"`
	ChosenReturn   float64        `json:"chosen_return"`
	RejectedReturn float64        `json:"rejected_return"`
	ForkUID        string         `json:"fork_uid"`
	ChosenUID      string         `json:"chosen_uid"`
	RejectedUID    string         `json:"rejected_uid"`
}

func preferred(t *testing.T, o Options, group ...*sparkd.Tree) []preference {
	t.Helper()
	return decode[preference](t, o.Format, export(t, o, group))
}

func TestSiblingPairs(t *testing.T) {
	o := DefaultOptions()
	o.Format = "trl-dpo"
	short := func(l preference) string {
		return fmt.Sprintf("%s>%s@%s", nodeOf(l.ChosenUID), nodeOf(l.RejectedUID), nodeOf(l.ForkUID))
	}
	pairs := func(trees ...*sparkd.Tree) string {
		var text []string
		for _, l := range preferred(t, o, trees...) {
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
	lines := preferred(t, o, exporttest.Groups()[0]...)
	if len(lines) != 2 || nodeOf(lines[0].ForkUID) != "0" || nodeOf(lines[1].ForkUID) != "4" {
		t.Fatalf("%+v", lines)
	}
	var said []string
	for _, m := range lines[1].Chosen {
		said = append(said, m.Role+": "+m.Content)
	}
	want := []string{"assistant: <think>s3a</think>", "user: After s3a.", "assistant: <think>s4a</think>"}
	if !slices.Equal(said, want) {
		t.Errorf("chosen: %q", said)
	}
	m, _ := written(t, o, exporttest.Groups()[2])
	last := m.LeftOut[len(m.LeftOut)-1]
	if m.Lines != 0 || m.Refused() == nil || !strings.Contains(last.Reason, "window") {
		t.Errorf("window: %d lines, left out %+v", m.Lines, m.LeftOut)
	}
	other := exporttest.Star() // a second tree of the same task
	other.ID = "OTHER"
	lines = preferred(t, o, exporttest.Star(), other)
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
		for _, l := range preferred(t, o, tree) {
			total++
			var fork, chosen, rejected int
			fmt.Sscan(nodeOf(l.ForkUID), &fork)
			fmt.Sscan(nodeOf(l.ChosenUID), &chosen)
			fmt.Sscan(nodeOf(l.RejectedUID), &rejected)
			a, b := tree.Nodes[chosen], tree.Nodes[rejected]
			if !slices.Equal(l.PromptIDs, tree.Tokens(fork)) || a.Parent != fork || b.Parent != fork ||
				!slices.Equal(l.ChosenIDs, a.Model().Tokens) || !slices.Equal(l.RejectedIDs, b.Model().Tokens) {
				t.Fatalf("seed %d: %+v", seed, l)
			}
		}
	}
	if total < 100 {
		t.Errorf("only %d pairs were looked at", total)
	}
}

// nodeOf is the part of a uid behind the tree.
func nodeOf(uid string) string { return uid[strings.IndexByte(uid, ':')+1:] }
