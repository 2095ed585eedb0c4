package pool

import (
	"context"
	"slices"
	"time"

	"sparkd"
)

// waiter is a request that waits for a place on a replica.
type waiter struct {
	request *sparkd.SampleRequest
	avoid   *replica // where the last attempt failed
	place   chan place
}

// place is a place on a replica.
type place struct {
	on     *replica
	engine Member
	load   int // what the request adds to the replica's load
}

// place waits for a place for the request.
func (p *Pool) place(ctx context.Context, r *sparkd.SampleRequest, avoid *replica) (place, error) {
	w := &waiter{request: r, avoid: avoid, place: make(chan place, 1)}
	p.mu.Lock()
	p.waiting = append(p.waiting, w)
	p.dispatch()
	p.mu.Unlock()

	check := time.NewTicker(patience)
	defer check.Stop()
	alone := time.Now() // since when no replica was seen in service
	for {
		select {
		case got := <-w.place:
			return got, nil
		case <-ctx.Done():
			return place{}, p.withdraw(w, ctx.Err())
		case <-check.C:
			if len(p.engines()) > 0 {
				alone = time.Now()
			} else if time.Since(alone) >= patience {
				return place{}, p.withdraw(w, errNone)
			}
		}
	}
}

// withdraw takes a waiter off the list. A place that it got at the same moment is free again.
func (p *Pool) withdraw(w *waiter, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = slices.DeleteFunc(p.waiting, func(x *waiter) bool { return x == w })
	select {
	case got := <-w.place:
		got.on.Running--
		got.on.load -= got.load
		p.dispatch()
	default:
	}
	return err
}

// dispatch gives places to those who wait, the oldest first; one whose replica is full
// lets those behind it pass to others. p.mu is held.
func (p *Pool) dispatch() {
	kept := p.waiting[:0]
	for _, w := range p.waiting {
		if on, held := p.choose(w); on != nil && on.Running < p.o.Inflight {
			w.place <- p.take(on, w.request, held)
		} else {
			kept = append(kept, w)
		}
	}
	clear(p.waiting[len(kept):])
	p.waiting = kept
}

// choose returns the replica on which the request costs least, in tokens: those of its
// prefix that must be computed there, and those of the requests that are there already.
// It is nil where no replica is in service. Equal ones take turns.
func (p *Pool) choose(w *waiter) (best *replica, held int) {
	cost := 0
	n := len(p.replicas)
	others := slices.ContainsFunc(p.replicas, func(r *replica) bool {
		return r != w.avoid && r.serves(p.version)
	})
	for i := range n {
		r := p.replicas[(p.last+1+i)%n]
		if !r.serves(p.version) || r == w.avoid && others {
			continue
		}
		has := p.held.Held(r.Name, w.request.Prefix)
		if c := len(w.request.Prefix) - has + r.load; best == nil || c < cost {
			best, cost, held = r, c, has
		}
	}
	return best, held
}

// take books a place.
func (p *Pool) take(on *replica, r *sparkd.SampleRequest, held int) place {
	p.last = slices.Index(p.replicas, on)
	load := len(r.Prefix) - held + int(float64(r.K)*p.typical)
	on.Running++
	on.load += load
	// What is on its way there counts as there: siblings and the next step follow it.
	p.held.Add(on.Name, r.Prefix)
	return place{on, on.engine, load}
}
