package suggest

import (
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	among := []string{"boil/0", "boil/1", "melt/0", "freeze/0"}
	for _, c := range []struct {
		name string
		most int
		want []string
	}{
		{"boil/7", 3, []string{"boil/0", "boil/1", "melt/0"}},
		{"oil/1", 1, []string{"boil/1"}}, // a mistake at the start
		{"freeze", 2, []string{"freeze/0", "boil/0"}},
		{"", 9, []string{"boil/0", "boil/1", "melt/0", "freeze/0"}},
		{"melt/" + strings.Repeat("0", 1<<24), 1, []string{"melt/0"}}, // at once
	} {
		if got := Names(c.name, among, c.most); !slices.Equal(got, c.want) {
			t.Errorf("near %.20q: %q, want %q", c.name, got, c.want)
		}
	}
	if got := Names("boil", nil, 3); got != nil {
		t.Errorf("among none: %q", got)
	}
}

func TestName(t *testing.T) {
	among := []string{"run", "rollouts", "tree", "c"}
	for word, want := range map[string]string{"rnu": "run", "treee": "tree", "rolouts": "rollouts", "run": "run",
		"x": "", "": "", "ls": "", "roots": ""} {
		if got := Name(word, among); got != want {
			t.Errorf("%q was meant to be %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got, back := Distance(c.a, c.b), Distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%q to %q: %d, back %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}
