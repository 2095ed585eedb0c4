package embedded

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"testing"

	"sparkd"
)

// toy is a backend whose KV cells hold nothing but tokens and whose logits are a hash of
// the tokens that a path leads through. So a wrong path, or a cell that was given away
// too early, shows up as wrong logits, which reference computes from the tokens alone.
type toy struct {
	size     [3]int // blocks, batch, segments
	context  int
	about    sparkd.EngineInfo
	salt     uint64 // the weights
	words    []string
	cells    []toyCell
	rows     [][]float32
	forwards int

	before func(segs []segment) error // faults and assertions
	spoil  func(logits []float32)
	say    func(tokens []sparkd.Token, logits []float32)
	broken bool // summarize panics
	opened int
	closed int
}

type toyCell struct {
	token   sparkd.Token
	forward int // that wrote it
	writer  int // segment of that forward
}

const toyEnd = 59 // ends a generation

func newToy(blocks int) *toy {
	t := &toy{size: [3]int{blocks, 64, 32}, context: 6000, cells: make([]toyCell, blocks*blockTokens),
		about: sparkd.EngineInfo{Name: "toy", Architecture: "hash", PolicyVersion: "v1"}}
	for id := range 60 {
		t.words = append(t.words, string(rune('A'+id)))
	}
	t.words[50], t.words[51] = "\xc3", "\xa9" // é in two tokens
	return t
}

func (t *toy) blocks() int                            { return t.size[0] }
func (t *toy) maxBatch() int                          { return t.size[1] }
func (t *toy) maxSegments() int                       { return t.size[2] }
func (t *toy) vocabulary() int                        { return len(t.words) }
func (t *toy) contextLength() int                     { return t.context }
func (t *toy) isEndOfGeneration(id sparkd.Token) bool { return id == toyEnd }
func (t *toy) detokenizePiece(id sparkd.Token) []byte { return []byte(t.words[id]) }
func (t *toy) close()                                 { t.closed++ }
func (t *toy) info() sparkd.EngineInfo                { return t.about }
func (t *toy) logits(i int) []float32                 { return t.rows[i] }
func (t *toy) detokenize(ids []sparkd.Token) (s string) {
	for _, id := range ids {
		s += t.words[id]
	}
	return s
}

func (t *toy) tokenize(text string, control bool) ([]sparkd.Token, error) {
	return make([]sparkd.Token, len(text)), nil
}

func (t *toy) forward(segs []segment) error {
	if t.before != nil {
		if err := t.before(segs); err != nil {
			return err
		}
	}
	t.forwards++
	total := 0
	for i, s := range segs {
		total += len(s.tokens)
		if err := t.write(i, s); err != nil {
			return err
		}
	}
	if total == 0 || total > t.maxBatch() || len(segs) > t.maxSegments() {
		return fmt.Errorf("toy: %d tokens in %d segments", total, len(segs))
	}
	t.rows = t.rows[:0]
	for i, s := range segs {
		tokens, err := t.read(i, s)
		if err != nil {
			return err
		}
		if s.output {
			t.rows = append(t.rows, t.compute(tokens))
		}
	}
	return nil
}

func (t *toy) write(i int, s segment) error {
	at := cellsOf(s.path, blockTokens*len(s.path))
	if len(s.tokens) == 0 || len(at) < len(s.tokens) || len(at) > t.context {
		return fmt.Errorf("toy: %d new tokens on a path of %d", len(s.tokens), len(at))
	}
	for k, cell := range at[len(at)-len(s.tokens):] {
		if t.cells[cell].forward == t.forwards {
			return fmt.Errorf("toy: cell %d is written twice in one forward", cell)
		}
		t.cells[cell] = toyCell{s.tokens[k], t.forwards, i}
	}
	return nil
}

func (t *toy) read(i int, s segment) ([]sparkd.Token, error) {
	var tokens []sparkd.Token
	for k, ref := range s.path {
		if ref.n < 1 || ref.n > blockTokens {
			return nil, fmt.Errorf("toy: reference %d has %d cells", k, ref.n)
		}
		for j := range ref.n {
			c := t.cells[ref.block*blockTokens+j]
			if c.forward == 0 || c.forward == t.forwards && c.writer != i {
				return nil, fmt.Errorf("toy: a path reads a cell that is not written yet")
			}
			tokens = append(tokens, c.token)
		}
	}
	return tokens, nil
}

