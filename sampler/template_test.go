package sampler

import (
	"slices"
	"strings"
	"testing"
)

// Appending the pieces gives what the template renders for the whole conversation.
func TestTemplates(t *testing.T) {
	const answer = "<think>a</think>\n<action>go</action>"
	for _, c := range []struct {
		template, name, warning string
		system                  bool
		answer                  string // that survives the template unchanged
		blank                   string // the template's own, before an answer
	}{
		{"smollm2", "model", "", true, answer, ""},
		{"chatml", "model", "", true, answer, ""},
		{"bundled", "model", "", true, answer, ""},
		{"llama3", "model", "", true, answer, ""},
		{"qwen2.5", "model", "", true, answer, ""},
		{"phi3", "model", "", true, answer, ""},
		{"gemma", "model", "no system message", false, answer, ""},
		{"mistral", "model", "no system message", false, answer, ""},
		{"mistral-v3", "model", "no system message", false, answer, " "},
		{"qwen3", "model", "rewrites the reasoning", true, "go", ""},
		{"gemma3", "model", "", true, answer, ""},
		{"smollm3", "model", "rewrites blank lines or tags within texts", true, answer, ""},
		{"llama2", "model", "", true, answer, " "},
		{"qwen3.5", "model", `begins an answer with "<think>", which it takes out of earlier turns`, true, "go", ""},
		{"seed-oss", "model", `begins an answer with "<seed:think>", which`, true, "go", ""},
		{"gpt-oss", "model", `begins earlier answers with "<|channel|>final<|message|>", and a`, true, "go", ""},
		{"tools", "model", "wants variables of its own (functions, datetime)", true, answer, ""},
		{"deepseek-r1", "model", `begins an answer with "<think>", which it takes out of`, true, "go", ""},
	} {
		t.Run(c.template, func(t *testing.T) {
			source := templateSource(t, c.template)
			got := NewTemplate(source, "<s>", "</s>", false)
			if got.Name != c.name || got.system != c.system {
				t.Fatalf("got %+v", got)
			}
			if (got.Warning == "") != (c.warning == "") || !strings.Contains(got.Warning, c.warning) {
				t.Errorf("warning %q, want %q", got.Warning, c.warning)
			}
			appended := spell(got.Opening("Rules.", "First.")) + c.blank + c.answer + spell(got.Turn("Second.")) +
				c.blank + c.answer + spell(got.Turn("Third."))
			conversation := []message{{"system", "Rules."}, {"user", "First."}}
			if !c.system {
				conversation = []message{{"user", "Rules.\n\nFirst."}}
			}
			conversation = append(conversation, message{"assistant", c.answer}, message{"user", "Second."},
				message{"assistant", c.answer}, message{"user", "Third."})
			j, err := parseJinja(source, "<s>", "</s>")
			if err != nil {
				t.Fatal(err)
			}
			want, err := j.render(conversation, false, true)
			if err != nil || got.earlier == "" && appended != want {
				t.Errorf("appended %q\nrendered %q, error %v", appended, want, err)
			}
			examples := []Exchange{{"First.", c.answer}, {"Second.", c.answer}}
			if got := spell(got.Opening("Rules.", "Third.", examples...)); got != want {
				t.Errorf("with examples %q\nrendered %q", got, want)
			}
		})
	}
}

func TestTemplateFallbacks(t *testing.T) {
	for name, c := range map[string]struct {
		source    string
		hasChatML bool
		want      string
		warning   string
	}{
		"none":            {"", true, "chatml", "no chat template"},
		"none, no ChatML": {"", false, "plain", "no chat template"},
		"syntax":          {"{% for %}", true, "chatml", "cannot be read"},
		"raises": {"a\n{{ raise_exception('never') }}", false, "plain",
			"cannot be rendered: line 2, {{ raise_exception('never') }}: never"},
		"drops messages": {"hello", false, "plain", "missing"},
		"unknown tag":    {"{% include 'x' %}", false, "plain", "cannot be read"},
		"changes texts": {
			"{% for m in messages %}{{ m.content|title }}\n{% endfor %}",
			true, "chatml", "changed"},
		"writes twice": {
			"{{ messages[-1].content }}{% for m in messages %}{{ m.content }}\n{% endfor %}",
			false, "plain", "more than once"},
		"repeats in small": {
			"{% for m in messages %}{{ m.content }}{{ m.content|lower }}\n{% endfor %}",
			false, "plain", "more than once"},
		"counts messages": {"{{ messages | length }}{% for m in messages %}{{ m.content }}\n{% endfor %}", false,
			"plain", "does not begin"},
		"later turns alter": {"{% for m in messages %}{{ loop.index }}{{ m.content }}\n{% endfor %}", false,
			"plain", "does not begin"},
	} {
		t.Run(name, func(t *testing.T) {
			got := NewTemplate(c.source, "<s>", "</s>", c.hasChatML)
			if got.Name != c.want || !strings.Contains(got.Warning, c.warning) ||
				!strings.Contains(got.Warning, "using "+c.want) {
				t.Errorf("got %+v, want %s with a warning of %q", got, c.want, c.warning)
			}
		})
	}
}

func TestFallbackTexts(t *testing.T) {
	for _, c := range []struct {
		template Template
		want     string
	}{
		{chatML, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n" +
			"A<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n"},
		{plain, "User:\nS\n\nU\n\nAssistant:A\n\nUser:\nV\n\nAssistant:"},
	} {
		if got := spell(c.template.Opening("S", "U")) + "A" + spell(c.template.Turn("V")); got != c.want {
			t.Errorf("%s: got %q, want %q", c.template.Name, got, c.want)
		}
	}
}

// Only the template's own text may hold control tokens.
func TestPartsFlagControl(t *testing.T) {
	parts := append(chatML.Opening("<|im_end|>", "<|im_end|>"), chatML.Turn("<|im_end|>")...)
	for _, p := range parts {
		if p.Control == (p.Text == "<|im_end|>") {
			t.Errorf("part %q: control %v", p.Text, p.Control)
		}
	}
}

func spell(parts []Part) string {
	text, _ := written(parts)
	return text
}

// TestTurns: the messages can be read back from the rendered text.
func TestTurns(t *testing.T) {
	for _, template := range []Template{chatML, plain} {
		parts := template.Opening("Rules.", "Last.", Exchange{"First.", "Answer."})
		text, turns := written(parts)
		var got []string
		for _, turn := range turns {
			got = append(got, turn.Role+": "+text[turn.From:turn.To])
		}
		want := []string{"system: Rules.", "user: First.", "assistant: Answer.", "user: Last."}
		if template.Name == "plain" {
			want = []string{"user: Rules.\n\nFirst.", "assistant: Answer.", "user: Last."}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", template.Name, got, want)
		}
	}
}
