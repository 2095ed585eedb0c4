package coldstart

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/branching"
	"sparkd/env/alfworld"
	"sparkd/sampler"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// play returns a trajectory of the household.
func play(t *testing.T, index int, source Source) *Trajectory {
	t.Helper()
	task := sparkd.Task{Env: alfworld.Name, Split: "train", Index: index}
	tr, err := Play(t.Context(), alfworld.New(), task, source, 30, 0, 7)
	if err != nil || tr == nil {
		t.Fatal(tr, err)
	}
	return tr
}

// forms are the forms of rows.
var forms = []struct {
	name   string
	style  sampler.Style
	window int
}{
	{"compact-append", sampler.StyleCompact, 0}, {"paper-append", sampler.StylePaper, 0},
	{"paper-window", sampler.StylePaper, 2}, {"compact-window", sampler.StyleCompact, 5},
}

func TestRowsGolden(t *testing.T) {
	for _, f := range forms[:3] {
		var got bytes.Buffer
		lines := json.NewEncoder(&got)
		lines.SetEscapeHTML(false)
		for index, source := range []Source{Retro, Own} {
			for _, row := range Rows(play(t, index+2, source), sampler.Prompt{Style: f.style}, f.window) {
				if err := lines.Encode(row); err != nil {
					t.Fatal(err)
				}
			}
		}
		path := filepath.Join("testdata", f.name+".jsonl")
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs (rewrite with go test -update)\n--- got\n%s", path, got.Bytes())
		}
	}
}

// player is an engine that gives a trajectory's answers in turn. Its tokens are bytes.
type player struct{ answers []string }

func (p *player) Describe() sparkd.EngineInfo {
	return sparkd.EngineInfo{Name: "player", PolicyVersion: "v1", Vocabulary: 256, ContextLength: 1 << 20,
		BOS: -1, EOS: -1, EOT: -1,
		Capabilities: sparkd.Capabilities{TokenExact: true, Logprobs: "both", Entropy: "none", NativeK: true}}
}
func (p *player) Close() error { return nil }
func (p *player) Tokenize(_ context.Context, text string, _ bool) ([]sparkd.Token, error) {
	var out []sparkd.Token
	for _, b := range []byte(text) {
		out = append(out, sparkd.Token(b))
	}
	return out, nil
}
func (p *player) Detokenize(_ context.Context, ids []sparkd.Token) (string, error) {
	var b []byte
	for _, id := range ids {
		b = append(b, byte(id))
	}
	return string(b), nil
}
func (p *player) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	s := sparkd.Sample{Text: p.answers[0], Finish: sparkd.FinishStop}
	p.answers = p.answers[1:]
	s.Tokens, _ = p.Tokenize(ctx, s.Text, false)
	s.Logprobs, s.Margins = make([]float32, len(s.Tokens)), make([]float32, len(s.Tokens))
	return sparkd.SampleResult{Engine: "player", PolicyVersion: "v1", PromptTokens: len(r.Prefix),
		ComputedTokens: len(r.Prefix), Samples: []sparkd.Sample{s}}, nil
}

// grow grows the tree of a player who gives the answers of rows.
func grow(t *testing.T, tr *Trajectory, rows []Row, style sampler.Style, window int) *sparkd.Tree {
	t.Helper()
	spec := branching.DefaultSpec()
	spec.Policy = sparkd.Policy{Name: "linear", Roots: new(1)}
	spec.Budget.Leaves = 1
	if window > 0 {
		spec.Context = sparkd.Context{Mode: sparkd.ContextWindow, Window: window}
	}
	p := &player{}
	for _, row := range rows {
		for _, m := range append(slices.Clone(row.Messages), row.Completion...) {
			if m.Role == "assistant" {
				p.answers = append(p.answers, m.Content)
			}
		}
	}
	tree := sampler.NewTree("r", &spec, tr.Task, "t", time.Time{})
	d := sampler.Deps{SampleTimeout: time.Minute, EnvTimeout: time.Minute, Engine: p,
		Prompt:  sampler.Prompt{Style: style, Terse: true},
		OpenEnv: func(context.Context) (sparkd.Env, error) { return alfworld.New(), nil },
		Commit:  func(context.Context, *sparkd.Tree, int) error { return nil }}
	if err := sampler.Grow(t.Context(), d, &spec, tree); err != nil {
		t.Fatal(err)
	}
	if last := tree.Nodes[len(tree.Nodes)-1]; last.Outcome != sparkd.OutcomeSuccess || len(p.answers) > 0 {
		t.Fatalf("the tree ends with %+v, %d answers are left", last, len(p.answers))
	}
	return tree
}

// said returns the messages of a prompt span, without those of examples. A template that has
// no place for a system text puts it in front of the user's.
func said(s *sparkd.Span) string {
	var b strings.Builder
	for _, turn := range s.Turns {
		b.WriteString(s.Text[turn.From:turn.To] + "\n\n")
	}
	return strings.TrimSpace(b.String())
}

func joined(messages []Message) string {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(m.Content + "\n\n")
	}
	return strings.TrimSpace(b.String())
}

// What rows show to a model in training is what the sampler shows it in a rollout.
func TestRowsAreWhatTheSamplerPrompts(t *testing.T) {
	for _, f := range forms {
		for index, source := range []Source{Own, Retro, Own, Own} {
			tr := play(t, index, source)
			rows := Rows(tr, sampler.Prompt{Style: f.style}, f.window)
			tree := grow(t, tr, rows, f.style, f.window)
			if f.window > 0 {
				compareWindows(t, f.name, rows, tree)
				continue
			}
			if len(rows) != 1 {
				t.Fatalf("%s: %d rows", f.name, len(rows))
			}
			compareConversation(t, f.name, rows[0].Messages, tree)
		}
	}
}

// compareConversation: the opening, then an answer and an observation in turn; the last
// observation ended the episode and teaches nothing.
func compareConversation(t *testing.T, name string, messages []Message, tree *sparkd.Tree) {
	t.Helper()
	first := slices.IndexFunc(messages, func(m Message) bool { return m.Role == "assistant" })
	if got, want := joined(messages[:first]), said(&tree.Nodes[0].Spans[0]); got != want {
		t.Errorf("%s: opens with\n%q, not with\n%q", name, got, want)
	}
	var want []Message
	for _, n := range tree.Nodes[1:] {
		want = append(want, Message{Role: "assistant", Content: n.Spans[0].Text},
			Message{Role: "user", Content: n.Spans[1].Text})
	}
	if got := messages[first:]; !slices.Equal(got, want[:len(want)-1]) {
		t.Errorf("%s: goes on with\n%+v, not with\n%+v", name, got, want)
	}
}

// compareWindows: every step has a prompt of its own, the last span of its parent.
func compareWindows(t *testing.T, name string, rows []Row, tree *sparkd.Tree) {
	t.Helper()
	if len(rows) != len(tree.Nodes)-1 {
		t.Fatalf("%s: %d rows for %d steps", name, len(rows), len(tree.Nodes)-1)
	}
	for i, row := range rows {
		parent := tree.Nodes[i]
		prompt := &parent.Spans[len(parent.Spans)-1]
		if prompt.Source != sparkd.SourcePrompt || joined(row.Prompt) != said(prompt) {
			t.Errorf("%s: step %d is prompted with\n%q, not with\n%q", name, i+1, joined(row.Prompt), said(prompt))
		}
		if row.Step != i+1 || row.Completion[0].Content != tree.Nodes[i+1].Spans[0].Text {
			t.Errorf("%s: step %d is %+v", name, i+1, row)
		}
	}
}
