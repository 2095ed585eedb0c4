package remote

import (
	"sync"

	"sparkd"
	"sparkd/prefixcache"
)

// maxResident bounds how many tokens of prefixes are remembered.
const maxResident = 1 << 20

// resident is which prefixes a server has computed since its cache was emptied last. It is
// an estimate: the server may have given some away.
type resident struct {
	block int // tokens of a block of the server's prefix cache; a prefix is cached in whole ones

	mu   sync.Mutex // guards held
	held *prefixcache.Holders
}

func newResident(block int) *resident {
	return &resident{block: max(block, 1), held: prefixcache.NewHolders(maxResident)}
}

// all is how many tokens of a prefix can be cached: those of its whole blocks. The last
// token is computed in any case, and a block that it would complete with it.
func (s *resident) all(prefix []sparkd.Token) int { return max(len(prefix)-1, 0) / s.block * s.block }

// expected is how many of them the server has computed before.
func (s *resident) expected(prefix []sparkd.Token) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(s.held.Held("", prefix)/s.block*s.block, s.all(prefix))
}

// add notes that the server has computed these tokens, but for the last one.
func (s *resident) add(tokens []sparkd.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held.Add("", tokens[:max(len(tokens)-1, 0)])
}

// compare notes how much of what was expected was found.
func (s *resident) compare(expected, cached int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held.Compare("", expected, cached)
}

// forget drops all prefixes.
func (s *resident) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held.Drop("")
}

// Process tells the processes of a server apart. The zero value knows of none.
type Process struct {
	mu   sync.Mutex
	last string
}

// Changed notes what identifies the process now, "" where that is not known, and reports
// whether it is another one than before.
func (p *Process) Changed(now string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.last
	p.last = now
	return old != "" && now != "" && old != now
}
