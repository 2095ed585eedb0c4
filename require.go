package sparkd

import (
	"fmt"
	"strings"
)

// capabilityNames are what a Spec can require, in the order of Capabilities.
var capabilityNames = []string{"token_exact", "logprobs", "entropy", "native_k", "cached_counts", "abort"}

// lacks reports whether the capability of that name is missing.
func (c *Capabilities) lacks(name string) bool {
	switch name {
	case "token_exact":
		return !c.TokenExact
	case "logprobs":
		return !c.Logprobs.Has()
	case "entropy":
		return !c.Entropy.Has()
	case "native_k":
		return !c.NativeK
	case "cached_counts":
		return !c.CachedCounts
	case "abort":
		return !c.Abort
	}
	return true
}

// Check refuses a request that requires what the engine lacks, and lists all that is
// missing.
func (c *Capabilities) Check(require []string) error {
	var missing []string
	for _, name := range require {
		if c.lacks(name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return Invalid("require", "use an engine that has it, or do not require it", "the engine lacks %s", strings.Join(missing, ", "))
}

func validateRequire(require []string) error {
	for i, name := range require {
		known := false
		for _, n := range capabilityNames {
			known = known || n == name
		}
		if !known {
			return Invalid(fmt.Sprintf("require[%d]", i), "any of "+strings.Join(capabilityNames, ", "), "unknown capability %q", name)
		}
	}
	return nil
}
