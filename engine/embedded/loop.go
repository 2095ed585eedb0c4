package embedded

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"sparkd"
	"sparkd/prefixcache"
)

// loop owns the backend and everything live. Requests wait in queue in order of
// arrival, start when all blocks they could ever take are there, prefill their prompt
// in chunks, and decode their continuations, one token of each per forward.
type loop struct {
	backend backend
	share   bool // prefixes
	chunk   int  // chunkTokens, but in tests
	waiting int  // maxWaiting, but in tests
	cells   *cells

	queue    []*request
	running  []*request
	prefills []*prefill
	live     []*sequence
	turn     int // number of the forward; the tree that is served first rotates with it
	next     *exchange

	choosers []chooser
	stats    sparkd.EngineStats
	public   atomic.Pointer[sparkd.EngineStats] // what others see of stats
}

// maxWaiting is how many requests may wait for cells; the callers of further ones block. It
// bounds memory, not work: whoever blocks here would otherwise wait in the queue.
const maxWaiting = 1024

func newLoop(b backend, o Options) *loop {
	l := &loop{backend: b, share: o.PrefixCache, cells: newCells(b.blocks(), o.PrefixCache),
		chunk: chunkTokens, waiting: maxWaiting}
	l.publish()
	return l
}

// errClosed ends requests when the engine closes.
var errClosed = sparkd.Errorf(sparkd.CodeUnavailable, "the engine is closed")

// run serves submitted requests and exchanges until closing is closed. Whatever ends it,
// every request that it took gets an answer; cause is the one for those that come too late.
func (l *loop) run(submitted <-chan *request, exchanges <-chan *exchange, closing <-chan struct{}) (cause error) {
	defer func() {
		cause = errClosed
		if p := recover(); p != nil {
			broke := sparkd.NewError(sparkd.CodeInternal, "", "restart sparkd", "the engine broke down: %v", p)
			cause = broke.Because(fmt.Errorf("%v\n%s", p, debug.Stack()))
		}
		for _, r := range slices.Concat(l.queue, l.running) {
			r.err = cause
			close(r.done)
		}
	}()
	for l.receive(submitted, exchanges, closing) {
		l.tick()
	}
	return nil
}

// tick is one turn of the loop, with at most one forward.
func (l *loop) tick() {
	l.cancel()
	l.swap()
	l.start()
	if b := l.compose(); len(b.segs) > 0 {
		l.step(b)
	}
	l.publish()
}

// receive takes what was submitted, waits for it when there is nothing else to do, and
// returns false when the engine closes.
func (l *loop) receive(submitted <-chan *request, exchanges <-chan *exchange, closing <-chan struct{}) bool {
	if len(l.queue)+len(l.running) == 0 && l.next == nil {
		select {
		case r := <-submitted:
			l.enqueue(r)
		case l.next = <-exchanges:
		case <-closing:
			return false
		}
	}
	for len(l.queue) < l.waiting {
		select {
		case r := <-submitted:
			l.enqueue(r)
			continue
		default:
		}
		break
	}
	select {
	case <-closing:
		return false
	case l.next = <-exchanges: // one at a time: the last has been answered
	default:
	}
	return true
}

func (l *loop) enqueue(r *request) {
	l.queue = append(l.queue, r)
	l.stats.Requests++
}

// cancel ends the requests whose callers have gone.
func (l *loop) cancel() {
	for _, r := range slices.Concat(l.queue, l.running) {
		if err := r.ctx.Err(); err != nil {
			l.end(r, sparkd.AsError(err))
		}
	}
}

// start starts waiting requests in order, unless new weights are waiting. A request whose
// next tokens a prefill under way is computing is passed over until they are there; one that
// does not fit now holds up those behind it, so that it cannot starve.
func (l *loop) start() {
	full := l.next != nil
	l.queue = slices.DeleteFunc(l.queue, func(r *request) bool {
		if full || l.waits(r) {
			return false
		}
		full = !l.begin(r)
		return !full
	})
}

