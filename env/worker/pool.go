package worker

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"sync"

	"sparkd"
)

// pool holds the places for copies: Options.Workers hosts with one place per session.
type pool struct {
	o     *Options
	hello hello
	ctx   context.Context // ends when the pool closes
	close context.CancelFunc
	shut  func()         // ends all workers and waits for them; may be called often
	loose sync.WaitGroup // goroutines that wait for abandoned calls

	mu      sync.Mutex // guards what follows
	hosts   []*host
	waiting []*waiter // for a place, in order of arrival
	clock   uint64    // counts uses
	stats   Stats
	crowd   int // repeated steps at which the log is told next
}

// host is where one worker runs, and after its end the next one.
type host struct {
	starting chan struct{} // held while a worker is started
	worker   *worker       // nil before the first use; guarded by pool.mu
	places   []*place
}

// place is one session of a host. Its last fields are guarded by pool.mu.
type place struct {
	host    *host
	session string
	on      *worker // whose session holds the state of env; nil: none. Owned by whoever made it busy
	env     *env    // who has it; nil: nobody
	busy    bool    // in use by a call; else its env is idle
	used    uint64  // when a call ended last, in uses
}

// waiter is a call that waits for a place.
type waiter struct {
	env   *env
	place chan *place // that it is given
}

// newPool makes the places around the worker that said hello.
func newPool(o *Options, first *worker) *pool {
	p := &pool{o: o, hello: first.hello, crowd: crowded}
	p.ctx, p.close = context.WithCancel(context.Background())
	for range o.Workers {
		h := &host{starting: make(chan struct{}, 1)}
		for s := range first.hello.Sessions {
			h.places = append(h.places, &place{host: h, session: "s" + strconv.Itoa(s)})
		}
		p.hosts = append(p.hosts, h)
	}
	p.shut = sync.OnceFunc(p.end)
	p.hosts[0].worker = first
	p.stats.Started = 1
	return p
}

// take returns the place of e for one call: the one it has, or else a free one, one whose
// env is idle, or the next that is given back.
func (p *pool) take(ctx context.Context, e *env) (*place, error) {
	p.mu.Lock()
	pl := e.place
	if pl == nil {
		if pl = p.choose(); pl != nil {
			p.assign(pl, e)
		}
	}
	if pl != nil {
		pl.busy = true
		p.mu.Unlock()
		return pl, nil
	}
	w := &waiter{env: e, place: make(chan *place, 1)}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()
	select {
	case pl := <-w.place:
		return pl, nil
	case <-ctx.Done():
	case <-p.ctx.Done():
	}
	p.mu.Lock()
	p.waiting = slices.DeleteFunc(p.waiting, func(x *waiter) bool { return x == w })
	p.mu.Unlock()
	select {
	case pl := <-w.place: // it was given in this very moment
		p.give(pl, false)
	default:
	}
	return nil, p.why(ctx)
}

var errClosed = sparkd.Errorf(sparkd.CodeUnavailable, "the environment is closed")

// choose returns a place that may be used now: a free one where the fewest copies are, so
// that copies spread over the workers, or the one that was idle longest, or nil.
func (p *pool) choose() *place {
	var free, idle *place
	fewest := 0
	for _, h := range p.hosts {
		copies, here := 0, (*place)(nil)
		for _, pl := range h.places {
			switch {
			case pl.env != nil || pl.busy:
				copies++
			case here == nil:
				here = pl
			}
			if pl.env != nil && !pl.busy && (idle == nil || pl.used < idle.used) {
				idle = pl
			}
		}
		if here != nil && (free == nil || copies < fewest) {
			free, fewest = here, copies
		}
	}
	if free != nil {
		return free
	}
	return idle
}

// assign gives a place to e; its env until now has none from here on.
func (p *pool) assign(pl *place, e *env) {
	if pl.env != nil {
		pl.env.place = nil
		p.stats.Evicted++
	}
	pl.env, pl.on, e.place = e, nil, pl
}

// give ends a call's use of a place. keep says that its session still holds the state of
// its env. The longest waiter gets the place in any case.
func (p *pool) give(pl *place, keep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock++
	pl.busy, pl.used = false, p.clock
	if !keep {
		p.release(pl)
	}
	if len(p.waiting) == 0 {
		return
	}
	w := p.waiting[0]
	p.waiting = p.waiting[1:]
	p.assign(pl, w.env)
	pl.busy = true
	w.place <- pl
}

// release parts a place from its env.
func (p *pool) release(pl *place) {
	if pl.env != nil {
		pl.env.place = nil
	}
	pl.env, pl.on = nil, nil
}

// beside returns a free place in the same worker as pl, for a fork, or nil.
func (p *pool) beside(pl *place, e *env) *place {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, free := range pl.host.places {
		if free.env == nil && !free.busy {
			p.assign(free, e)
			free.busy = true
			return free
		}
	}
	return nil
}

// ready returns the host's running worker, after starting one where there is none.
func (p *pool) ready(ctx context.Context, h *host) (*worker, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	select {
	case h.starting <- struct{}{}:
		defer func() { <-h.starting }()
	case <-ctx.Done():
		return nil, p.why(ctx)
	}
	p.mu.Lock()
	w := h.worker
	p.mu.Unlock()
	if w != nil && !w.ended() {
		return w, nil
	}
	if p.ctx.Err() != nil {
		return nil, errClosed
	}
	w, err := start(ctx, p.o)
	if err != nil {
		if ctx.Err() != nil {
			err = p.why(ctx)
		}
		return nil, err
	}
	if !reflect.DeepEqual(w.hello, p.hello) {
		w.stop()
		<-w.gone
		return nil, sparkd.Invalid(p.o.field("command"), "restart sparkd when its program changes",
			"the worker %q now says another hello than the first one", p.o.Command[0])
	}
	p.mu.Lock()
	h.worker = w
	p.stats.Started++
	p.mu.Unlock()
	return w, nil
}

// why is the reason for a context that ended.
func (p *pool) why(ctx context.Context) error {
	if p.ctx.Err() != nil {
		return errClosed
	}
	return ctx.Err()
}

// giveBack ends a call's use of a place as its outcome has it. The place of a call that
// was abandoned is free when its answer is there: until then the worker has it.
func (p *pool) giveBack(pl *place, err error) error {
	var a *abandoned
	if !errors.As(err, &a) {
		p.give(pl, err == nil)
		return err
	}
	p.mu.Lock()
	p.release(pl) // busy for nobody
	p.mu.Unlock()
	p.loose.Go(func() {
		<-a.done
		p.give(pl, false)
	})
	return a.err
}

func (p *pool) end() {
	p.close()
	for _, h := range p.hosts {
		h.starting <- struct{}{} // whoever was starting one is done; nobody will again
		if h.worker != nil {
			h.worker.stop()
		}
	}
	for _, h := range p.hosts {
		if h.worker != nil {
			<-h.worker.gone
		}
	}
	p.loose.Wait()
}

// seated reports whether e has a place.
func (p *pool) seated(e *env) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return e.place != nil
}
