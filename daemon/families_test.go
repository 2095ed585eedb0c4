//go:build cgo

package daemon_test

import (
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
	"sparkd/engine/embedded"
	"sparkd/engine/embedded/gguftest"
	"sparkd/internal/jinja"
	"sparkd/internal/jinja/jinjatest"
	"sparkd/internal/settings"
	"sparkd/sampler"
)

var updateFamilies = flag.Bool("update", false, "ask Jinja2 for testdata/families.json anew")

// familyWords are the control tokens of the families. <think> is none with any of them: prompts may spell it out.
var familyWords = []string{"<bos>", "<start_of_turn>", "<end_of_turn>", "<｜User｜>", "<｜Assistant｜>",
	"<｜end▁of▁sentence｜>", "<|im_start|>", "<|im_end|>", "<|start|>", "<|message|>", "<|end|>",
	"<|channel|>", "<|return|>", "[INST]", "[/INST]", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}

// rendering is a conversation of a system text, a user text, an answer and a user text, as Jinja2 renders it: up to the
// first answer, and behind it. The answer is one that no template changes.
type rendering struct{ First, Behind string }

const (
	askedFirst, askedNext = "You see a \"desk 1\".\nAnd a shelf.", "Nothing <here> & there."
	answered              = "ANSWER"
)

// room answers every action in the same way.
type room struct{ sparkd.Env }

func (room) Reset(context.Context, sparkd.Task) (sparkd.Observation, error) {
	return sparkd.Observation{Text: askedFirst}, nil
}
func (room) Step(context.Context, string) (sparkd.Observation, error) {
	return sparkd.Observation{Text: askedNext}, nil
}
func (room) Close() error { return nil }

// A rollout with a model of each family: its first prompt and what follows the first answer have the tokens of what
// Jinja2 renders.
func TestFamilies(t *testing.T) {
	families := []string{"gemma3", "deepseek-r1", "qwen3.5", "gpt-oss", "smollm3", "mistral-v3", "llama3"}
	prompt := sampler.Prompt{Terse: true}
	const golden = "testdata/families.json"
	if *updateFamilies {
		text, _ := json.MarshalIndent(renderFamilies(t, families, prompt), "", " ")
		if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]rendering
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			e := familyEngine(t, family)
			tree := growFamily(t, e, prompt)
			first, err := e.Tokenize(t.Context(), want[family].First, true)
			if err != nil || !slices.Equal(tree.Nodes[0].Spans[0].Tokens, first) {
				t.Errorf("the first prompt %q\nrendered %q", tree.Nodes[0].Spans[0].Text, want[family].First)
			}
			behind, err := e.Tokenize(t.Context(), want[family].Behind, true)
			if err != nil {
				t.Fatal(err)
			}
			answer, next := tree.Nodes[1].Spans[0].Tokens, tree.Nodes[1].Spans[1].Tokens
			said := len(behind) - len(next) // of the end, which the answer said itself
			if said < 0 || said > len(answer) || !slices.Equal(slices.Concat(answer[len(answer)-said:], next), behind) {
				t.Errorf("after the answer %q\nthe turn %v\nrendered %v", tree.Nodes[1].Spans[0].Text, next, behind)
			}
		})
	}
}

func familyTemplate(t *testing.T, family string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("../sampler/testdata/templates", family+".jinja"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// familyEngine is a small random model with the family's chat template.
func familyEngine(t *testing.T, family string) *embedded.Engine {
	t.Helper()
	shape := gguftest.Vocabulary{Model: "gpt2", Pre: "gpt-2", Control: familyWords,
		Words: []string{"system", "user", "assistant", " the", "You", "think"},
		Replace: map[string]any{"tokenizer.chat_template": familyTemplate(t, family),
			"tokenizer.ggml.add_bos_token": false}}.Shape() // templates write what they want
	o := settings.Default[embedded.Options]()
	o.Model, o.Threads = filepath.Join(t.TempDir(), "tiny.gguf"), 1
	if err := gguftest.Write(o.Model, shape, 1); err != nil {
		t.Fatal(err)
	}
	e, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// growFamily grows one trajectory of two steps.
func growFamily(t *testing.T, e sparkd.Engine, prompt sampler.Prompt) *sparkd.Tree {
	t.Helper()
	spec := branching.DefaultSpec()
	spec.Policy = sparkd.Policy{Name: "linear", Roots: new(1)}
	spec.MaxSteps, spec.Sampling.MaxTokens = 2, 6
	o := settings.Default[sampler.Options]()
	tree := sampler.NewTree("r", &spec, sparkd.Task{Env: "room", Split: "train"}, "t", time.Now())
	err := sampler.Grow(t.Context(), sampler.Deps{Engine: e, Prompt: prompt,
		OpenEnv:       func(context.Context) (sparkd.Env, error) { return room{}, nil },
		Commit:        func(context.Context, *sparkd.Tree, int) error { return nil },
		SampleTimeout: o.SampleTimeout, EnvTimeout: o.EnvTimeout}, &spec, tree)
	if err != nil || len(tree.Nodes) < 2 || tree.Nodes[1].Failed() {
		t.Fatalf("%v, %+v", err, tree)
	}
	return tree
}

// renderFamilies asks Jinja2. Mistral's template moves a system text to the last user message: sparkd has it open the
// first one.
func renderFamilies(t *testing.T, families []string, prompt sampler.Prompt) map[string]rendering {
	out, reference := map[string]rendering{}, jinjatest.NewReference(t)
	message := func(role, text string) any {
		return jinja.Object{{Key: "role", Value: role}, {Key: "content", Value: text}}
	}
	next := prompt.Step(&sparkd.Observation{Text: askedNext})
	for _, family := range families {
		opening := []any{message("system", prompt.System()), message("user", prompt.Opening(&sparkd.Observation{
			Text: askedFirst}))}
		if family == "mistral-v3" {
			opening = []any{message("user", prompt.System()+"\n\n"+askedFirst)}
		}
		render := func(messages ...any) string {
			text, err := reference.Render(t, familyTemplate(t, family), jinja.Object{
				{Key: "messages", Value: messages}, {Key: "tools", Value: nil}, {Key: "documents", Value: nil},
				{Key: "add_generation_prompt", Value: true}, {Key: "bos_token", Value: "<s>"},
				{Key: "eos_token", Value: "</s>"}})
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		_, behind, _ := strings.Cut(render(append(slices.Clone(opening), message("assistant", answered),
			message("user", next))...), answered)
		out[family] = rendering{render(opening...), behind}
	}
	return out
}