// waits reports whether a prefill under way is about to compute tokens that r needs next.
func (l *loop) waits(r *request) bool {
	if r.ahead != nil && !r.ahead.over && r.ahead.pos < r.until {
		return true
	}
	r.ahead = nil
	if l.cells.index == nil || len(l.prefills) == 0 {
		return false
	}
	reusable := r.reusable()
	r.until = len(l.cells.index.Match(reusable))
	for _, p := range l.prefills {
		if n := prefixcache.Common(p.req.Prefix, reusable); n > max(r.until, p.pos) {
			r.ahead, r.until = p, n
		}
	}
	return r.ahead != nil
}

// begin starts r if all blocks that it may take are there.
func (l *loop) begin(r *request) bool {
	r.prefix = l.cells.find(r.reusable())
	if !l.cells.fits(l.need(r)) {
		l.cells.forget(&r.prefix)
		if len(l.running) > 0 {
			return false
		}
		// Alone it fits, if only without the partly filled blocks of a cached prefix.
	}
	jobs := l.jobs(r)
	for i := range jobs {
		p := &prefill{req: r, pos: r.prefix.tokens}
		p.path, r.taken = l.cells.extend(r.prefix.path, r.taken, len(r.Prefix)-p.pos)
		for k := i; k < r.K; k += jobs {
			p.samples = append(p.samples, k)
		}
		l.prefills = append(l.prefills, p)
	}
	r.left = r.K
	l.pledge(r, r.K*blocksFor(r.limit-1))
	l.running = append(l.running, r)
	about := l.backend.info()
	r.result.Engine, r.result.PolicyVersion = about.Name, about.PolicyVersion
	r.result.PromptTokens, r.result.CachedTokens, r.result.Forks = len(r.Prefix), r.prefix.tokens, r.K-jobs
	r.result.ExpectedTokens = r.prefix.tokens
	l.stats.PromptTokens += uint64(r.result.PromptTokens)
	l.stats.CachedTokens += uint64(r.result.CachedTokens)
	l.stats.Forks += uint64(r.result.Forks)
	return true
}

// jobs is the number of prefills of r: one for all continuations, or one for each where nothing is shared.
func (l *loop) jobs(r *request) int {
	if !l.share {
		return r.K
	}
	return 1
}

// need is the most blocks that r can take beyond those of its cached prefix.
func (l *loop) need(r *request) int {
	return l.jobs(r)*blocksFor(len(r.Prefix)-r.prefix.tokens) + r.K*blocksFor(r.limit-1)
}

// pledge promises r n blocks more, or less.
func (l *loop) pledge(r *request, n int) {
	r.pledged += n
	l.cells.pledged += n
}

// end answers r and gives back what it has.
func (l *loop) end(r *request, err error) {
	ours := func(x *request) bool { return x == r }
	l.queue = slices.DeleteFunc(l.queue, ours)
	l.running = slices.DeleteFunc(l.running, ours)
	l.prefills = slices.DeleteFunc(l.prefills, func(p *prefill) bool {
		p.over = p.over || p.req == r
		return p.req == r
	})
	l.live = slices.DeleteFunc(l.live, func(s *sequence) bool {
		if s.req == r {
			l.cells.drop(s.taken)
		}
		return s.req == r
	})
	l.pledge(r, -r.pledged)
	l.cells.drop(r.taken)
	l.cells.forget(&r.prefix)
	r.ended = true
	if r.err = err; err != nil {
		l.stats.Failed++
	}
	close(r.done)
}

// publish shows the state to Engine.Stats.
func (l *loop) publish() {
	s := l.stats
	s.Evictions, s.EvictedTokens = l.cells.evictions, l.cells.evictedTokens
	s.BlocksTotal, s.BlocksFree, s.BlocksHeld = l.backend.blocks(), len(l.cells.free), l.cells.held
	if l.cells.index != nil {
		s.PrefixTokens = l.cells.index.Len()
	}
	s.Waiting, s.Running, s.LiveLeaves = len(l.queue), len(l.running), len(l.live)
	l.public.Store(&s)
}
