package remote

import (
	"slices"
	"testing"

	"sparkd"
	"sparkd/prefixcache"
)

// path is n tokens that no other seed has, behind the prefix.
func path(prefix []sparkd.Token, seed, n int) []sparkd.Token {
	out := slices.Clone(prefix)
	for i := range n {
		out = append(out, sparkd.Token(seed*10000+i))
	}
	return out
}

func TestResident(t *testing.T) {
	s := newResident(16)
	a := path(nil, 1, 100)
	if s.expected(a) != 0 || s.all(a) != 96 {
		t.Errorf("%d, %d", s.expected(a), s.all(a))
	}
	s.add(a)
	for n, want := range map[int]int{0: 0, 1: 0, 16: 0, 17: 16, 32: 16, 33: 32, 100: 96} {
		if got := s.expected(a[:n]); got != want {
			t.Errorf("of the first %d tokens %d are held, want %d", n, got, want)
		}
	}
	if got := s.expected(path(a[:50], 2, 50)); got != 48 {
		t.Errorf("of a fork behind 50 tokens %d are held", got)
	}
	if s.compare(255, 0); s.expected(a) != 96 {
		t.Error("forgotten without a reason")
	}
	if s.compare(256, 0); s.expected(a) != 0 {
		t.Error("not forgotten, though nothing was found")
	}
	s.add(a)
	if s.forget(); s.expected(a) != 0 {
		t.Error("not forgotten")
	}
	s.held = prefixcache.NewHolders(1000)
	for i := range 10 {
		s.add(path(nil, i, 401))
	}
	held := 0
	for i := range 10 {
		held += s.expected(path(nil, i, 401))
	}
	if held != 800 || s.expected(path(nil, 9, 401)) != 400 {
		t.Errorf("%d tokens are remembered", held)
	}
}

func TestProcess(t *testing.T) {
	var p Process
	for i, c := range []struct {
		now  string
		want bool
	}{{"one", false}, {"one", false}, {"", false}, {"two", false}, {"three", true}, {"three", false}} {
		if got := p.Changed(c.now); got != c.want {
			t.Errorf("%d: %q changed: %v", i, c.now, got)
		}
	}
}
