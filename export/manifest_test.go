package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/export/exporttest"
)

// written exports groups and returns the manifest and the lines.
func written(t *testing.T, o Options, groups ...[]*sparkd.Tree) (Manifest, []byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if err := w.Write(g); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return w.Manifest(), out.Bytes()
}

func TestManifestCounts(t *testing.T) {
	variants(func(name string, o Options) {
		m, lines := written(t, o, exporttest.Groups()...)
		if m.Format != o.Format || m.Dedupe != o.Dedupe ||
			m.Advantage != "spark-rows" || m.Estimator.RewardScale != 10 {
			t.Errorf("%s: made by %+v", name, m)
		}
		if m.Groups != 3 || m.Trees != 3 || m.Trajectories != 9 || m.Steps != 18 || m.PolicyVersions["7"] != 18 {
			t.Errorf("%s: %+v", name, m)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256(lines))
		if m.Lines != bytes.Count(lines, []byte("\n")) || m.Bytes != int64(len(lines)) || m.SHA256 != sum {
			t.Errorf("%s: %d lines, %d bytes, sum %s", name, m.Lines, m.Bytes, m.SHA256)
		}
		if m.Refused() != nil {
			t.Errorf("%s: %v", name, m.Refused())
		}
		if !slices.Contains(sequenceFormats, o.Format) {
			return
		}
		tokens, trained, weight := 0, 0, 0.0
		for _, s := range read(t, o.Format, lines) {
			tokens += len(s.ids)
			for i := range s.ids {
				if s.trained[i] {
					trained++
					if s.weights != nil {
						weight += s.weights[i]
					}
				}
			}
			if s.weights == nil {
				weight = m.Weight
			}
		}
		if m.Tokens != tokens || m.TrainedTokens != trained || m.Weight != weight {
			t.Errorf("%s: %d tokens, %d trained, weight %v, in the lines %d, %d, %v",
				name, m.Tokens, m.TrainedTokens, m.Weight, tokens, trained, weight)
		}
	})
}

// TestWeights: unique weighs as much as copies; tree weighs every drawn token once.
func TestWeights(t *testing.T) {
	o := DefaultOptions()
	o.Format = "verl"
	weights := map[string]float64{}
	for _, o.Dedupe = range Dedupes() {
		m, _ := written(t, o, exporttest.Groups()...)
		weights[o.Dedupe] = m.Weight
		if o.Dedupe == "tree" && m.Weight != float64(m.TrainedTokens) {
			t.Errorf("tree: weight %v of %d tokens", m.Weight, m.TrainedTokens)
		}
	}
	if weights["copies"] != weights["unique"] || weights["tree"] >= weights["unique"] {
		t.Errorf("weights %v", weights)
	}
}

// leftOut are exports of T*, as change leaves it, that leave something out.
var leftOut = []struct {
	name         string
	set          func(*Options)
	change       func(*sparkd.Tree)
	what, reason string
	count, lines int
}{
	{"no logprobs", withFormat("trl-grpo"), withoutLogprobs, "sequence", "trl-grpo needs logprobs", 3, 0},
	{"logprobs of one step missing", withFormat("atropos"),
		func(t *sparkd.Tree) { t.Nodes[8].Spans[0].Logprobs = nil },
		"sequence", "atropos needs logprobs", 1, 1},
	{"only sampled logprobs", withFormat("areal"), func(t *sparkd.Tree) {
		m := t.Nodes[8].Model()
		m.Logprobs, m.SampledLogprobs = nil, m.Logprobs
	}, "branch", "it broke: env", 1, 3},
	{"undefined estimator", func(o *Options) { o.Advantage = "treerl" }, withOneTrajectory,
		"group", "treerl: only one trajectory ended", 1, 0},
	{"no logprobs to estimate with", func(o *Options) { o.Advantage = "at2po" }, withoutLogprobs,
		"group", "at2po: no entropy is known", 1, 0},
	{"unfinished", func(*Options) {}, func(t *sparkd.Tree) { t.Nodes[5].Outcome = "" },
		"trajectory", "it did not end", 1, 7},
	{"no messages", withFormat("openai-messages"), withoutTurns, "sequence", "its prompt does not say", 3, 0},
	{"no messages of pairs", withFormat("trl-dpo"), withoutTurns, "pair", "its prompt does not say", 2, 0},
	{"no nodes", func(*Options) {}, func(t *sparkd.Tree) {
		t.Nodes, t.Error = nil, sparkd.Errorf(sparkd.CodeEngine, "no")
	}, "tree", "it failed before its opening: engine", 1, 0},
	{"canceled before it began", func(*Options) {}, func(t *sparkd.Tree) {
		t.Nodes, t.State = nil, sparkd.TreeCanceled
	}, "tree", "it was canceled before its opening", 1, 0},
	{"no pair", withFormat("trl-dpo"), withOneTrajectory, "tree", "only one trajectory ended", 1, 0},
	{"no pair in the group", func(o *Options) { o.Format, o.Pairs.By = "trl-dpo", "group" }, withOneTrajectory,
		"group", "only one trajectory ended", 1, 0},
	{"ties", func(o *Options) { o.Format, o.Dedupe = "trl-kto", "unique" }, func(*sparkd.Tree) {},
		"step", "as many of its trajectories", 2, 5},
	{"filter", func(o *Options) { o.Filter.Outcome = sparkd.OutcomeFailure }, func(*sparkd.Tree) {},
		"trajectory", "filter outcome", 2, 2},
}

