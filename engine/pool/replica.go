package pool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sparkd"
	"sparkd/internal/httpclient"
)

// replica is one server. Its fields are guarded by Pool.mu, except target.
type replica struct {
	target Target
	engine Member // nil until connected
	info   sparkd.EngineInfo

	state  string
	err    *sparkd.Error // why it is down
	since  time.Time
	pause  time.Time // not to be asked before
	moving bool      // its weights are being exchanged

	running, load int // requests under way, and their cost in tokens
	failures      int // attempts that failed, one after the other
	outages       int // times it went down without an answer in between

	requests, failed         int
	prompt, expected, cached int
}

// serves reports whether new requests may go there.
func (r *replica) serves(version string) bool {
	return r.state == sparkd.ReplicaUp && !r.moving && !time.Now().Before(r.pause) && !r.stale(version)
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
	r.engine, r.info = engine, info
	if p.version == "" {
		p.version = info.PolicyVersion
	}
	p.up(r)
}

// fits refuses a replica whose tokens mean something else than those of the others.
func (p *Pool) fits(r *replica, info *sparkd.EngineInfo) error {
	for _, o := range p.replicas {
		if o == r || o.info.Name == "" {
			continue
		}
		if o.info.TokenizerHash != info.TokenizerHash || o.info.Vocabulary != info.Vocabulary {
			return sparkd.Invalid("engine.replicas", "serve the same model everywhere",
				"%s (%s) tokenises differently from %s (%s)", r.target.Name, info.Model, o.target.Name, o.info.Model)
		}
	}
	return nil
}

// up puts a replica in service, with an empty cache.
func (p *Pool) up(r *replica) {
	p.forget(r)
	r.state, r.err, r.since, r.failures, r.pause = sparkd.ReplicaUp, nil, time.Now(), 0, time.Time{}
	p.signal()
}

// down takes a replica out of service; what it held is forgotten.
func (p *Pool) down(r *replica, err error) {
	p.forget(r)
	if r.state != sparkd.ReplicaDown {
		r.since = time.Now()
	}
	rest := min(firstOutage<<min(r.outages, 10), longestRest)
	r.outages++
	r.state, r.err = sparkd.ReplicaDown, sparkd.AsError(err)
	r.pause = time.Now().Add(rest/2 + time.Duration(rand.Int64N(int64(rest/2))))
	p.signal()
}

// failure books a failed attempt: a server that asks for a pause gets it, one that fails again and again is down.
func (p *Pool) failure(r *replica, err error) {
	r.failures++
	if after := retryAfter(err); after > 0 {
		r.pause = time.Now().Add(min(after, longestPause))
		time.AfterFunc(time.Until(r.pause), func() { p.mu.Lock(); p.signal(); p.mu.Unlock() })
		return
	}
	if r.failures >= mostFailures && r.state == sparkd.ReplicaUp {
		p.down(r, err)
	}
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
		engine, state, due := r.engine, r.state, !time.Now().Before(r.pause)
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
		p.forget(r)
		err = nil
	}
	switch {
	case err == nil:
		if r.outages = 0; r.state == sparkd.ReplicaDown && !r.stale(p.version) {
			p.up(r)
		}
	case r.state == sparkd.ReplicaDown || r.failures+1 >= mostFailures:
		p.down(r, err)
	default:
		r.failures++
	}
}

// stale reports whether the replica has other weights than the pool.
func (r *replica) stale(version string) bool {
	return version != "" && r.info.PolicyVersion != version
}

// Replicas implements sparkd.Fleet.
func (p *Pool) Replicas() []sparkd.Replica {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]sparkd.Replica, len(p.replicas))
	for i, r := range p.replicas {
		out[i] = sparkd.Replica{
			Name: r.target.Name, Dialect: r.info.Dialect, Version: r.info.ServerVersion,
			State: r.state, Error: r.err, Since: r.since, Info: r.info,
			Running: r.running, Requests: r.requests, Failures: r.failed,
			PromptTokens: r.prompt, ExpectedTokens: r.expected, CachedTokens: r.cached,
		}
	}
	for _, w := range p.waiting {
		if on, _ := p.choose(w); on != nil {
			for i, r := range p.replicas {
				if r == on {
					out[i].Waiting++
				}
			}
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
		if r.target.Name != name {
			known += " " + r.target.Name
			continue
		}
		switch {
		case out:
			r.state, r.since = sparkd.ReplicaDraining, time.Now()
		case r.state == sparkd.ReplicaDraining && r.engine != nil:
			p.up(r)
		case r.state == sparkd.ReplicaDraining:
			r.state, r.since = sparkd.ReplicaDown, time.Now()
		}
		p.signal()
		return nil
	}
	return &sparkd.Error{Code: sparkd.CodeNotFound, Field: "replica",
		Message: fmt.Sprintf("there is no replica %q", name), Remedy: "one of" + known}
}
