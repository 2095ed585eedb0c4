package openai

// situation is what the choice of a plan depends on.
type situation struct {
	dialect  string
	k        int
	greedy   bool // all continuations are the same
	resident bool // the server holds the prefix, as far as is known
	most     int  // continuations that the server takes in one request
	copies   bool // the server copies what it computed for one continuation to others
}

// plan is how k continuations of one prefix are asked for.
type plan struct {
	name   string
	warm   bool // first a request that only computes the prefix
	each   int  // continuations of a request
	atOnce bool // the requests are sent at once, else one after the other
}

// plans is the table of them; the first line that holds is taken.
var plans = []struct {
	plan
	holds func(s situation) bool
}{
	// Whoever else begins with this prefix waits for it to be computed, and not for what
	// follows.
	{plan{name: "warm, then single", warm: true, each: 1}, func(s situation) bool { return s.copies && s.alone() && !s.resident }},
	// One continuation, copied: vLLM refuses n > 1 at temperature 0, and nobody has to
	// compute the same tokens twice.
	{plan{name: "greedy", each: 1}, func(s situation) bool { return s.greedy }},
	{plan{name: "single", each: 1}, func(s situation) bool { return s.k == 1 }},
	{plan{name: "fan-out", each: all}, func(s situation) bool { return s.prefixCache() && s.resident }},
	// vLLM gives blocks that one request is about to compute to all that come after it, even in
	// the same forward, and so computes a prefix once; but of n continuations it says only
	// what the last one found. Requests of their own say it of each.
	{plan{name: "siblings at once", each: 1, atOnce: true}, func(s situation) bool { return s.dialect == "vllm" }},
	// SGLang computes the prefix of n continuations once, too, and says of none that it did.
	{plan{name: "warm, then fan-out", warm: true, each: all}, func(s situation) bool { return s.dialect == "sglang" }},
	// The children of n_cmpl leave nothing behind, so that their paths would be computed a
	// second time at the next step.
	{plan{name: "warm, then copies", warm: true, each: 1, atOnce: true}, func(s situation) bool { return s.copies }},
	// n_cmpl computes the prefix in one slot and copies that slot's cells to the others:
	// references only where they are shared (--kv-unified).
	{plan{name: "fork", each: all}, func(s situation) bool { return s.dialect == "llamacpp" && s.most > 1 }},
	{plan{name: "siblings on one slot", each: 1}, func(s situation) bool { return s.dialect == "llamacpp" }},
	{plan{name: "batch", each: all}, func(s situation) bool { return true }},
}

// all stands for as many continuations as the server takes in one request.
const all = 0

func (s situation) alone() bool { return s.k == 1 || s.greedy }

func (s situation) prefixCache() bool { return s.dialect == "vllm" || s.dialect == "sglang" }

// planOf returns the plan of a situation.
func planOf(s situation) plan {
	for _, line := range plans {
		if line.holds(s) {
			p := line.plan
			if p.each == all {
				p.each = min(s.k, max(s.most, 1))
			}
			return p
		}
	}
	panic("openai: the last plan holds always")
}
