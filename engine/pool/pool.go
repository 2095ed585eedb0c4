// Package pool makes one engine of many replicas, servers that hold the same model. A request goes where least has
// to be computed for it: to the replica that holds the longest prefix, unless so much waits there that computing
// the prefix elsewhere is cheaper. Replicas that die, hang or ask for a pause are left out until they answer
// again, and what ran there runs elsewhere: a sample has no effect but its answer.
package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"sparkd"
	"sparkd/prefixcache"
)

// Member is the engine of one replica.
type Member interface {
	sparkd.Engine
	// Probe returns nil while the server answers.
	Probe(ctx context.Context) error
}

// Target is a replica to connect to.
type Target struct {
	Name    string // its address
	Connect func(ctx context.Context) (Member, error)
}

// Options configure a Pool: its part of the section [engine] of the configuration.
type Options struct {
	Inflight int           `toml:"inflight" default:"16" range:"1..65536"` // requests under way on one replica
	Timeout  time.Duration `toml:"timeout" default:"10m" range:">0"`       // of one attempt at a request
}

const (
	maxWaiting  = 4096            // requests that wait for a place; further callers block
	maxRemember = 1 << 20         // tokens that a replica is thought to hold
	maxAttempts = 4               // at one request
	patience    = time.Minute     // longest time without any replica
	probeEvery  = 5 * time.Second // between two probes of a replica
)

// Pool implements sparkd.Fleet and sparkd.Reloader.
type Pool struct {
	o        Options
	attempts int // maxAttempts, but in tests
	stop     context.CancelFunc
	ended    sync.WaitGroup // the goroutines that watch replicas
	entered  chan struct{}  // one per request in the pool: bounds the queue
	reload   sync.Mutex     // one change of weights at a time

	mu       sync.Mutex
	replicas []*replica
	held     *prefixcache.Holders // what replicas computed, and what is on its way there
	waiting  []*waiter            // oldest first
	changed  chan struct{}        // closed and replaced when a replica changes
	version  string               // that all replicas in service have; "" until known
	typical  float64              // tokens of one sample, a moving mean
	last     int                  // the replica that was chosen last
}

var (
	_ sparkd.Fleet    = (*Pool)(nil)
	_ sparkd.Reloader = (*Pool)(nil)
)

// Open connects to the targets. At least one must answer; those that do not are tried again for as long as the
// pool is open. Replicas must hold the same model and tokenise alike.
func Open(ctx context.Context, targets []Target, o Options) (*Pool, error) {
	if len(targets) == 0 {
		return nil, sparkd.Invalid("engine.replicas", `list addresses, for example ["http://127.0.0.1:8000"]`,
			"no replica")
	}
	p := &Pool{
		o: o, attempts: maxAttempts, entered: make(chan struct{}, maxWaiting+o.Inflight*len(targets)),
		held: prefixcache.NewHolders(maxRemember), changed: make(chan struct{}), typical: 64, last: -1,
	}
	for _, t := range targets {
		p.replicas = append(p.replicas, &replica{target: t,
			Replica: sparkd.Replica{Name: t.Name, State: sparkd.ReplicaDown, Since: time.Now()}})
	}
	var wg sync.WaitGroup
	for _, r := range p.replicas {
		wg.Go(func() { p.connect(ctx, r) })
	}
	wg.Wait()
	watching, stop := context.WithCancel(context.Background())
	p.stop = stop
	if err := p.usable(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	for _, r := range p.replicas {
		p.ended.Go(func() { p.watch(watching, r) })
	}
	return p, nil
}

// usable returns why no replica can serve, or nil. A replica of another model is a
// mistake in the configuration and not an outage.
func (p *Pool) usable() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	isUp := func(r *replica) bool { return r.State == sparkd.ReplicaUp }
	isMistaken := func(r *replica) bool { return r.Error != nil && r.Error.Code == sparkd.CodeInvalid }
	if i := slices.IndexFunc(p.replicas, isMistaken); i >= 0 {
		return p.replicas[i].Error
	}
	if slices.ContainsFunc(p.replicas, isUp) {
		return nil
	}
	return p.replicas[0].Error
}

