package export

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"sparkd"
	"sparkd/export/exporttest"
)

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

// TestFilteredTree: a tree's line has all nodes, and of its trajectories, with their numbers, those that are kept.
func TestFilteredTree(t *testing.T) {
	type line struct {
		Nodes []struct {
			ID                int
			Tokens            []sparkd.Token
			Advantage, Weight float64
		}
		Leaves []struct{ Leaf int }
	}
	o := DefaultOptions()
	o.Format = "tree"
	whole := decode[line](t, o.Format, export(t, o, []*sparkd.Tree{exporttest.Star()}))[0]
	o.Filter, _ = ParseFilter("success=true")
	some := decode[line](t, o.Format, export(t, o, []*sparkd.Tree{exporttest.Star()}))[0]
	if len(some.Leaves) == 0 || len(some.Leaves) >= len(whole.Leaves) || len(some.Nodes) != len(whole.Nodes) {
		t.Fatalf("%d of %d leaves, %d of %d nodes",
			len(some.Leaves), len(whole.Leaves), len(some.Nodes), len(whole.Nodes))
	}
	dropped := 0
	for i, n := range some.Nodes {
		full := whole.Nodes[i]
		if fmt.Sprint(n.Tokens) != fmt.Sprint(full.Tokens) {
			t.Errorf("node %d has other tokens", i)
		}
		if n.Weight == 0 && n.Advantage == 0 && full.Weight != 0 {
			dropped++
		} else if n.Weight != full.Weight || n.Advantage != full.Advantage {
			t.Errorf("node %d: %+v, in the whole export %+v", i, n, full)
		}
	}
	if dropped == 0 {
		t.Error("no node of a dropped trajectory")
	}
}

// TestFilteredAway: an export that its filter leaves empty is what was asked for.
func TestFilteredAway(t *testing.T) {
	o := DefaultOptions()
	o.Filter, _ = ParseFilter("env=nope")
	m, lines := written(t, o, []*sparkd.Tree{exporttest.Star()})
	if err := m.Refused(); err != nil || len(lines) > 0 || len(m.LeftOut) != 1 || m.LeftOut[0].Reason != "filter env" {
		t.Errorf("%v, %q, left out %+v", err, lines, m.LeftOut)
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
