package prefixcache

import (
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"sparkd"
)

func key(tokens []sparkd.Token) string {
	b := make([]byte, 0, 4*len(tokens))
	for _, t := range tokens {
		b = binary.LittleEndian.AppendUint32(b, uint32(t))
	}
	return string(b)
}

// naive is what an Index must agree with: a map with one entry per held prefix.
type naive struct {
	value map[string]int // value of the last token of the prefix
	owner map[int]string // the other way round; values are unique in the tests
	pins  map[string]int
}

func (m *naive) match(tokens []sparkd.Token) []int {
	values := []int{}
	for i := range tokens {
		v, ok := m.value[key(tokens[:i+1])]
		if !ok {
			break
		}
		values = append(values, v)
	}
	return values
}

// pair drives an Index and its naive model side by side.
type pair struct {
	t     *testing.T
	index Index[int]
	naive naive
	next  int
	pins  []Pin[int]
	keys  []string // of pins
}

func newPair(t *testing.T) *pair {
	return &pair{t: t, naive: naive{map[string]int{}, map[int]string{}, map[string]int{}}}
}

func (p *pair) insert(tokens []sparkd.Token) {
	values := make([]int, len(tokens))
	for i := range values {
		p.next++
		values[i] = p.next
	}
	want := len(p.naive.match(tokens))
	if old := p.index.Insert(tokens, values); old != want {
		p.t.Fatalf("Insert(%v) found %d tokens held, want %d", tokens, old, want)
	}
	for i := want; i < len(tokens); i++ {
		k := key(tokens[:i+1])
		p.naive.value[k], p.naive.owner[values[i]] = values[i], k
	}
}

func (p *pair) match(tokens []sparkd.Token) {
	if got, want := p.index.Match(tokens), p.naive.match(tokens); !slices.Equal(got, want) {
		p.t.Fatalf("Match(%v) = %v, want %v", tokens, got, want)
	}
}

func (p *pair) pin(tokens []sparkd.Token) {
	pin := p.index.Pin(tokens)
	if want := len(p.naive.match(tokens)); pin.Len() != want {
		p.t.Fatalf("Pin(%v) holds %d tokens, want %d", tokens, pin.Len(), want)
	}
	k := key(tokens[:pin.Len()])
	p.naive.pins[k]++
	p.pins, p.keys = append(p.pins, pin), append(p.keys, k)
}

func (p *pair) release(i int) {
	if len(p.pins) == 0 {
		return
	}
	i %= len(p.pins)
	p.index.Release(p.pins[i])
	p.naive.pins[p.keys[i]]--
	p.pins, p.keys = slices.Delete(p.pins, i, i+1), slices.Delete(p.keys, i, i+1)
}

// evict checks that what goes is the end of one held sequence that nothing pins and
// nothing extends, and that everything stays only if all of it is pinned.
func (p *pair) evict() {
	values := p.index.Evict()
	for _, v := range slices.Backward(values) {
		k, ok := p.naive.owner[v]
		if !ok {
			p.t.Fatalf("Evict returned %d, which is not held", v)
		}
		if p.naive.pins[k] > 0 {
			p.t.Fatalf("Evict dropped a pinned prefix %x", k)
		}
		for other := range p.naive.value {
			if len(other) == len(k)+4 && other[:len(k)] == k {
				p.t.Fatalf("Evict dropped %x, which %x extends", k, other)
			}
		}
		delete(p.naive.value, k)
		delete(p.naive.owner, v)
	}
	if values == nil {
		for k := range p.naive.value {
			if !p.pinned(k) {
				p.t.Fatalf("Evict found nothing, but %x is not pinned", k)
			}
		}
	}
}

func (p *pair) pinned(k string) bool {
	for held, n := range p.naive.pins {
		if n > 0 && len(held) >= len(k) && held[:len(k)] == k {
			return true
		}
	}
	return false
}

func (p *pair) check() {
	if p.index.Len() != len(p.naive.value) {
		p.t.Fatalf("Len() = %d, want %d", p.index.Len(), len(p.naive.value))
	}
	p.structure(&p.index.root)
	seen := map[*node[int]]bool{}
	for n := p.index.root.newer; n != nil && n != &p.index.root; n = n.newer {
		if seen[n] = true; seen[n.parent] {
			p.t.Fatal("a node stands after its parent in the order of use")
		}
	}
}

func (p *pair) structure(n *node[int]) {
	for first, c := range n.children {
		if c.parent != n || len(c.tokens) == 0 || c.tokens[0] != first || len(c.tokens) != len(c.values) {
			p.t.Fatalf("broken node %+v", c)
		}
		p.structure(c)
	}
}

// run interprets program as a series of operations on sequences over three tokens, so
// that they share prefixes often.
func (p *pair) run(program []byte) {
	for len(program) >= 2 {
		op, n := program[0], min(int(program[1]%16), len(program)-2)
		tokens := make([]sparkd.Token, n)
		for i, b := range program[2 : 2+n] {
			tokens[i] = sparkd.Token(b % 3)
		}
		switch op % 8 {
		case 0, 1, 2:
			p.insert(tokens)
		case 3, 4:
			p.match(tokens)
		case 5:
			p.pin(tokens)
		case 6:
			p.release(int(program[1]))
		case 7:
			p.evict()
		}
		p.check()
		program = program[2+n:]
	}
	for len(p.pins) > 0 {
		p.release(0)
	}
	for p.index.Len() > 0 {
		p.evict()
		p.check()
	}
}

