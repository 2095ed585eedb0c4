package export

import (
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/export/exporttest"
)

func TestFilters(t *testing.T) {
	groups := func() [][]*sparkd.Tree {
		flat := exporttest.Star() // no trajectory of it reaches the goal
		flat.ID, flat.Rollout = "FLAT", "other"
		flat.Task = sparkd.Task{Env: "e", Split: "test", Index: 1}
		flat.Nodes[8].Outcome, flat.Nodes[8].Reward = sparkd.OutcomeFailure, 0
		flat.Nodes[8].PolicyVersion = "8"
		return append(exporttest.Groups(), []*sparkd.Tree{flat})
	}
	for filter, want := range map[string]int{ // lines of format slime: sequences
		"":                                  18,
		"rollout=other":                     3,
		"rollout=none":                      0,
		"env=e":                             3,
		"split=train":                       15,
		"task=household/train/18":           3,
		"policy_version=7":                  15,
		"policy_version=8":                  0,
		"mixed=true":                        15,
		"mixed=false":                       3,
		"outcome=step_limit":                5, // s3b of T*, three steps of it in the window, s3b of FLAT
		"success=true":                      7,
		"success=false,split=test":          3,
		"min_reward=1":                      7,
		"min_reward=2":                      0,
		"task=e/test/1,outcome=failure":     2,
		"env=household,mixed=true,split=xx": 0,
	} {
		f, err := ParseFilter(filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if again, err := ParseFilter(f.String()); err != nil || again.String() != f.String() {
			t.Errorf("%s is written %q, which reads %q, %v", filter, f.String(), again.String(), err)
		}
		o := DefaultOptions()
		o.Format, o.Filter = "slime", f
		if got := strings.Count(string(export(t, o, groups()...)), "\n"); got != want {
			t.Errorf("%q keeps %d sequences, want %d", filter, got, want)
		}
	}
}

// TestFilterKeepsAdvantages: what is left has been compared with all of its group.
func TestFilterKeepsAdvantages(t *testing.T) {
	o := DefaultOptions()
	type row struct {
		TrajUID   string `json:"traj_uid"`
		NodeUID   string `json:"node_uid"`
		Advantage float64
	}
	all := decode[row](t, o.Format, export(t, o, exporttest.Groups()...))
	o.Filter = Filter{Outcome: sparkd.OutcomeSuccess}
	kept := decode[row](t, o.Format, export(t, o, exporttest.Groups()...))
	if len(kept) == 0 {
		t.Fatal("no rows")
	}
	for _, k := range kept {
		i := slices.IndexFunc(all, func(r row) bool {
			return r.TrajUID == k.TrajUID && r.NodeUID == k.NodeUID
		})
		if all[i].Advantage != k.Advantage {
			t.Errorf("%s of %s: advantage %v, without the filter %v",
				k.NodeUID, k.TrajUID, k.Advantage, all[i].Advantage)
		}
	}
}

func TestBadFilters(t *testing.T) {
	for filter, field := range map[string]string{
		"color=red": "filter.color", "success": "filter", "success=": "filter", "success=yes": "filter.success",
		"mixed=1": "filter.mixed", "outcome=won": "filter.outcome",
		"min_reward=x": "filter.min_reward", "min_reward=NaN": "filter.min_reward",
		"task=7": "filter.task", "env=a,env=b": "filter.env", ",": "filter", "split=a,": "filter",
	} {
		_, err := ParseFilter(filter)
		if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeInvalid || e.Field != field || e.Remedy == "" {
			t.Errorf("%s: %+v, want an error about %s", filter, e, field)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add("")
	f.Add("rollout=a,env=b,split=c,task=a/b/1,policy_version=w," +
		"mixed=true,outcome=success,success=false,min_reward=-1e3")
	f.Add("=,=")
	f.Add("success=maybe")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseFilter(text)
		if err != nil {
			if sparkd.CodeOf(err) != sparkd.CodeInvalid {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		second, err := ParseFilter(first.String())
		if err != nil || second.String() != first.String() {
			t.Fatalf("%q is written %q, which reads %q, %v", text, first.String(), second.String(), err)
		}
	})
}
