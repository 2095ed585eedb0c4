package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"sparkd"
	"sparkd/internal/excerpt"
	"sparkd/internal/httpclient"
)

// replica is one server. Its fields are guarded by Pool.mu, except target.
type replica struct {
	sparkd.Replica
	target Target
	engine Member // nil until connected

	pause   time.Time // not to be asked before
	moving  bool      // its weights are being exchanged
	load    int       // of the requests under way, in tokens
	failing int       // attempts that failed, one after the other
	outages int       // times it went down without an answer in between
}

// serves reports whether new requests may go there.
func (r *replica) serves(version string) bool {
	return r.State == sparkd.ReplicaUp && !r.moving && !time.Now().Before(r.pause) && !r.stale(version)
}

// Tolerance of failures.
const (
	mostFailures = 3                // one after the other, before a replica counts as down
	firstOutage  = time.Second      // before it is probed again; doubled each time
	longestRest  = 15 * time.Second // and never longer than this, which is less than Patience
	longestPause = 2 * time.Minute  // that a server can ask for
	probeLimit   = 10 * time.Second
)

// connect opens the replica's engine and compares it with the others.
func (p *Pool) connect(ctx context.Context, r *replica) {
	engine, err := r.target.Connect(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.down(r, err)
		return
	}
	info := engine.Describe()
	if err := p.fits(r, &info); err != nil {
		p.down(r, err)
		_ = engine.Close() // it was never used
		return
	}
	r.engine, r.Info, r.Dialect, r.Version = engine, info, info.Dialect, info.ServerVersion
	if p.version == "" {
		p.version = info.PolicyVersion
	}
	p.up(r)
}

// fits refuses a replica whose tokens mean something else than those of the others.
func (p *Pool) fits(r *replica, info *sparkd.EngineInfo) error {
	for _, o := range p.replicas {
		if o == r || o.Info.Name == "" {
			continue
		}
		if o.Info.TokenizerHash != info.TokenizerHash || o.Info.Vocabulary != info.Vocabulary {
			return sparkd.Invalid("engine.replicas", "serve the same model everywhere",
				"%s (%s) tokenises differently from %s (%s)", r.Name, info.Model, o.Name, o.Info.Model)
		}
	}
	return nil
}

// up puts a replica in service, with an empty cache.
func (p *Pool) up(r *replica) {
	p.held.Drop(r.Name)
	r.State, r.Error, r.Since, r.failing, r.pause = sparkd.ReplicaUp, nil, time.Now(), 0, time.Time{}
	p.signal()
}

// down takes a replica out of service; what it held is forgotten.
func (p *Pool) down(r *replica, err error) {
	p.held.Drop(r.Name)
	if r.State != sparkd.ReplicaDown {
		r.Since = time.Now()
	}
	rest := min(firstOutage<<min(r.outages, 10), longestRest)
	r.outages++
	r.State, r.Error = sparkd.ReplicaDown, sparkd.AsError(err)
	r.pause = time.Now().Add(rest/2 + time.Duration(rand.Int64N(int64(rest/2))))
	p.signal()
}

// failure books a failed attempt: a server that asks for a pause gets it, one that fails again and again is down.
func (p *Pool) failure(r *replica, err error) {
	r.failing++
	if retry := (*httpclient.Retry)(nil); errors.As(err, &retry) && retry.After > 0 {
		r.pause = time.Now().Add(min(retry.After, longestPause))
		time.AfterFunc(time.Until(r.pause), func() { p.mu.Lock(); p.signal(); p.mu.Unlock() })
		return
	}
	if r.failing >= mostFailures && r.State == sparkd.ReplicaUp && !(answered(err) && p.alone(r)) {
		p.down(r, err)
	}
}

// answered reports whether the server is there, whatever it answers.
func answered(err error) bool {
	return sparkd.CodeOf(err) == sparkd.CodeEngine && !httpclient.IsPassing(err)
}

// alone reports whether no other replica serves.
func (p *Pool) alone(r *replica) bool {
	return !slices.ContainsFunc(p.replicas, func(o *replica) bool { return o != r && o.serves(p.version) })
}

// watch asks a replica from time to time whether it is there, until ctx ends.
func (p *Pool) watch(ctx context.Context, r *replica) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.mu.Lock()
		engine, state, due := r.engine, r.State, !time.Now().Before(r.pause)
		p.mu.Unlock()
		switch {
		case state == sparkd.ReplicaDown && !due:
		case engine == nil:
			within, cancel := context.WithTimeout(ctx, time.Minute)
			p.connect(within, r)
			cancel()
		default:
			p.probe(ctx, r, engine)
		}
	}
}

// probe brings a replica that answers back, and takes out one that does not.
func (p *Pool) probe(ctx context.Context, r *replica, engine Member) {
	within, cancel := context.WithTimeout(ctx, probeLimit)
	err := engine.Probe(within)
	cancel()
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(err, httpclient.ErrRestarted) {
		p.held.Drop(r.Name)
		r.Info = engine.Describe() // its weights may be those again that it was started with
		err = nil
	}
	switch {
	case err == nil:
		if r.outages = 0; r.State == sparkd.ReplicaDown && !r.stale(p.version) {
			p.up(r)
		}
	case r.State == sparkd.ReplicaDown || r.failing+1 >= mostFailures:
		p.down(r, err)
	default:
		r.failing++
	}
}

// stale reports whether the replica has other weights than the pool.
func (r *replica) stale(version string) bool { return version != "" && r.Info.PolicyVersion != version }

// Replicas implements sparkd.Fleet.
func (p *Pool) Replicas() []sparkd.Replica {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]sparkd.Replica, len(p.replicas))
	for i, r := range p.replicas {
		out[i] = r.Replica
	}
	for _, w := range p.waiting {
		if on, _ := p.choose(w); on != nil {
			out[slices.Index(p.replicas, on)].Waiting++
		}
	}
	return out
}

// Drain implements sparkd.Fleet.
func (p *Pool) Drain(name string, out bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := ""
	for _, r := range p.replicas {
		if r.Name != name {
			known += " " + r.Name
			continue
		}
		switch {
		case out:
			r.State, r.Since = sparkd.ReplicaDraining, time.Now()
		case r.State == sparkd.ReplicaDraining && r.engine != nil:
			p.up(r)
		case r.State == sparkd.ReplicaDraining:
			r.State, r.Since = sparkd.ReplicaDown, time.Now()
		}
		p.signal()
		return nil
	}
	return &sparkd.Error{Code: sparkd.CodeNotFound, Field: "replica",
		Message: fmt.Sprintf("there is no replica %q", excerpt.Address(name)), Remedy: "one of" + known}
}