func withFormat(name string) func(*Options) { return func(o *Options) { o.Format = name } }

func withoutLogprobs(t *sparkd.Tree) {
	for _, n := range t.Nodes[1:] {
		if m := n.Model(); m != nil {
			m.Logprobs = nil
		}
	}
}

func withoutTurns(t *sparkd.Tree) { t.Nodes[0].Spans[0].Turns = nil }

func withOneTrajectory(t *sparkd.Tree) { t.Nodes[5].Outcome, t.Nodes[7].Outcome = "", "" }

func TestLeftOut(t *testing.T) {
	for _, c := range leftOut {
		o, tree := DefaultOptions(), exporttest.Star()
		c.set(&o)
		c.change(tree)
		m, _ := written(t, o, []*sparkd.Tree{tree})
		found := LeftOut{}
		for _, l := range m.LeftOut {
			if l.What == c.what && strings.HasPrefix(l.Reason, c.reason) {
				found = l
			}
		}
		if found.Count != c.count || m.Lines != c.lines {
			t.Errorf("%s: %d lines, want %d; left out %+v, want %d times %q",
				c.name, m.Lines, c.lines, m.LeftOut, c.count, c.reason)
		}
		refused := sparkd.AsError(m.Refused())
		if (refused != nil) != (m.Lines == 0 && found.Remedy != "") || refused != nil && refused.Remedy == "" {
			t.Errorf("%s: refused with %+v", c.name, refused)
		}
	}
}

// TestManifestIsBounded: as many reasons as groups make neither the counts wrong nor the
// manifest long.
func TestManifestIsBounded(t *testing.T) {
	var m, half Manifest
	for i := range 500 {
		(map[bool]*Manifest{true: &m, false: &half})[i%2 == 0].omit("tree", fmt.Sprint("reason ", i), "remedy", "t")
		m.sampled(fmt.Sprint("w", i), 1)
	}
	m.Add(&half)
	left, steps := 0, 0
	for _, l := range m.LeftOut {
		left += l.Count
	}
	for _, n := range m.PolicyVersions {
		steps += n
	}
	if left != 500 || steps != 500 || len(m.LeftOut) > mostReasons+1 || len(m.PolicyVersions) > 101 {
		t.Errorf("%d left out for %d reasons, %d steps of %d versions",
			left, len(m.LeftOut), steps, len(m.PolicyVersions))
	}
}

// TestRescore: the rule's rewards are those that are compared and written; a tree that it
// fails for is left out, and a cancelled export ends.
func TestRescore(t *testing.T) {
	o := DefaultOptions()
	o.Rescore = func(tree *sparkd.Tree) (*sparkd.Tree, error) {
		switch tree.Task.Index {
		case 17:
			again := exporttest.Star()
			again.Nodes[5].Reward = 3
			return again, nil
		case 18: // late, as a rule that hangs
			return nil, &sparkd.Error{Code: sparkd.CodeDeadline, Message: "no answer", Remedy: "repair the rule"}
		}
		return nil, t.Context().Err()
	}
	m, lines := written(t, o, exporttest.Groups()[:2]...)
	type row struct {
		EpisodeReward float64 `json:"episode_reward"`
		Advantage     float64
	}
	rows := decode[row](t, o.Format, lines)
	if len(rows) != 9 || rows[0].EpisodeReward != 3 || rows[0].Advantage < 0 || !m.Rescored {
		t.Errorf("%d rows, the first %+v", len(rows), rows[0])
	}
	l := m.LeftOut[len(m.LeftOut)-1]
	if len(m.LeftOut) != 2 || m.LeftOut[0].Reason != "it was not re-scored: no answer" || l.Count != 1 {
		t.Errorf("left out %+v", m.LeftOut)
	}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} { // of the export
		end := sparkd.AsError(end)
		o.Rescore = func(*sparkd.Tree) (*sparkd.Tree, error) { return nil, end }
		w, err := NewWriter(&bytes.Buffer{}, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(exporttest.Groups()[0]); sparkd.CodeOf(err) != end.Code {
			t.Errorf("%v, want %s", err, end.Code)
		}
	}
}
