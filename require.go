package sparkd

import (
	"fmt"
	"slices"
	"strings"
)

type capabilityCheck struct {
	name string
	has  func(c *Capabilities) bool
}

// capabilities are what a Spec can require, in the order of Capabilities.
var capabilities = []capabilityCheck{
	{"token_exact", func(c *Capabilities) bool { return c.TokenExact }},
	{"logprobs", func(c *Capabilities) bool { return c.Logprobs.Has() }},
	{"entropy", func(c *Capabilities) bool { return c.Entropy.Has() }},
	{"native_k", func(c *Capabilities) bool { return c.NativeK }},
	{"cached_counts", func(c *Capabilities) bool { return c.CachedCounts }},
	{"abort", func(c *Capabilities) bool { return c.Abort }},
}

// Missing returns those of the required capabilities that the engine lacks. A name that is
// none is missing in every engine.
func (c *Capabilities) Missing(require []string) []string {
	var missing []string
	for _, name := range require {
		i := capability(name)
		if i < 0 || !capabilities[i].has(c) {
			missing = append(missing, name)
		}
	}
	return missing
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

// capability returns the index of a capability, -1 for a name that is none.
func capability(name string) int {
	return slices.IndexFunc(capabilities, func(c capabilityCheck) bool { return c.name == name })
}

func validateRequire(require []string) error {
	for i, name := range require {
		if capability(name) >= 0 {
			continue
		}
		var known []string
		for _, c := range capabilities {
			known = append(known, c.name)
		}
		return Invalid(fmt.Sprintf("require[%d]", i), "any of "+strings.Join(known, ", "),
			"unknown capability %q", name)
	}
	return nil
}
