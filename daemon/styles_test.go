package daemon_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
)

// The prompt's style is the one that the model names, unless the configuration does.
func TestPromptStyle(t *testing.T) {
	const chatML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}" +
		"{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
	const compact = "{#- sparkd: prompt_style=compact -#}" + chatML
	for _, c := range []struct{ template, set, want string }{
		{"", "auto", "paper"},
		{chatML, "auto", "paper"},
		{compact, "auto", "compact"},
		{compact, "paper", "paper"},
		{chatML, "compact", "compact"},
		{"{#- sparkd: prompt_style=newer -#}" + chatML, "compact", "compact"},
	} {
		cfg := config(t, filepath.Join(t.TempDir(), "data"))
		cfg.Sampler.Prompt = c.set
		r := start(t, cfg, daemon.Parts{Engine: &daemontest.Engine{Template: c.template}})
		if info, err := r.Client.Info(t.Context()); err != nil || info.Prompt != c.want {
			t.Errorf("%q, %s: prompts %q, %v", c.template, c.set, info.Prompt, err)
		}
		tree, err := r.Client.Tree(t.Context(), r.wait(r.submit(spec(1)).ID).Trees[0])
		if err != nil {
			t.Fatal(err)
		}
		opening := tree.Nodes[0].Spans[0].Text
		ruled := strings.Contains(opening, "You act in a text world")
		if ruled != (c.want == "paper") || strings.Contains(opening, "Possible actions") != ruled {
			t.Errorf("%q, %s: the prompt is %q", c.template, c.set, opening)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}
}

// A style that this sparkd does not know ends the start: guessing another one would
// quietly cost all that the model has learnt.
func TestUnknownPromptStyle(t *testing.T) {
	engine := &daemontest.Engine{Template: "{#- sparkd: prompt_style=newer -#}{{ messages }}"}
	c := config(t, filepath.Join(t.TempDir(), "data"))
	_, err := daemon.New(t.Context(), c, zerolog.Nop(), daemon.Parts{Engine: engine})
	e := sparkd.AsError(err)
	if err == nil || e.Field != "sampler.prompt" || !strings.Contains(e.Message, `"newer"`) ||
		!strings.Contains(e.Remedy, "paper, compact") || !engine.Closed.Load() {
		t.Errorf("%+v", e)
	}
}
