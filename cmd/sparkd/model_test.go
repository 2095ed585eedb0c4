package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A model that is not there is refused by every command that loads one, with what to do.
func TestMissingModel(t *testing.T) {
	s := newSession(t)
	t.Setenv("SPARKD_CACHE", s.dir)
	for _, args := range [][]string{{"serve"}, {"run"}, {"compare", "--out", filepath.Join(s.dir, "compare.html")}} {
		for model, remedy := range map[string]string{
			"smollm2": "`make model`", filepath.Join(s.dir, "none.gguf"): "or one of bundled, smollm2",
		} {
			var out, errs screenText
			code := s.cli(nil, &out, &errs).main(nil, append(args, "--model", model))
			if code != exitUsage || !strings.Contains(errs.String(), "sparkd: engine.model: ") ||
				!strings.Contains(errs.String(), "remedy: ") || !strings.Contains(errs.String(), remedy) {
				t.Errorf("%s --model %s: exit %d\n%s", args[0], model, code, &errs)
			}
		}
	}
}
