//go:build cgo

package daemon_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/daemon"
	"sparkd/engine/embedded"
	"sparkd/engine/embedded/gguftest"
	"sparkd/internal/settings"
)

// Without a word about models the bundled policy samples, with the prompts that it names.
func TestBundledByDefault(t *testing.T) {
	t.Setenv("SPARKD_CACHE", t.TempDir())
	c := daemon.Default()
	c.Daemon.Data, c.API.Listen, c.Embedded.Threads = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", 1
	r := start(t, c, daemon.Parts{})
	info, err := r.Client.Info(t.Context())
	if err != nil || info.Engine.Name != "embedded" || info.Prompt != "compact" {
		t.Errorf("%+v, %v", info, err)
	}
	s := tinySpec()
	s.ID = "bundled"
	if got := r.wait(r.submit(s).ID); got.State != sparkd.RolloutDone || got.Stats.Failed != 0 {
		t.Errorf("%+v", got)
	}
}

// A model that is not there is refused with what to do; the cached SmolLM2 has a name.
func TestModelNames(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("SPARKD_CACHE", cache)
	c := config(t, filepath.Join(t.TempDir(), "data"))
	open := func(model string) error {
		c.Engine.Model = model
		d, err := daemon.New(t.Context(), c, zerolog.Nop(), daemon.Parts{})
		if err == nil {
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			err = d.Run(ended)
		}
		return err
	}
	const names = "bundled, smollm2"
	for model, remedy := range map[string]string{
		"smollm2": "make model", "": names, "smollm": names, filepath.Join(cache, "none.gguf"): names,
	} {
		e := sparkd.AsError(open(model))
		if e == nil || e.Code != sparkd.CodeModel || e.Field != "engine.model" || !strings.Contains(e.Remedy, remedy) {
			t.Errorf("model %q: %+v", model, e)
		}
	}
	fetched := filepath.Join(cache, "models", "SmolLM2-135M-Instruct.Q4_1.gguf")
	if err := os.MkdirAll(filepath.Dir(fetched), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := gguftest.Write(fetched, gguftest.Tiny, 1); err != nil {
		t.Fatal(err)
	}
	if err := open("smollm2"); err != nil {
		t.Error(err)
	}
}

// speaker is a real engine whose answers are given.
type speaker struct {
	*embedded.Engine
	says []string // in the first turn, the second …
}

// Sample implements sparkd.Engine.
func (s *speaker) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	out, err := s.Engine.Sample(ctx, r)
	if err != nil {
		return out, err
	}
	prompt, err := s.Detokenize(ctx, r.Prefix)
	if err != nil {
		return out, err
	}
	answer := s.says[strings.Count(prompt, "<|assistant|>")-1]
	tokens, err := s.Tokenize(ctx, answer, false)
	tokens = append(tokens, s.Describe().EOS)
	zeros := make([]float32, len(tokens))
	for i := range out.Samples {
		out.Samples[i] = sparkd.Sample{Text: answer, Tokens: tokens, Finish: sparkd.FinishStop,
			Logprobs: zeros, Entropies: zeros, Margins: zeros}
	}
	return out, err
}

// What a policy with compact prompts reads and says in its first two turns, read back from
// the tokens.
func TestCompactConversation(t *testing.T) {
	model := filepath.Join(t.TempDir(), "compact.gguf")
	if err := gguftest.Write(model, gguftest.Shape{Compact: true}, 1); err != nil {
		t.Fatal(err)
	}
	o := settings.Default[embedded.Options]()
	o.Model, o.Threads = model, 1
	e, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{Engine: &speaker{e, []string{
		"<explore>pencil: desk, shelf, drawer?</explore><action>go to desk 1</action>",
		"<think>found it</think><action>take pencil 3 from desk 1</action>",
	}}})
	s := spec(1)
	s.Policy = sparkd.Policy{Name: "linear", Roots: new(1)}
	s.Budget.Leaves, s.MaxSteps = 1, 2
	tree, err := r.Client.Tree(t.Context(), r.wait(r.submit(s).ID).Trees[0])
	if err != nil {
		t.Fatal(err)
	}
	text, err := e.Detokenize(t.Context(), tree.Tokens(2))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/compact.txt")
	if err != nil || text != strings.TrimSuffix(string(want), "\n") {
		t.Errorf("the conversation is\n%s\nwant\n%s%v", text, want, err)
	}
	for id, n := range tree.Nodes[:2] {
		span := n.Spans[len(n.Spans)-1]
		said := span.Text
		if len(span.Turns) == 1 && span.Turns[0].Role == "user" {
			said = said[span.Turns[0].From:span.Turns[0].To]
		}
		if strings.Contains(said, "<|") || !strings.Contains(text, "<|user|>"+said+"<|assistant|>") {
			t.Errorf("node %d: the user says %q", id, said)
		}
	}
}
