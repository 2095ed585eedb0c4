package sampler

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzNewTemplate: any template comes to pieces that hold no text of a message, or to a stand-in with a reason.
func FuzzNewTemplate(f *testing.F) {
	for _, name := range []string{"chatml", "gemma3", "mistral-v3", "qwen3.5", "gpt-oss", "smollm3", "parts"} {
		f.Add(templateSource(f, name))
	}
	f.Add("{% for m in messages %}{{ m.content|upper }}{% endfor %}")
	f.Fuzz(func(t *testing.T, source string) {
		began := time.Now()
		got := NewTemplate(source, "<s>", "</s>", true)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%q took %v", source, took)
		}
		if got.Name != "model" {
			if got.Name != "chatml" || got.Warning == "" || len(got.Warning) > 4096 {
				t.Errorf("%q: %+v", source, got)
			}
			return
		}
		all := strings.Join(slices.Concat(got.opening[:], got.bare[:], got.next[:]), "\n")
		for _, p := range append(slices.Clone(turnProbes), systemProbe) {
			if strings.Contains(strings.ToLower(all), strings.ToLower(p.word)) {
				t.Errorf("%q: a piece holds %q", source, p.word)
			}
		}
		if text := spell(got.Opening("S", "U")); !strings.Contains(text, "U") && got.rewrite == nil {
			t.Errorf("%q: the opening is %q", source, text)
		}
	})
}