func (t *toy) compute(tokens []sparkd.Token) []float32 {
	h := uint64(len(tokens)) + t.salt
	for _, id := range tokens {
		h = sparkd.Mix(h, uint64(id))
	}
	row := make([]float32, 60)
	for id := range row {
		row[id] = float32(8*uniform(h, id) - 4)
	}
	row[toyEnd] -= 1.5
	if t.spoil != nil {
		t.spoil(row)
	}
	if t.say != nil {
		t.say(tokens, row)
	}
	return row
}

func (t *toy) summarize(logits []float32, temperature float32) summary {
	if t.broken {
		panic("boom")
	}
	return naiveSummary(logits, float64(temperature))
}

func naiveSummary(logits []float32, temperature float64) summary {
	s := summary{best: float32(math.Inf(-1)), second: float32(math.Inf(-1)), finite: true}
	for id, x := range logits {
		s.finite = s.finite && !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 1)
		if x > s.best {
			s.best, s.second, s.bestID = x, s.best, int32(id)
		} else if x > s.second {
			s.second = x
		}
	}
	logZ := func(t float64) float64 {
		z := 0.0
		for _, x := range logits {
			z += math.Exp(float64(x-s.best) / t)
		}
		return float64(s.best)/t + math.Log(z)
	}
	s.logZ = logZ(1)
	s.logZT = s.logZ
	if temperature > 0 {
		s.logZT = logZ(temperature)
	}
	for _, x := range logits {
		if lp := float64(x) - s.logZ; !math.IsInf(lp, -1) {
			s.entropy -= math.Exp(lp) * lp
		}
	}
	return s
}

func (t *toy) draw(logits []float32, temperature float32, s summary, u float64) sparkd.Token {
	for id, x := range logits {
		if u -= math.Exp(float64(x)/float64(temperature) - s.logZT); u < 0 {
			return int32(id)
		}
	}
	return s.bestID
}

// versioned gives t weights of their own.
func (t *toy) versioned(version string, salt uint64) *toy {
	t.about.PolicyVersion, t.salt = version, salt<<32
	return t
}

// endless makes t never end a generation by itself.
func (t *toy) endless() *toy {
	t.spoil = func(logits []float32) { logits[toyEnd] = float32(math.Inf(-1)) }
	return t
}

// reference samples one continuation without cells, batches or cache.
func (t *toy) reference(r sparkd.SampleRequest, i int) sparkd.Sample {
	tokens := slices.Clone(r.Prefix)
	req := &request{SampleRequest: r, limit: min(r.Sampling.MaxTokens, t.context-len(r.Prefix))}
	req.result.Samples = make([]sparkd.Sample, r.K)
	s := &sequence{req: req, index: i}
	for {
		logits := t.compute(tokens)
		sum := t.summarize(logits, temperature(&r.Sampling))
		c := new(chooser).choose(t, logits, sum, &r.Sampling, s.uniform())
		tokens = append(tokens, c.id)
		if s.accept(t, c) {
			return *s.sample()
		}
	}
}

// rig is an engine whose loop is driven by the test, turn by turn, and checked after
// every turn.
type rig struct {
	*Engine
	t   *testing.T
	toy *toy
}

func newRig(t *testing.T, b *toy, o Options) *rig {
	t.Helper()
	return &rig{newEngine(b, o), t, b}
}

// send queues a request.
func (r *rig) send(ctx context.Context, s sparkd.SampleRequest) *request {
	r.t.Helper()
	req, err := r.admit(ctx, s)
	if err != nil {
		r.t.Fatal(err)
	}
	r.loop.enqueue(req)
	return req
}

func (r *rig) tick() {
	r.t.Helper()
	r.loop.tick()
	if err := r.loop.cells.audit(r.loop); err != nil {
		r.t.Fatal(err)
	}
}

// drain runs the loop until all requests are answered.
func (r *rig) drain() {
	r.t.Helper()
	for turns := 0; len(r.loop.queue)+len(r.loop.running) > 0; turns++ {
		if turns > 100_000 {
			r.t.Fatal("the loop makes no progress")
		}
		r.tick()
	}
}

