package embedded

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"sparkd"
)

// parallelFrom is the number of logits in a forward from which the choice of tokens is
// spread over the cores: below, starting goroutines costs more than it saves.
const parallelFrom = 1 << 17

// position is a place where tokens are drawn: the continuations that have come to the
// same logits, one that decodes or all those of a finished prompt.
type position struct {
	sequences []*sequence
	choices   []choice // one per sequence
	finite    bool
	broken    any // what choosing panicked with
}

// step runs a forward and lets every continuation that took part have its next token.
func (l *loop) step(b batch) {
	if err := l.backend.forward(b.segs); err != nil {
		l.fail(b, err)
		return
	}
	l.stats.Forwards++
	l.stats.DecodeBatch.Observe(len(b.decode))
	positions := make([]position, 0, len(b.segs))
	for _, s := range b.decode {
		positions = append(positions, position{sequences: []*sequence{s}})
	}
	prompt := 0
	for _, c := range b.chunks {
		prompt += c.n
		if l.absorb(c) {
			positions = append(positions, position{sequences: l.fork(c.prefill)})
		}
	}
	l.stats.PrefillBatch.Observe(prompt)
	l.choose(positions)
	for i := range positions {
		l.advance(&positions[i])
	}
}

// fail ends the requests that took part in a failed forward.
func (l *loop) fail(b batch, err error) {
	if sparkd.CodeOf(err) != sparkd.CodeEngine {
		err = sparkd.Errorf(sparkd.CodeEngine, "the model failed: %v", err)
	}
	for _, s := range b.decode {
		if !s.req.ended {
			l.end(s.req, err)
		}
	}
	for _, c := range b.chunks {
		if !c.prefill.req.ended {
			l.end(c.prefill.req, err)
		}
	}
}

// absorb notes that a chunk was computed: others may use it from now on. It reports whether the prompt is complete.
func (l *loop) absorb(c chunk) bool {
	p, r := c.prefill, c.prefill.req
	p.pos += c.n
	r.result.ComputedTokens += c.n
	l.stats.ComputedTokens += uint64(c.n)
	tokens := r.Prefix[:p.pos]
	if old := l.cells.remember(tokens, p.path); l.cells.index != nil && old == r.prefix.pin.Len() {
		// All that was added lies in blocks that r holds, so the pin may move on.
		l.cells.index.Release(r.prefix.pin)
		r.prefix.pin = l.cells.index.Pin(tokens)
	}
	return p.pos == len(r.Prefix)
}

// fork starts the continuations of a prompt that is complete.
func (l *loop) fork(p *prefill) []*sequence {
	p.over = true
	l.prefills = slices.DeleteFunc(l.prefills, func(q *prefill) bool { return q == p })
	var forks []*sequence
	blocks := blocksFor(p.req.limit - 1)
	for _, k := range p.samples {
		forks = append(forks, &sequence{req: p.req, index: k, path: slices.Clone(p.path), pledged: blocks})
	}
	l.live = append(l.live, forks...)
	return forks
}

// choose draws the tokens of all positions, in parallel where that pays.
func (l *loop) choose(positions []position) {
	workers := min(runtime.GOMAXPROCS(0), len(positions))
	if len(positions)*l.backend.vocabulary() < parallelFrom {
		workers = min(1, len(positions))
	}
	for len(l.choosers) < workers {
		l.choosers = append(l.choosers, chooser{})
	}
	var next atomic.Int64
	work := func(c *chooser) {
		for i := int(next.Add(1)) - 1; i < len(positions); i = int(next.Add(1)) - 1 {
			positions[i].draw(l.backend, c, i)
		}
	}
	var wg sync.WaitGroup
	for i := 1; i < workers; i++ {
		wg.Go(func() { work(&l.choosers[i]) })
	}
	if workers > 0 {
		work(&l.choosers[0])
	}
	wg.Wait()
	for i := range positions {
		if p := positions[i].broken; p != nil {
			panic(p)
		}
	}
}

// draw chooses a token for every continuation at p, the i-th of the forward.
func (p *position) draw(b backend, c *chooser, i int) {
	defer func() {
		if v := recover(); v != nil {
			p.broken = fmt.Sprintf("choosing a token: %v", v)
		}
	}()
	sampling := &p.sequences[0].req.Sampling
	logits := b.logits(i)
	s := b.summarize(logits, temperature(sampling))
	if p.finite = s.finite; !s.finite {
		return
	}
	for _, q := range p.sequences {
		p.choices = append(p.choices, c.choose(b, logits, s, sampling, q.uniform()))
	}
}

// advance gives the continuations at p their tokens, and ends those that are complete.
func (l *loop) advance(p *position) {
	r := p.sequences[0].req
	if r.ended {
		return
	}
	if !p.finite {
		l.end(r, &sparkd.Error{Code: sparkd.CodeEngine, Message: "the model computed logits that are not finite",
			Remedy: "check the model file, or take weights of another type"})
		return
	}
	for i, s := range p.sequences {
		l.stats.GeneratedTokens++
		if s.accept(l.backend, p.choices[i]) {
			l.complete(s)
		}
	}
}

// complete ends a continuation and keeps what it computed for the next step.
func (l *loop) complete(s *sequence) {
	r := s.req
	l.live = slices.DeleteFunc(l.live, func(o *sequence) bool { return o == s })
	l.cells.remember(s.computed(), s.path)
	l.cells.drop(s.taken)
	l.pledge(r, -s.pledged)
	if r.left--; r.left == 0 {
		l.end(r, nil)
	}
}
