package reward

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sparkd"
)

// tree has three trajectories that ended, two of which share their first step, a failed
// branch and one that never ended.
func tree() *sparkd.Tree {
	opening := []sparkd.Span{{Source: sparkd.SourcePrompt, Text: "You are in a room."}}
	t := &sparkd.Tree{ID: "T1", Rollout: "r", Goal: `put a "mug" on the desk <now>`,
		Task:  sparkd.Task{Env: "household", Split: "train", Index: 17},
		Nodes: []*sparkd.Node{{Parent: -1, Reward: .25, Spans: opening}}}
	grow := func(parent int, action, observation string, o sparkd.Outcome, reward float64) {
		id := len(t.Nodes)
		t.Nodes = append(t.Nodes, &sparkd.Node{
			ID: id, Parent: parent, Depth: t.Nodes[parent].Depth + 1, Action: action, Valid: true,
			Outcome: o, Done: o != sparkd.OutcomeNone, Reward: reward, Spans: []sparkd.Span{
				{Source: sparkd.SourceModel, Text: "<action>" + action + "</action>"},
				{Source: sparkd.SourceEnv, Text: observation}, {Source: sparkd.SourcePrompt, Text: "the next prompt"}}})
	}
	grow(0, "go", "A desk.", "", 0)                   // 1
	grow(1, "put", "Done.", sparkd.OutcomeSuccess, 1) // 2
	grow(1, "wait", "Nothing happens.", "", 0)        // 3
	grow(3, "wait", "Nothing happens.", "step_limit", 0)
	grow(0, "wait", "Nothing happens.", "failure", 0) // 5
	grow(0, "go", "", sparkd.OutcomeFailed, 0)
	grow(5, "late", "", sparkd.OutcomeFailed, 0)
	grow(0, "go", "A desk.", "", .5) // 8: never ended
	return t
}

// python is the interpreter itself: what is called python3 can be a script that takes
// longer to start it than it to run.
var python = sync.OnceValue(func() string {
	path, _ := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(path))
})

