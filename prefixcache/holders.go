package prefixcache

import "sparkd"

// Holders says how much of a sequence each of several holders (the replicas of a pool) has, by what each was
// given. It is an estimate: a holder may have evicted what is listed here.
type Holders struct {
	limit int
	held  map[string]*Index[struct{}]
}

// NewHolders returns an empty Holders that remembers about limit tokens per holder,
// those used last; a limit near a holder's own capacity keeps the estimate close.
func NewHolders(limit int) *Holders {
	return &Holders{limit: limit, held: map[string]*Index[struct{}]{}}
}

// Add records that holder has tokens now.
func (h *Holders) Add(holder string, tokens []sparkd.Token) {
	x := h.held[holder]
	if x == nil {
		x = &Index[struct{}]{}
		h.held[holder] = x
	}
	x.Insert(tokens, make([]struct{}, len(tokens)))
	for x.Len() > h.limit && x.Evict() != nil {
	}
}

// Held returns the length of the longest prefix of tokens that holder has. Asking is no
// use: it does not change what is forgotten first.
func (h *Holders) Held(holder string, tokens []sparkd.Token) int {
	x := h.held[holder]
	if x == nil {
		return 0
	}
	_, _, n := x.descend(tokens)
	return n
}

// sure is the expectation, in tokens, whose complete failure says that a holder is empty:
// caches work in blocks, and a short prefix may fill none.
const sure = 256

// Compare drops everything of a holder that had nothing of what it was expected to have: it
// was started anew, or has given its cache to others. It reports whether it did.
func (h *Holders) Compare(holder string, expected, found int) bool {
	empty := expected >= sure && found == 0
	if empty {
		h.Drop(holder)
	}
	return empty
}

// Drop forgets everything of holder: it died, or its weights changed.
func (h *Holders) Drop(holder string) { delete(h.held, holder) }
