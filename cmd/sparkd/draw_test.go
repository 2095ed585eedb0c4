package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/branching"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (rewrite with go test -update)\n--- got\n%s\n--- want\n%s", path, got, want)
	}
}

// sampleTree has two roots: one that forks at its second step, one long chain that a
// broken branch ends, and everything a step can say.
func sampleTree() *sparkd.Tree {
	t := &sparkd.Tree{
		ID: "01JTREE", Task: sparkd.Task{Env: "household", Split: "train", Index: 7},
		Goal: "put a clean mug in\ncoffeemachine", State: sparkd.TreeDone,
	}
	opening := sparkd.Span{Source: sparkd.SourcePrompt, Tokens: make([]sparkd.Token, 1412)}
	t.Nodes = []*sparkd.Node{{ID: 0, Parent: -1, Spans: []sparkd.Span{opening}}}
	add := func(parent int, action, tag, reason string, k int) *sparkd.Node {
		n := &sparkd.Node{ID: len(t.Nodes), Parent: parent, Depth: t.Nodes[parent].Depth + 1,
			Action: action, Valid: true, Admissible: true, Decision: sparkd.Decision{K: k, Reason: reason}}
		if tag != "" {
			n.Signals.Tags = []string{tag}
		}
		t.Nodes = append(t.Nodes, n)
		return n
	}
	add(0, "go to countertop 1", "think", "root", 2)
	add(0, "go to cabinet 1", "", "root", 2)
	add(1, "take mug 1 from countertop 1", "explore", "linear", 1)
	add(3, "go to sinkbasin 1", "think", "tag:explore", 2)
	wrong := add(3, "fly \x1b[2Jaway", "", "tag:explore", 2)
	wrong.Admissible = false
	won := add(4, "clean mug 1 with sinkbasin 1", "", "linear", 1)
	won.Reward, won.Done, won.Outcome = 1, true, sparkd.OutcomeSuccess
	wrong.Done, wrong.Outcome = true, sparkd.OutcomeStepLimit
	last := 2
	for range 7 {
		last = add(last, "look", "think", "linear", 1).ID
	}
	t.Nodes[last].Action, t.Nodes[last].Valid = "", false
	t.Nodes[last].Spans = []sparkd.Span{{Source: sparkd.SourceModel,
		Text: "I am not sure\nwhat to do now, but \x1b]0;title\a I could look at the shelf again"}}
	broken := add(last, "", "", "linear", 1)
	broken.Outcome, broken.Done = sparkd.OutcomeFailed, true
	broken.Error = sparkd.Errorf(sparkd.CodeEngine, "the engine went away")
	t.Stats = sparkd.Stats{Leaves: 3, Forks: 1, Nodes: 13, Failed: 1, Successes: 1, GeneratedTokens: 1204,
		PromptTokens: 30000, ComputedTokens: 2310, CachedTokens: 27690}
	return t
}

func TestDrawTree(t *testing.T) {
	advantage := make([]float64, 15)
	advantage[4], advantage[5] = 0.707, -0.707
	tests := map[string]drawing{
		"tree.txt":           {},
		"tree-all.txt":       {all: true},
		"tree-narrow.txt":    {width: 40},
		"tree-color.txt":     {width: 100, color: true},
		"tree-advantage.txt": {advantage: advantage},
	}
	for name, d := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			d.draw(&out, sampleTree())
			if !d.color && strings.Contains(out.String(), "\x1b") {
				t.Error("an escape sequence reached the terminal")
			}
			for row := range strings.Lines(out.String()) {
				if n := cells(strings.TrimRight(row, "\n")); d.width > 0 && !d.color && n > d.width {
					t.Errorf("a row fills %d of %d cells: %q", n, d.width, row)
				}
			}
			golden(t, name, out.Bytes())
		})
	}
}

func TestSummary(t *testing.T) {
	broken := sampleTree()
	broken.Task.Index, broken.State = 12, sparkd.TreeCanceled
	var out bytes.Buffer
	(&cli{}).summary(&out, []*sparkd.Tree{sampleTree(), broken})
	golden(t, "summary.txt", out.Bytes())
}

// Progress is one line that fits on a terminal, and plain lines elsewhere.
func TestProgress(t *testing.T) {
	r := &sparkd.Rollout{State: sparkd.RolloutRunning, Trees: []string{"a", "b"}, Done: 1,
		Spec: branching.DefaultSpec(),
		Stats: sparkd.Stats{Leaves: 9, Forks: 4, Nodes: 61, Failed: 2,
			GeneratedTokens: 600, PromptTokens: 1000, CachedTokens: 940}}
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var out bytes.Buffer
	p := progress{status: status{out: &out, begin: begin}}
	p.show(r, begin, false)
	p.show(r, begin.Add(time.Second), false) // too soon for another line
	r.Stats.GeneratedTokens = 1200
	p.show(r, begin.Add(10*time.Second), false)
	p = progress{status: status{out: &out, begin: begin, width: 80}}
	p.show(r, begin.Add(10*time.Second), false)
	p.end()
	golden(t, "progress.txt", out.Bytes())
}

// A tree that holds nothing yet is drawn too.
func TestDrawEmptyTree(t *testing.T) {
	var out bytes.Buffer
	tree := &sparkd.Tree{ID: "x", State: sparkd.TreeFailed, Error: sparkd.Errorf(sparkd.CodeEnv, "no such house")}
	if (drawing{}).draw(&out, tree); !strings.Contains(out.String(), "no such house") {
		t.Errorf("%s", &out)
	}
}

func TestCells(t *testing.T) {
	for text, want := range map[string]int{"abc": 3, "‹é›": 3, "日本": 4, "e\u0301": 1, "🙂": 2, "a\u200bb": 2} {
		if got := cells(text); got != want {
			t.Errorf("cells(%q) = %d, want %d", text, got, want)
		}
	}
	if got := (line{{text: "日本語"}}).render(4, false); cells(got) > 4 || got != "日…" {
		t.Errorf("cut in the middle of a wide letter: %q", got)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 leaves", 1: "1 leaf", 1204: "1,204 leaves", 1234567: "1,234,567 leaves"} {
		if got := count(n, "leaf"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[2Jb\r\n\u202ec")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range clean(s) {
			if r < ' ' || r == 0x7f || r == 0x202e {
				t.Errorf("%q lets %U through", s, r)
			}
		}
	})
}
