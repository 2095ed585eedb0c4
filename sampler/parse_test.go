package sampler

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestParseAnswer(t *testing.T) {
	for _, c := range []struct {
		name, output string
		fold         bool
		action       string
		tags         []string
		valid        bool
	}{
		{name: "think", output: "<think>a</think>\n<action> go north </action>", action: "go north",
			tags: []string{"think"}, valid: true},
		{name: "explore", output: "<explore>a</explore><action>look</action>", action: "look",
			tags: []string{"explore"}, valid: true},
		{name: "text around", output: "so <think>a</think> then <action>look</action> done", action: "look",
			tags: []string{"think"}, valid: true},
		{name: "lines", output: "<explore>a\nb\n</explore>\n<action>\ngo\n</action>", action: "go",
			tags: []string{"explore"}, valid: true},
		{name: "empty content branches", output: "<explore></explore><action>look</action>", action: "look",
			tags: []string{"explore"}},
		{name: "blank content", output: "<think> \n</think><action>look</action>", action: "look",
			tags: []string{"think"}},
		{name: "empty action", output: "<think>a</think><action> </action>", tags: []string{"think"}},
		{name: "cut off before the end", output: "<explore>a lot of", tags: nil},
		{name: "cut off in the tag", output: "<explore>a</explore", tags: nil},
		{name: "cut off before the action's end", output: "<think>a</think><action>go", tags: []string{"think"}},
		{name: "only the end", output: "a</explore><action>go</action>", action: "go"},
		{name: "end before beginning", output: "</explore><explore><action>go</action>", action: "go"},
		{name: "tag after the action", output: "<action>go</action><explore>a</explore>", action: "go",
			tags: []string{"explore"}},
		{name: "both tags", output: "<explore>a</explore><think>b</think><action>go</action>", action: "go",
			tags: []string{"explore", "think"}},
		{name: "both tags, other order", output: "<think>b</think><explore>a</explore><action>go</action>",
			action: "go", tags: []string{"think", "explore"}},
		{name: "one tag twice", output: "<think>a</think><think>b</think><action>go</action>", action: "go",
			tags: []string{"think"}},
		{name: "two actions", output: "<explore>a</explore><action>go</action><action>look</action>",
			tags: []string{"explore"}},
		{name: "no reasoning", output: "<action>go</action>", action: "go"},
		{name: "no action", output: "<think>a</think>", tags: []string{"think"}},
		{name: "nothing", output: ""},
		{name: "other tag", output: "<planning>a</planning><action>go</action>", action: "go"},
		{name: "case: valid, spelled as written", output: "<Explore>a</Explore><ACTION>go</action>", action: "go",
			tags: []string{"Explore"}, valid: true},
		{name: "case: mixed pair is no pair", output: "<Explore>a</explore><action>go</action>",
			action: "go", valid: true},
		{name: "case: mixed pair, folded", output: "<Explore>a</explore><action>go</action>", fold: true, action: "go",
			tags: []string{"Explore"}, valid: true},
		{name: "blank in the tag", output: "< explore>a</ explore><action>go</action>", action: "go"},
		{name: "han", output: "<think>我</think><action>go</action>", action: "go", tags: []string{"think"}},
		{name: "kana", output: "<think>a</think><action>go</action> の", action: "go", tags: []string{"think"}},
		{name: "not CJK", output: "<think>é → ☃</think><action>go</action>", action: "go",
			tags: []string{"think"}, valid: true},
		{name: "unclosed, then closed", output: "<explore><think>a</think><action>go</action></explore>", action: "go",
			tags: []string{"explore", "think"}},
		{name: "shortest pair", output: "<action>a<action>b</action>c</action>", action: "a<action>b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ParseAnswer(c.output, "explore", c.fold)
			if got.Action != c.action || got.Valid != c.valid || !slices.Equal(got.Tags, c.tags) {
				t.Errorf("%q\ngot  %+v\nwant action %q, tags %q, valid %v", c.output, got, c.action, c.tags, c.valid)
			}
		})
	}
}

// The tag's name is the request's; "think" stays a mode beside it, and may be the tag.
func TestParseAnswerOtherTag(t *testing.T) {
	for _, c := range []struct {
		tag, output string
		tags        []string
		valid       bool
	}{
		{"doubt", "<doubt>a</doubt><action>go</action>", []string{"doubt"}, true},
		{"doubt", "<explore>a</explore><action>go</action>", nil, false},
		{"think", "<think>a</think><action>go</action>", []string{"think"}, true},
	} {
		got := ParseAnswer(c.output, c.tag, false)
		if got.Valid != c.valid || !slices.Equal(got.Tags, c.tags) {
			t.Errorf("tag %s, %q: got %+v", c.tag, c.output, got)
		}
	}
}

// The regular expressions of the released code are the oracle: the branch tag by a
// case-sensitive search, the pairs of the form without regard to case.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"<explore>a</explore><action>go</action>", "<think>a</think>\n<action>go</action>",
		"<explore>", "</explore><explore>",
		"<action><action>x</action></action>", "<Explore></explore>", "<<explore>></explore>",
		"<explore>\xff</explore>", "<think>の</think><action>a</action>",
	} {
		f.Add(s)
	}
	search := regexp.MustCompile(`(?s)<explore>.*?</explore>`)
	action := regexp.MustCompile(`(?is)<action>(.*?)</action>`)
	explore := regexp.MustCompile(`(?is)<explore>.*?</explore>`)
	think := regexp.MustCompile(`(?is)<think>.*?</think>`)
	f.Fuzz(func(t *testing.T, s string) {
		got := ParseAnswer(s, "explore", false)
		if branches := slices.Contains(got.Tags, "explore"); branches != search.MatchString(s) {
			t.Errorf("%q: branches %v", s, branches)
		}
		actions := action.FindAllStringSubmatch(s, -1)
		want := ""
		if len(actions) == 1 {
			want = strings.TrimSpace(actions[0][1])
		}
		// A stray byte may fold to other bytes for a regular expression only.
		if got.Action != want && strings.ToValidUTF8(s, "") == s {
			t.Errorf("%q: action %q, want %q", s, got.Action, want)
		}
		if got.Valid && len(explore.FindAllString(s, -1))+len(think.FindAllString(s, -1)) != 1 {
			t.Errorf("%q: valid with several modes", s)
		}
		if got.Valid && got.Action == "" {
			t.Errorf("%q: valid without an action", s)
		}
	})
}
