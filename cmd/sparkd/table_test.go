package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sparkd/daemon/daemontest"
)

// notes say which columns were left out.
var notes = regexp.MustCompile(`(?s)no room for .*?--json\n`)

// On a narrow screen no command writes beyond its edge, breaks a word or hides which columns it left out; on a wide
// one, and where there is no screen, nothing is missing.
func TestNarrowScreens(t *testing.T) {
	s := newSession(t)
	s.job("first")
	addr, stop := s.serve(&daemontest.Engine{})
	defer stop()
	for _, args := range [][]string{
		{"rollouts"}, {"info"}, {"engines", "--addr", addr}, {"version"}, {"tree", "first"},
		{"compare", "--addr", addr, "--id", "c", "--policies", "spark,random:probability=0.5", "--tasks", "1",
			"--max-steps", "4", "--out", filepath.Join(s.dir, "c.html")},
		{"run", "--addr", addr, "--id", "first", "--tasks", "2", "--max-steps", "6", "--seed", "3", "--out",
			filepath.Join(s.dir, "r.jsonl")},
	} {
		whole := s.screen(0, args...)
		for _, width := range []int{40, 60, 80, 200} {
			shown := s.screen(width, args...)
			words := strings.Fields(whole)
			for row := range strings.Lines(notes.ReplaceAllString(shown, "")) {
				row = strings.TrimRight(row, "\n")
				long := slices.ContainsFunc(strings.Fields(row), func(w string) bool { return cells(w)+2 > width })
				if cells(row) > width && !long {
					t.Errorf("%s at %d: a row of %d cells: %q", args[0], width, cells(row), row)
				}
				for _, word := range strings.Fields(row) {
					if !strings.HasSuffix(word, "…") && !slices.Contains(words, word) {
						t.Errorf("%s at %d: the word %q of %q is new", args[0], width, word, row)
					}
				}
			}
		}
	}
	if narrow := s.screen(60, "engines", "--addr", addr); !strings.Contains(narrow, "no room for") ||
		!strings.Contains(narrow, "state") {
		t.Errorf("engines at 60:\n%s", narrow)
	}
	if wide := s.screen(200, "engines", "--addr", addr); strings.Contains(wide, "no room for") {
		t.Errorf("engines at 200:\n%s", wide)
	}
}

// screen is what a command shows on a screen of that width. What differs from run to run has no blanks in it.
func (s *session) screen(width int, args ...string) string {
	s.t.Helper()
	var out, errs screenText
	c := s.cli(&daemontest.Engine{}, &out, &errs)
	c.width = width
	if code := c.main(nil, args); code != exitOK {
		s.t.Fatalf("%v: exit %d\n%s", args, code, &errs)
	}
	return times.ReplaceAllString(out.String(), "T s")
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"a b c", 0, "a b c"}, {"a b c", 5, "a b c"}, {"aa bb cc\n", 5, "aa bb\n  cc\n"},
		{"  aa bb cc dd\nx\n", 8, "  aa bb\n    cc\n    dd\nx\n"},
		{"abcdefghij kl", 5, "abcdefghij\n  kl"}, {"", 5, ""}, {"\n\n", 1, "\n\n"},
		{"\x1b[2maa\x1b[0m bb", 5, "\x1b[2maa\x1b[0m bb"}, {"猫猫 猫猫", 5, "猫猫\n  猫猫"},
	} {
		if got := wrap(c.text, c.width); got != c.want {
			t.Errorf("%q at %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