// sample sends a request, settles, and compares every continuation with the reference.
func (r *rig) sample(s sparkd.SampleRequest) sparkd.SampleResult {
	r.t.Helper()
	req := r.send(context.Background(), s)
	r.drain()
	r.compare(req)
	return req.result
}

func (r *rig) compare(req *request) {
	r.t.Helper()
	if req.err != nil {
		r.t.Fatal(req.err)
	}
	for i, got := range req.result.Samples {
		if want := r.toy.reference(req.SampleRequest, i); fmt.Sprint(got) != fmt.Sprint(want) {
			r.t.Fatalf("continuation %d:\n got %+v\nwant %+v", i, got, want)
		}
	}
}

// empty evicts the whole cache and checks that every block is free.
func (r *rig) empty() {
	r.t.Helper()
	c := r.loop.cells
	if c.held != 0 || c.pledged != 0 {
		r.t.Fatalf("%d blocks held and %d pledged with nothing running", c.held, c.pledged)
	}
	if c.index != nil {
		for v := c.index.Evict(); v != nil; v = c.index.Evict() {
			for _, cell := range v {
				c.kept[cell/blockTokens]--
				c.freeIfUnused(cell / blockTokens)
			}
		}
		if c.index.Len() != 0 {
			r.t.Fatalf("%d tokens are still pinned", c.index.Len())
		}
	}
	sort.Slice(c.free, func(i, j int) bool { return c.free[i] < c.free[j] })
	if len(slices.Compact(slices.Clone(c.free))) != r.toy.blocks() || len(c.free) != r.toy.blocks() {
		r.t.Fatalf("%d of %d blocks are free at the end", len(c.free), r.toy.blocks())
	}
}

// audit recounts the books of c from what is live.
func (c *cells) audit(l *loop) error {
	holds, pledged := make([]int32, len(c.holds)), 0
	for _, r := range l.running {
		for _, b := range slices.Concat(r.taken, r.prefix.blocks) {
			holds[b]++
		}
		pledged += r.pledged
	}
	for _, s := range l.live {
		for _, b := range s.taken {
			holds[b]++
		}
	}
	for _, p := range l.prefills {
		if err := c.covers(p.path); err != nil {
			return err
		}
	}
	for _, s := range l.live {
		if err := c.covers(s.path); err != nil {
			return err
		}
	}
	held, free, kept := 0, 0, 0
	for b := range holds {
		if holds[b] > 0 {
			held++
		}
		if holds[b] == 0 && c.kept[b] == 0 {
			free++
		}
		kept += int(c.kept[b])
	}
	switch {
	case !slices.Equal(holds, c.holds):
		return fmt.Errorf("holds are %v, want %v", c.holds, holds)
	case held != c.held || pledged != c.pledged:
		return fmt.Errorf("%d held and %d pledged, want %d and %d", c.held, c.pledged, held, pledged)
	case held+pledged > len(c.holds):
		return fmt.Errorf("%d held and %d pledged of %d blocks", held, pledged, len(c.holds))
	case free != len(c.free):
		return fmt.Errorf("%d blocks on the free list, want %d", len(c.free), free)
	case c.index != nil && kept != c.index.Len():
		return fmt.Errorf("%d cells kept for %d tokens in the index", kept, c.index.Len())
	}
	return nil
}

// covers checks that every block of a live path is held.
func (c *cells) covers(path []blockRef) error {
	for _, ref := range path {
		if c.holds[ref.block] == 0 {
			return fmt.Errorf("block %d is in use and nobody holds it", ref.block)
		}
	}
	return nil
}

// ids returns n tokens that depend on seed alone.
func ids(seed uint64, n int) []sparkd.Token {
	out := make([]sparkd.Token, n)
	for i := range out {
		out[i] = sparkd.Token(sparkd.Mix(seed, uint64(i)) % toyEnd)
	}
	return out
}

// ask is a request for k continuations of prefix with seeds from seed on.
func ask(prefix []sparkd.Token, k, most int, seed uint64) sparkd.SampleRequest {
	r := sparkd.SampleRequest{Prefix: prefix, K: k, Sampling: sparkd.DefaultSampling(), Tree: "a"}
	r.Sampling.MaxTokens = most
	for i := range k {
		r.Seeds = append(r.Seeds, seed+uint64(i))
	}
	return r
}
