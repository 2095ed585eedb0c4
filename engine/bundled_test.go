package engine_test

import (
	"os"
	"strings"
	"testing"

	"sparkd/engine"
	"sparkd/engine/enginetest"
	"sparkd/internal/settings"
	"sparkd/sampler"
)

// TestBundledPolicyLive checks servers that hold the bundled policy: SPARKD_BUNDLED_URL has
// their addresses, separated by commas. docs/bundled.md starts them.
func TestBundledPolicyLive(t *testing.T) {
	list := os.Getenv("SPARKD_BUNDLED_URL")
	if list == "" {
		t.Skip("SKIPPED: SPARKD_BUNDLED_URL names no servers with the bundled policy; see docs/bundled.md")
	}
	want := enginetest.ReadContinuations(t, "../bundled/testdata/greedy.json")
	for url := range strings.SplitSeq(list, ",") {
		t.Run(url, func(t *testing.T) {
			o := settings.Default[engine.Options]()
			o.Replicas = []string{strings.TrimSpace(url)}
			e, err := engine.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			style, err := sampler.ModelStyle(e.Describe().ChatTemplate)
			if style != sampler.StyleCompact || err != nil {
				t.Errorf("prompt style %q: %v", style, err)
			}
			enginetest.Greedy(t, e, want)
		})
	}
}
