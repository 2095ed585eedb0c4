package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sparkd/cmd/sparkd/report"
)

var times = regexp.MustCompile(`\d+\.\d s`)

// TestCompare runs policies side by side and reads the table, the JSON and the page.
func TestCompare(t *testing.T) {
	s := newSession(t)
	page := filepath.Join(s.dir, "compare.html")
	args := []string{"compare", "--id", "c", "--policies", "spark,linear,random:probability=0.5:branch=3",
		"--tasks", "3", "--max-steps", "14", "--leaves", "6", "--seed", "3", "--out", page}
	shown := s.must(args...)
	golden(t, "compare.txt", times.ReplaceAll(s.timeless(shown.stdout), []byte("T s")))

	var got report.Comparison
	if err := json.Unmarshal([]byte(s.must(append(args, "--json")...).stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 3 || got.Rows[0].Difference != nil || got.Rows[1].Difference == nil {
		t.Fatalf("%+v", got.Rows)
	}
	for _, r := range got.Rows {
		sum := r.Summary
		if sum.Tasks != 3 || sum.Trajectories == 0 || sum.PassAt1.Low > sum.PassAt1.Value ||
			sum.PassAt1.High < sum.PassAt1.Value {
			t.Errorf("%s: %+v", r.Label, sum)
		}
		if d := sum.Saved.Value - sum.SavedByFormula; d > 1e-9 || d < -1e-9 {
			t.Errorf("%s: saved %v, by formula %v", r.Label, sum.Saved.Value, sum.SavedByFormula)
		}
	}
	if linear := got.Rows[1]; *linear.Policy.Roots != 6 || len(linear.Summary.ForkDepths) != 0 ||
		linear.Summary.Saved.Value != 0 {
		t.Errorf("chains: %+v", linear)
	}
	if p := got.Rows[2].Policy; *p.Probability != .5 || *p.Branch != 3 {
		t.Errorf("parameters: %+v", p)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "random:probability=0.5:branch=3", "pass@1", "forks, by the steps"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if loads := regexp.MustCompile(`(src|href)=|url\(|@import`).FindString(string(html)); loads != "" {
		t.Errorf("the page loads something: %s", loads)
	}
}

// TestCompareContexts: a window computes more of its prompts than a context that grows.
func TestCompareContexts(t *testing.T) {
	s := newSession(t)
	var got report.Comparison
	r := s.must("compare", "--policies", "spark", "--contexts", "append,window", "--tasks", "2", "--max-steps", "6",
		"--json")
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 2 || got.Rows[0].Context != "append" || got.Rows[1].Label != "spark/window" {
		t.Fatalf("%+v", got.Rows)
	}
	if a, w := got.Rows[0].Summary, got.Rows[1].Summary; a.Unique >= w.Unique {
		t.Errorf("append needs %d unique prompt tokens, window %d", a.Unique, w.Unique)
	}
}

func TestCompareRefuses(t *testing.T) {
	s := newSession(t)
	for _, tt := range []struct{ flag, value, says string }{
		{"--policies", "spark,mcts", `unknown policy "mcts"`},
		{"--policies", "spark,spark", "listed twice"},
		{"--policies", "linear,grpo", "linear is listed twice: as linear and as grpo"},
		{"--policies", "arpo,ARPO", "listed twice"},
		{"--policies", "spark,spark:roots=4:max_depth=0", "listed twice"},
		{"--contexts", "append,append", "listed twice"},
		{"--policies", "random:p", "is no parameter"},
		{"--policies", "random:roots=9", "policy.roots"},
		{"--policies", "random:probability=2", "policy.probability"},
		{"--policies", "random:chance=0.2", `"chance" is no parameter`},
		{"--policies", "random:probability=high", "probability"},
		{"--contexts", "append,none", "context.mode"},
		{"--budget-tokens", "-1", "budget.generated_tokens"},
	} {
		r := s.run("compare", tt.flag, tt.value)
		if r.code != exitUsage || !strings.Contains(r.stderr, tt.says) || r.stdout != "" {
			t.Errorf("%s %s: exit %d, %s%s", tt.flag, tt.value, r.code, r.stdout, r.stderr)
		}
	}
}
