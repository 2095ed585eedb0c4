package sampler

import (
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/env/alfworld"
)

func TestPrompt(t *testing.T) {
	o := &sparkd.Observation{Text: "You see a desk 1.\n", Goal: "find a pen",
		Admissible: []string{"a", "b", "c", "d", "e"}}
	for _, c := range []struct {
		name string
		got  string
		want string
	}{
		{"opening", Prompt{Terse: true}.Opening(o),
			"Your task: find a pen\n\nYou see a desk 1.\nPossible actions: a, b, c, d, e"},
		{"goal told by the environment",
			Prompt{Terse: true}.Opening(&sparkd.Observation{Text: "Task: find a pen.", Goal: "find a pen"}),
			"Task: find a pen."},
		{"step", Prompt{Terse: true}.Step(o), "You see a desk 1.\nPossible actions: a, b, c, d, e"},
		{"short list", Prompt{Admissible: 2, Terse: true}.Step(o),
			"You see a desk 1.\nPossible actions (2 of 5): a, c"},
		{"list of the right length", Prompt{Admissible: 5, Terse: true}.Step(o),
			"You see a desk 1.\nPossible actions: a, b, c, d, e"},
		{"form", Prompt{Tag: "doubt"}.Step(&sparkd.Observation{Text: "Hm."}),
			"Hm.\nAnswer with <doubt>…</doubt> or <think>…</think>, then <action>…</action>."},
		{"compact opening", Prompt{Style: StyleCompact}.Opening(o), "Your task: find a pen\n\nYou see a desk 1."},
		{"compact, goal told by the environment",
			Prompt{Style: StyleCompact}.Opening(&sparkd.Observation{Text: "Task: find a pen.", Goal: "find a pen"}),
			"Task: find a pen."},
		{"compact step", Prompt{Style: StyleCompact, Admissible: 2}.Step(o), "You see a desk 1."},
		{"compact window", Prompt{Style: StyleCompact}.Window("find a pen", []Quoted{{"Hm.", "look"}}, 3, o),
			"Your task: find a pen\n\n" +
				"Steps taken so far: 1. The last of them:\n[Observation 1: 'Hm.', Action 1: 'look']\n\nYou are at " +
				"step 2 and observe: You see a desk 1."},
		{"compact rules", Prompt{Style: StyleCompact}.System(), ""},
		{"no list", Prompt{Terse: true}.Step(&sparkd.Observation{Text: "Nothing happens."}), "Nothing happens."},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}

func TestPromptNamesItsModes(t *testing.T) {
	for tag, p := range map[string]Prompt{"explore": {}, "doubt": {Tag: "doubt"}} {
		s := p.System()
		for _, want := range []string{"<" + tag + ">…</" + tag + ">", "<think>…</think>", "<action>…</action>"} {
			if strings.Count(s, want) == 0 {
				t.Errorf("tag %q: %q is missing in %q", tag, want, s)
			}
		}
	}
	if s := (Prompt{Tag: "doubt"}).System(); strings.Contains(s, "explore") {
		t.Errorf("another tag's name in %q", s)
	}
}

// The examples keep the rules that they illustrate, in both modes.
func TestPromptExamples(t *testing.T) {
	var modes []string
	shown := alfworld.Household{}.Info().Examples
	for _, e := range (Prompt{Tag: "doubt", Shown: shown}).Examples() {
		a := ParseAnswer(e.Answer, "doubt", false)
		if !a.Valid || !strings.Contains(e.User, a.Action) {
			t.Errorf("example %q to %q: %+v", e.Answer, e.User, a)
		}
		modes = append(modes, a.Tags...)
	}
	if !slices.Equal(modes, []string{"doubt", "doubt", "think"}) {
		t.Errorf("modes %q", modes)
	}
	for _, p := range []Prompt{{Terse: true, Shown: shown}, {Style: StyleCompact, Shown: shown}, {}} {
		if n := len(p.Examples()); n != 0 {
			t.Errorf("%d examples in %+v", n, p)
		}
	}
}
