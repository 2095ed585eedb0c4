package sampler

import (
	"slices"
	"strings"
	"testing"
)

// A generation prompt opens a thought where it ends with a mark, and not where the thought is closed.
func TestFindThought(t *testing.T) {
	for _, c := range []struct {
		source, prompt string
		opens, close   string // "" for what is not begun, and has no marks
	}{
		{"", "<|im_start|>assistant\n", "", ""},
		{"<think>", "<|im_start|>assistant\n", "", "</think>"},
		{"<think>", "<|im_start|>assistant\n<think>\n", "<think>", "</think>"},
		{"<think>", "<|im_start|>assistant\n<think>\n\n</think>\n\n", "", "</think>"},
		{"<think>", "<think>\n</think>\n<think>", "<think>", "</think>"},
		{"<seed:think>", "<seed:bos>assistant\n<seed:think>", "<seed:think>", "</seed:think>"},
		{"<|START_THINKING|>", "<|CHATBOT_TOKEN|><|START_THINKING|>", "<|START_THINKING|>", "<|END_THINKING|>"},
		{"<|START_THINKING|>", "<|START_THINKING|><|END_THINKING|>", "", "<|END_THINKING|>"},
		{"[THINK]", "[/INST][THINK]", "[THINK]", "[/THINK]"},
		{"<|channel|>analysis<|message|>", "<|start|>assistant", "", "<|end|>"},
		{"", "<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>analysis<|message|>", "<|end|>"},
		{`{{ '<|channel>thought\n' }}`, "<|turn>model\n<|channel>thought\n", "<|channel>thought\n", "<channel|>"},
		{"<think>", "<|im_start|>assistant\n<think>\nOkay, ", "<think>", "</think>"},
		{"<think>", "<｜Assistant｜> <think> Let me see.", "<think>", "</think>"},
		{"<think>", "<think>\nOkay.</think>\n", "", "</think>"},
		{"[THINK]", "[/INST][THINK] Let me see.", "[THINK]", "[/THINK]"},
		{"write <think> first", "think inside <think> tags, then\nAnswer:", "", "</think>"},
	} {
		got := findThought(c.source, c.prompt)
		opens := ""
		if got.begun {
			opens = got.open
		}
		if opens != c.opens || got.close != c.close {
			t.Errorf("%q, %q: got %+v", c.source, c.prompt, got)
		}
	}
}

// An answer that begins inside a thought has a complete pair think; what follows the thought is judged as any answer.
func TestParseAnswerInsideAThought(t *testing.T) {
	begun := thought{open: "<think>", close: "</think>", begun: true}
	seed := thought{open: "<seed:think>", close: "</seed:think>", begun: true}
	oss := thought{open: "<|channel|>analysis<|message|>", close: "<|end|>"}
	for _, c := range []struct {
		name    string
		thought thought
		output  string
		action  string
		tags    []string
		valid   bool
	}{
		{"a thought alone", begun, "I look.</think>\n<action>go</action>", "go", []string{"think"}, true},
		{"a pair of its own", begun, "I look.</think>\n<explore>a</explore><action>go</action>", "go",
			[]string{"think", "explore"}, true},
		{"two pairs of its own", begun, "I look.</think><explore>a</explore><think>b</think><action>go</action>", "go",
			[]string{"explore", "think"}, false},
		{"its own pair behind the action", begun, "I look.</think><action>go</action><explore>a</explore>", "go",
			[]string{"think", "explore"}, false},
		{"its own pair is empty", begun, "I look.</think><explore></explore><action>go</action>", "go",
			[]string{"think", "explore"}, false},
		{"drafts inside", begun, "<action>no</action>? <explore>?</explore></think><action>go</action>", "go",
			[]string{"think"}, true},
		{"empty", begun, "\n\n</think>\n<action>go</action>", "go", []string{"think"}, false},
		{"not closed", begun, "I look. <action>go</action>", "go", nil, false},
		{"cut off", begun, "I look and", "", nil, false},
		{"no action", begun, "I look.</think>\nThe end.", "", []string{"think"}, false},
		{"CJK inside", begun, "我</think><action>go</action>", "go", []string{"think"}, false},
		{"opened once more", begun, "<think>I look.</think><action>go</action>", "go", []string{"think"}, true},
		{"another family's mark", seed, "I look.</seed:think><action>go</action>", "go", []string{"think"}, true},
		{"not this family's mark", seed, "I look.</think><action>go</action>", "go", nil, false},
		{"a mark that the model wrote", oss, "<|channel|>analysis<|message|>I look.<|end|>" +
			"<|start|>assistant<|channel|>final<|message|><action>go</action>", "go", []string{"think"}, true},
		{"no thought", oss, "<explore>a</explore><action>go</action>", "go", []string{"explore"}, true},
		{"a tag that the model wrote", thought{open: "<think>", close: "</think>"},
			"<think>a</think><explore>b</explore><action>go</action>", "go", []string{"think", "explore"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := (&Template{thought: c.thought}).ParseAnswer(c.output, "explore", false)
			if got.Action != c.action || got.Valid != c.valid || !slices.Equal(got.Tags, c.tags) {
				t.Errorf("%q\ngot  %+v\nwant action %q, tags %q, valid %v", c.output, got, c.action, c.tags, c.valid)
			}
		})
	}
}

// FuzzParseInsideAThought: an answer behind a thought reads as it does alone, but for the pair that the thought is.
func FuzzParseInsideAThought(f *testing.F) {
	f.Add("I look.", "<action>go</action>")
	f.Add("", "<explore>a</explore><action>go</action>")
	f.Add("<action>", "</action></think>")
	f.Fuzz(func(t *testing.T, inside, rest string) {
		for _, family := range thoughts {
			if strings.Contains(inside, family.close) {
				continue
			}
			family.begun = true
			got := (&Template{thought: family}).ParseAnswer(inside+family.close+rest, "explore", false)
			alone := ParseAnswer(rest, "explore", false)
			if got.Action != alone.Action || !slices.Contains(got.Tags, "think") || len(got.Tags)-len(alone.Tags) > 1 {
				t.Errorf("%q, %q, %s: %+v, alone %+v", inside, rest, family.open, got, alone)
			}
		}
	})
}
