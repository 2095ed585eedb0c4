package sparkd

import (
	"fmt"
	"slices"
	"strings"
)

type capability struct {
	name string
	has  bool
}

// all lists what a Spec can require.
func (c *Capabilities) all() []capability {
	return []capability{
		{"token_exact", c.TokenExact},
		{"logprobs", c.Logprobs.Has()},
		{"entropy", c.Entropy.Has()},
		{"native_k", c.NativeK},
		{"cached_counts", c.CachedCounts},
		{"abort", c.Abort},
	}
}

// Missing returns those of the required capabilities that the engine lacks. A name that is none is missing in every
// engine.
func (c *Capabilities) Missing(require []string) []string {
	has := func(name string) bool { return slices.Contains(c.all(), capability{name, true}) }
	return slices.DeleteFunc(slices.Clone(require), has)
}

// Check refuses a request that requires what the engine lacks, and lists all that is missing.
func (c *Capabilities) Check(require []string) error {
	missing := c.Missing(require)
	if len(missing) == 0 {
		return nil
	}
	return Invalid("require", "use an engine that has it, or do not require it",
		"the engine lacks %s", strings.Join(missing, ", "))
}

func validateRequire(require []string) error {
	var known []string
	for _, c := range new(Capabilities).all() {
		known = append(known, c.name)
	}
	for i, name := range require {
		if !slices.Contains(known, name) {
			return Invalid(fmt.Sprintf("require[%d]", i), "any of "+strings.Join(known, ", "),
				"unknown capability %q", name)
		}
	}
	return nil
}