func TestIndexAgainstNaive(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		program := make([]byte, 800)
		for i := range program {
			program[i] = byte(r.Uint32())
		}
		if !t.Run("", func(t *testing.T) { newPair(t).run(program) }) {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte{0, 4, 1, 1, 2, 0, 5, 2, 1, 1, 0, 3, 1, 1, 1, 7, 0, 6, 0, 7, 0})
	f.Add([]byte{0, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 7, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 4096 {
			t.Skip("long programs find nothing new and take long")
		}
		newPair(t).run(program)
	})
}

func TestEvictsLeastRecentlyUsedLeaf(t *testing.T) {
	var x Index[int]
	x.Insert([]sparkd.Token{1, 2, 3}, []int{10, 20, 30})
	x.Insert([]sparkd.Token{1, 2, 4}, []int{0, 0, 40})
	x.Insert([]sparkd.Token{5, 6}, []int{50, 60})
	x.Match([]sparkd.Token{1, 2, 3})
	pin := x.Pin([]sparkd.Token{5})
	for _, want := range [][]int{{40}, {60}, {30}, {10, 20}, nil} {
		if got := x.Evict(); !reflect.DeepEqual(got, want) {
			t.Fatalf("Evict() = %v, want %v", got, want)
		}
	}
	x.Release(pin)
	if got := x.Evict(); !slices.Equal(got, []int{50}) || x.Len() != 0 {
		t.Fatalf("Evict() = %v with %d left after the release", got, x.Len())
	}
}

func TestSplitKeepsPin(t *testing.T) {
	var x Index[int]
	x.Insert([]sparkd.Token{1, 2, 3, 4}, []int{1, 2, 3, 4})
	pin := x.Pin([]sparkd.Token{1, 2, 3, 4})
	x.Insert([]sparkd.Token{1, 2, 9}, []int{0, 0, 9})
	if got := x.Evict(); !slices.Equal(got, []int{9}) {
		t.Fatalf("Evict() = %v, want the unpinned branch", got)
	}
	if got := x.Evict(); got != nil {
		t.Fatalf("Evict() = %v, but all is pinned", got)
	}
	x.Release(pin)
	x.Release(Pin[int]{})
	if x.Evict() == nil {
		t.Fatal("nothing to evict after the release")
	}
}

func TestHolders(t *testing.T) {
	h := NewHolders(4)
	h.Add("b", []sparkd.Token{1, 2, 3})
	h.Add("a", []sparkd.Token{1, 2, 9})
	check := func(tokens []sparkd.Token, want map[string]int) {
		t.Helper()
		for _, holder := range []string{"a", "b", "c"} {
			if n := h.Held(holder, tokens); n != want[holder] {
				t.Errorf("%s holds %d of %v, want %d", holder, n, tokens, want[holder])
			}
		}
	}
	check([]sparkd.Token{1, 2, 3, 4}, map[string]int{"a": 2, "b": 3})
	check([]sparkd.Token{7}, nil)
	check(nil, nil)
	h.Add("a", []sparkd.Token{7, 7, 7}) // over the limit of 4: the sequence used longest ago goes
	check([]sparkd.Token{7, 7, 7}, map[string]int{"a": 3})
	check([]sparkd.Token{1, 2, 9}, map[string]int{"b": 2})
	h.Drop("b")
	check([]sparkd.Token{1, 2, 3}, nil)
}

// trees returns the sequences of n trees: a common preamble, then steps that fork now and then.
func trees(n int) [][]sparkd.Token {
	r := rand.New(rand.NewPCG(7, 7))
	preamble := make([]sparkd.Token, 400)
	var all [][]sparkd.Token
	for range n {
		leaf := slices.Clone(preamble)
		for range 30 {
			leaf = slices.Clone(leaf)
			for range 50 {
				leaf = append(leaf, sparkd.Token(r.IntN(49152)))
			}
			all = append(all, leaf)
		}
	}
	return all
}

func BenchmarkInsertMatch(b *testing.B) {
	all := trees(64)
	values := make([]int32, 2000)
	b.ReportAllocs()
	var x Index[int32]
	for i := 0; b.Loop(); i++ {
		leaf := all[i%len(all)]
		x.Insert(leaf, values[:len(leaf)])
		x.Match(leaf)
	}
}

func BenchmarkPinRelease(b *testing.B) {
	all := trees(64)
	var x Index[int32]
	for _, leaf := range all {
		x.Insert(leaf, make([]int32, len(leaf)))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.Release(x.Pin(all[i%len(all)]))
	}
}

func BenchmarkEvict(b *testing.B) {
	all := trees(64)
	var x Index[int32]
	for b.Loop() {
		if x.Evict() == nil {
			b.StopTimer()
			for _, leaf := range all {
				x.Insert(leaf, make([]int32, len(leaf)))
			}
			b.StartTimer()
		}
	}
}
