package sampler

import (
	"slices"
	"strings"
	"testing"

	"sparkd"
)

func TestModelStyle(t *testing.T) {
	for _, c := range []struct {
		template string
		want     Style
		says     string // of the error
	}{
		{"", StylePaper, ""},
		{"{{ messages }}", StylePaper, ""},
		{"{# a comment: prompt_style=compact #}", StylePaper, ""},
		{"{#- sparkd: prompt_style=compact -#}{{ messages }}", StyleCompact, ""},
		{"{{ messages }}\n{# sparkd: prompt_style=paper #}", StylePaper, ""},
		{"{#sparkd:prompt_style=compact#}", StyleCompact, ""},
		{"{#-\n  sparkd: prompt_style=compact\n-#}", StyleCompact, ""},
		{"{#- sparkd: prompt_style=compact -#}{#- sparkd: prompt_style=compact -#}", StyleCompact, ""},
		{"{#- sparkd: prompt_style=compact -#}{#- sparkd: prompt_style=paper -#}", "",
			"two prompt styles, compact and paper"},
		{"{#- sparkd: prompt_style=terse -#}", "", `"terse", which this sparkd does not know`},
		{"{#- sparkd: prompt_style=Compact -#}", "", `"Compact", which`},
		{"{#- sparkd: prompt_style= -#}", "", `"", which`},
		{"{#- sparkd: prompt_style=compact, window=3 -#}", "", `"compact, window=3", which`},
		{"{#- sparkd: style=compact -#}", "", `"style=compact" to sparkd`},
		{"{#- sparkd: -#}", "", `"" to sparkd`},
	} {
		got, err := ModelStyle(c.template)
		if got != c.want || (err == nil) != (c.says == "") {
			t.Errorf("%q: style %q, error %v", c.template, got, err)
		}
		if err == nil {
			continue
		}
		e := sparkd.AsError(err)
		if e.Field != "sampler.prompt" || !strings.Contains(e.Error(), c.says) ||
			!strings.Contains(e.Remedy, "paper, compact") {
			t.Errorf("%q: %v", c.template, err)
		}
	}
}

// FuzzModelStyle: whatever a template says, the style is one of those known, or an error
// names the remedy.
func FuzzModelStyle(f *testing.F) {
	f.Add("{#- sparkd: prompt_style=compact -#}")
	f.Add("{# sparkd: prompt_style=paper #}{#sparkd:#}")
	f.Add("{#{#sparkd:-#}#}")
	f.Fuzz(func(t *testing.T, template string) {
		style, err := ModelStyle(template)
		if err != nil {
			if sparkd.AsError(err).Remedy == "" || style != "" {
				t.Errorf("style %q, %v", style, err)
			}
		} else if !slices.Contains(Styles(), string(style)) {
			t.Errorf("style %q", style)
		}
	})
}

// A compact conversation has nothing but the observations, in both contexts, and its
// prompt says where the one message stands.
func TestGrowCompact(t *testing.T) {
	for _, mode := range []string{sparkd.ContextAppend, sparkd.ContextWindow} {
		b := windowed(2)
		b.spec.Context.Mode = mode
		if mode == sparkd.ContextAppend {
			b.spec.Context.Window = 0
		}
		b.world.goal = 100
		b.Deps.Prompt = Prompt{Style: StyleCompact}
		tree := b.grow(t)
		for _, n := range tree.Nodes {
			for _, s := range n.Spans {
				if strings.Contains(s.Text, "Possible actions") || strings.Contains(s.Text, "Answer with") ||
					strings.Contains(s.Text, "text world") {
					t.Errorf("%s: node %d reads %q", mode, n.ID, s.Text)
				}
				if s.Source != sparkd.SourcePrompt {
					continue
				}
				if len(s.Turns) != 1 || s.Turns[0].Role != "user" {
					t.Fatalf("%s: turns %+v", mode, s.Turns)
				}
				said := s.Text[s.Turns[0].From:s.Turns[0].To]
				if strings.Contains(s.Text, "system") || !strings.HasPrefix(said, "Your task: ") && n.Depth > 0 ||
					strings.TrimSpace(said) != said {
					t.Errorf("%s: the prompt is %q, the message %q", mode, s.Text, said)
				}
			}
		}
	}
}

// The system turn of a template is there where there is a system text, and only there.
func TestOpeningWithoutSystem(t *testing.T) {
	demanding := "{% if messages[0].role != 'system' %}{{ raise_exception('no system message') }}{% endif %}{% " +
		"for m in messages %}{{ m.content }};{% endfor %}"
	for _, c := range []struct{ source, with, without string }{
		{demanding, "S;U;", ";U;"},
		{templateSource(t, "bundled"), "<|user|>S<|user|>U<|assistant|>", "<|user|>U<|assistant|>"},
		{templateSource(t, "chatml"),
			"<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n",
			"<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"},
	} {
		got := NewTemplate(c.source, "", "", false)
		if text := spell(got.Opening("S", "U")); text != c.with || got.Warning != "" {
			t.Errorf("%s: with a system text %q, warning %q", c.source, text, got.Warning)
		}
		if text := spell(got.Opening("", "U")); text != c.without {
			t.Errorf("%s: without a system text %q", c.source, text)
		}
	}
}