// Close stops watching the replicas and closes their engines.
func (p *Pool) Close() error {
	p.stop()
	p.ended.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, r := range p.replicas {
		if r.engine != nil {
			errs = append(errs, r.engine.Close())
			r.engine = nil
		}
		r.State = sparkd.ReplicaDown
	}
	p.signal()
	return errors.Join(errs...)
}

// Describe returns what the replicas in service have in common.
func (p *Pool) Describe() sparkd.EngineInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	var info sparkd.EngineInfo
	for _, r := range p.replicas {
		switch {
		case r.Info.Name == "":
		case info.Name == "":
			info = r.Info
		default:
			common(&info, &r.Info)
		}
	}
	info.Name = "pool"
	info.PolicyVersion = p.version
	info.Capabilities.Deterministic = "not at all: replicas batch as they come"
	info.Dialect, info.ServerVersion, info.Cells, info.BlockTokens, info.Threads = "", "", 0, 0, 0
	info.Settings = map[string]any{"replicas": len(p.replicas), "inflight": p.o.Inflight}
	return info
}

// common takes from info what other has not.
func common(info, other *sparkd.EngineInfo) {
	if info.ContextLength = min(info.ContextLength, other.ContextLength); info.ChatTemplate == "" {
		info.ChatTemplate = other.ChatTemplate
	}
	a, b := &info.Capabilities, &other.Capabilities
	a.TokenExact = a.TokenExact && b.TokenExact
	a.NativeK = a.NativeK && b.NativeK
	a.CachedCounts = a.CachedCounts && b.CachedCounts
	a.Abort = a.Abort && b.Abort
	a.Reload = a.Reload && b.Reload
	a.TopK = min(a.TopK, b.TopK)
	if a.Logprobs != b.Logprobs {
		a.Logprobs = sparkd.LogprobsNone
	}
	switch {
	case a.Entropy == b.Entropy:
	case a.Entropy.Has() && b.Entropy.Has():
		a.Entropy = sparkd.EntropyTopK
	default:
		a.Entropy = sparkd.EntropyNone
	}
}

// Tokenize asks any replica.
func (p *Pool) Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	return fromAny(ctx, p, func(e sparkd.Engine) ([]sparkd.Token, error) {
		return e.Tokenize(ctx, text, control)
	})
}

// Detokenize asks any replica.
func (p *Pool) Detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	return fromAny(ctx, p, func(e sparkd.Engine) (string, error) { return e.Detokenize(ctx, ids) })
}

// fromAny asks one replica after the other until one answers.
func fromAny[T any](ctx context.Context, p *Pool, ask func(sparkd.Engine) (T, error)) (T, error) {
	var zero T
	var err error = errNone
	for _, e := range p.engines() {
		var v T
		if v, err = ask(e); err == nil {
			return v, nil
		}
		if !passing(err) || ctx.Err() != nil {
			return zero, err
		}
	}
	return zero, err
}

var errNone = &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "no replica answers",
	Remedy: "see `sparkd engines`, and start one"}

// engines returns those of the replicas in service, from a random one on.
func (p *Pool) engines() []sparkd.Engine {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []sparkd.Engine
	at := rand.IntN(len(p.replicas))
	for i := range p.replicas {
		if r := p.replicas[(at+i)%len(p.replicas)]; r.State == sparkd.ReplicaUp {
			out = append(out, r.engine)
		}
	}
	return out
}

// passing reports whether an error may be gone elsewhere or later. What the request itself is at fault for is not.
func passing(err error) bool {
	switch sparkd.CodeOf(err) {
	case sparkd.CodeUnavailable, sparkd.CodeEngine, sparkd.CodeDeadline, sparkd.CodeInternal:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}