// rule starts testdata/rule.py.
func rule(t *testing.T, o Options, args ...string) *Scorer {
	t.Helper()
	if python() == "" {
		t.Skip("no python3: rules are Python here")
	}
	o.Command = append([]string{python(), filepath.Join("testdata", "rule.py")}, args...)
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func rewards(t *sparkd.Tree) []float64 {
	var r []float64
	for _, n := range t.Nodes {
		r = append(r, n.Reward)
	}
	return r
}

func TestRescore(t *testing.T) {
	before, _ := json.Marshal(tree())
	for mode, want := range map[string][]float64{
		"length":    {0, 0, 1.23, 0, .22, .24, 0, 0, 0}, // the return counts node 0's .25
		"shaped":    {0, .1, 1.35, 0, .25, .25, 0, 0, 0},
		"both":      {0, .1, 1.35, 0, .25, .25, 0, 0, 0},
		"unflushed": {0, 0, 1, 0, 1, 1, 0, 0, 0},
	} {
		s := rule(t, Options{Restarts: -1}, mode)
		for range 3 { // one process for all trees
			in := tree()
			out, err := s.Rescore(t.Context(), in)
			if err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
			for i, r := range rewards(out) {
				if d := r - want[i]; d > 1e-12 || d < -1e-12 {
					t.Fatalf("%s: rewards %v, want %v", mode, rewards(out), want)
				}
			}
			if after, _ := json.Marshal(in); string(after) != string(before) {
				t.Fatalf("%s: the tree itself has changed", mode)
			}
			for i, n := range out.Nodes {
				restored := *n
				restored.Reward = in.Nodes[i].Reward
				if !reflect.DeepEqual(&restored, in.Nodes[i]) {
					t.Fatalf("%s: node %d changed beyond its reward", mode, i)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// TestWhatTheRuleReads pins the lines of the protocol, which come back on stderr.
func TestWhatTheRuleReads(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	s := rule(t, Options{Log: func(l string) { mu.Lock(); lines = append(lines, l); mu.Unlock() }}, "echo")
	if _, err := s.Rescore(t.Context(), tree()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := `{"id":"T1:2","rollout":"r","tree":"T1","task":"household/train/17","leaf":2,` +
		`"goal":"put a \"mug\" on the desk <now>","opening":"You are in a room.",` +
		`"steps":[{"node":1,"output":"<action>go</action>","action":"go","observation":"A desk.",` +
		`"reward":0,"valid":true,"admissible":false,"outcome":""},` +
		`{"node":2,"output":"<action>put</action>","action":"put","observation":"Done.",` +
		`"reward":1,"valid":true,"admissible":false,"outcome":"success"}],` +
		`"return":1.25,"length":2,"outcome":"success","success":true}`
	if len(lines) != 3 || lines[0] != want {
		t.Errorf("%d lines, the first\n%s\nwant\n%s", len(lines), lines[0], want)
	}
}

// TestRestart: a rule that failed once is started again and gets the tree from its
// beginning.
func TestRestart(t *testing.T) {
	for mode, last := range map[string]float64{"crash-once": 3, "garbage-once": 2, "silent-once": 3} {
		var s *Scorer
		again := 0
		mark := filepath.Join(t.TempDir(), "mark") // tells the second run from the first
		o := Options{Restarts: 1, Log: func(line string) {
			if strings.Contains(line, "started again") { // said by Rescore itself
				again++
				s.o.Timeout = time.Minute
				if err := os.WriteFile(mark, nil, 0o600); err != nil {
					t.Error(err)
				}
			}
		}}
		if mode == "silent-once" {
			o.Timeout = 200 * time.Millisecond
		}
		s = rule(t, o, mode, mark)
		out, err := s.Rescore(t.Context(), tree())
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		if out.Nodes[5].Reward != last {
			t.Errorf("%s: rewards %v, want %v at last", mode, rewards(out), last)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		if again != 1 {
			t.Errorf("%s: started again %d times", mode, again)
		}
	}
}

// TestGiveUp: one tree that a rule cannot do is only that; a rule that does none is not
// started for ever.
func TestGiveUp(t *testing.T) {
	runs := 0
	s := rule(t, Options{Restarts: 1, Log: func(line string) {
		if line == "out of luck" {
			runs++
		}
	}}, "crash-at-T2")
	one, two := tree(), tree()
	two.ID = "T2"
	for i, tt := range []struct {
		in   *sparkd.Tree
		runs int
		says string
	}{
		{two, 2, "out of luck"}, {one, 2, ""}, {two, 4, "out of luck"}, {two, 6, "out of luck"},
		{two, 6, "2 trees in a row"}, {one, 6, "2 trees in a row"},
	} {
		_, err := s.Rescore(t.Context(), tt.in)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) || runs != tt.runs {
			t.Fatalf("call %d: %v after %d failed runs, want %q after %d", i, err, runs, tt.says, tt.runs)
		}
	}
}

// TestFaults: whatever a rule does is an error about reward_cmd in bounded time.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		mode, says string
		code       sparkd.Code
	}{
		{"crash", "exit status 1", sparkd.CodeInvalid},
		{"crash", "out of luck", sparkd.CodeInvalid},
		{"exit-0", "exit status 0", sparkd.CodeInvalid},
		{"one-answer", "ended before it had answered", sparkd.CodeInvalid},
		{"garbage", "cannot be read", sparkd.CodeInvalid},
		{"empty", "cannot be read", sparkd.CodeInvalid},
		{"nan", "cannot be read", sparkd.CodeInvalid},
		{"infinite", "cannot be read", sparkd.CodeInvalid},
		{"silent", "no answer", sparkd.CodeDeadline},
		{"wrong-id", `"other" where "T1:2" is next`, sparkd.CodeInvalid},
		{"no-id", `"" where "T1:2" is next`, sparkd.CodeInvalid},
		{"no-reward", "neither", sparkd.CodeInvalid},
		{"null", "neither", sparkd.CodeInvalid},
		{"twice", `"T1:2" where "T1:4" is next`, sparkd.CodeInvalid},
		{"too-few", "1 rewards for 2 steps", sparkd.CodeInvalid},
		{"disagree", "whose sum is", sparkd.CodeInvalid},
		{"quarrel", "step 1, which trajectories share, rewards of 1 and 2", sparkd.CodeInvalid},
		{"mixed", "step 1, which trajectories share, rewards of 0.5 and 0", sparkd.CodeInvalid},
		{"endless-line", "more than 1048576 bytes", sparkd.CodeInvalid},
		{"endless-lines", `"" where "T1:2" is next`, sparkd.CodeInvalid},
		{"closed-input", "no answer", sparkd.CodeDeadline},
		{"closed-output", "no answer", sparkd.CodeDeadline},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			o := Options{Restarts: -1}
			if tt.code == sparkd.CodeDeadline {
				o.Timeout = 300 * time.Millisecond
			}
			s := rule(t, o, tt.mode)
			_, err := s.Rescore(t.Context(), tree())
			e := sparkd.AsError(err)
			if e == nil || e.Code != tt.code || e.Field != "reward_cmd" || e.Remedy == "" ||
				!strings.Contains(e.Message, tt.says) || !strings.Contains(e.Message, "T1") {
				t.Fatalf("%+v, want %s about reward_cmd that says %q", e, tt.code, tt.says)
			}
			if err := s.Close(); err != nil && tt.mode != "quarrel" && tt.mode != "mixed" {
				t.Error(err)
			}
		})
	}
}

func TestFaultsAtTheEnd(t *testing.T) {
	for mode, says := range map[string]string{"crash-at-end": "exit status 7", "stay": "did not end",
		"twice-at-end": "more lines"} {
		s := rule(t, Options{}, mode)
		if _, err := s.Rescore(t.Context(), tree()); err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		if mode == "stay" {
			s.o.Timeout = 100 * time.Millisecond
		}
		if err := s.Close(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", mode, err, says)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: closed again: %v", mode, err)
		}
		if _, err := s.Rescore(t.Context(), tree()); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
			t.Errorf("%s: after Close: %v", mode, err)
		}
	}
}

// TestLinesTooMany: an answer that nobody asked for is noticed with the next tree.
func TestLinesTooMany(t *testing.T) {
	s := rule(t, Options{Restarts: -1}, "twice-at-end")
	if _, err := s.Rescore(t.Context(), tree()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rescore(t.Context(), tree()); err == nil || !strings.Contains(err.Error(), "is next") {
		t.Errorf("%v", err)
	}
}

// TestCancel: the rule ends with the call's context or its own, and what it started too.
func TestCancel(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	s := rule(t, Options{}, "silent", mark)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := s.Rescore(ctx, tree())
	if sparkd.CodeOf(err) != sparkd.CodeDeadline || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}

	life, end := context.WithCancel(t.Context())
	s, err = Start(life, Options{Command: []string{"sh", "-c", "sleep 600 & wait"}})
	if err != nil {
		t.Fatal(err)
	}
	end()
	if _, err := s.Rescore(t.Context(), tree()); sparkd.CodeOf(err) != sparkd.CodeCanceled {
		t.Errorf("%v", err)
	}
}

// TestNothingToAsk: a tree without an ended trajectory needs no answer.
func TestNothingToAsk(t *testing.T) {
	s := rule(t, Options{Restarts: -1}, "crash")
	for _, in := range []*sparkd.Tree{{ID: "empty"}, {ID: "growing", Nodes: tree().Nodes[:2]}} {
		out, err := s.Rescore(t.Context(), in)
		if err != nil || len(out.Nodes) != len(in.Nodes) {
			t.Errorf("%s: %v, %v", in.ID, out, err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for _, tt := range []struct {
		o     Options
		field string
	}{
		{Options{}, "reward_cmd"},
		{Options{Command: []string{""}}, "reward_cmd"},
		{Options{Command: []string{"no-such-program-here"}}, "reward_cmd"},
		{Options{Command: []string{"true"}, Timeout: -1}, "reward_timeout"},
	} {
		s, err := Start(t.Context(), tt.o)
		if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeInvalid || e.Field != tt.field || e.Remedy == "" {
			t.Errorf("%+v: %v, %v", tt.o, s, err)
		}
	}
}

// BenchmarkRescore: trees a second through a real rule.
func BenchmarkRescore(b *testing.B) {
	s, err := Start(b.Context(), Options{Command: []string{python(), filepath.Join("testdata", "rule.py"), "length"}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	in := tree()
	for b.Loop() {
		if _, err := s.Rescore(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(3*b.N)/b.Elapsed().Seconds(), "trajectories/s")
}
