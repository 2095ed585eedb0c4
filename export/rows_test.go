package export

import (
	"strings"
	"testing"

	"sparkd"
)

func TestMode(t *testing.T) {
	for tags, want := range map[string]string{"": "", "think": "think", "think,explore": "explore",
		"explore,planning": "planning", "Explore": "explore", "monitor,reflection": "monitor", "doubt,think": "think"} {
		var list []string
		if tags != "" {
			list = strings.Split(tags, ",")
		}
		if got := mode(&sparkd.Node{Signals: sparkd.Signals{Tags: list}}); got != want {
			t.Errorf("mode of %q is %q, want %q", tags, got, want)
		}
	}
}
