package daemon

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/api"
	"sparkd/env"
	"sparkd/sampler"
	"sparkd/store"
)

// Parts are what a caller brings along; the zero value of a field asks the daemon to
// make its own.
type Parts struct {
	Engine  sparkd.Engine // closed by the daemon
	OpenEnv func(ctx context.Context, env string) (sparkd.Env, error)
	Version string // of the build
	Commit  string
	// Offline leaves the engine out: what is stored can be read, nothing can run.
	Offline bool
	// Resume says which unfinished rollouts are grown on at start; nil for all.
	Resume func(id string) bool
	// Announce leaves the address in the data folder, for other processes.
	Announce bool
}

// Daemon runs rollouts. New opens it, Run serves until its context ends.
type Daemon struct {
	config   Config
	parts    Parts
	log      zerolog.Logger
	store    *store.Store
	engine   sparkd.Engine // nil when offline
	envs     *env.Catalog
	sessions sessions
	template sampler.Template
	prompt   sampler.Prompt
	server   *api.Server
	listener net.Listener
	metrics  *metrics
	started  time.Time

	// hurry ends when a shutdown may not wait any longer.
	hurry    context.Context
	stopNow  context.CancelFunc
	growers  sync.WaitGroup // goroutines that grow a tree
	admitted sync.Mutex     // held through a submission, so that the queue's bound holds

	mu       sync.Mutex
	running  bool            // trees may begin: after Run began, before the shutdown
	draining bool            // the shutdown has begun
	jobs     []*job          // rollouts that have not ended, oldest first
	byID     map[string]*job // the same, and those whose last state could not be stored
	growing  int             // trees, over all jobs
	storeErr error           // of the newest commit; nil when it succeeded
}

// New opens everything: the address first, since that is cheap and fails often, then
// the store, the engine and the unfinished rollouts. Errors are of type *sparkd.Error
// and say what to do. Whoever gets a Daemon must call Run, which also closes it.
func New(ctx context.Context, c Config, log zerolog.Logger, p Parts) (*Daemon, error) {
	if faults := c.Validate(); len(faults) > 0 {
		return nil, faults[0]
	}
	d := &Daemon{config: c, parts: p, log: log, started: time.Now(), byID: map[string]*job{}}
	d.hurry, d.stopNow = context.WithCancel(context.Background())
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.closeAll())
	}
	return d, nil
}

func (d *Daemon) open(ctx context.Context) (err error) {
	token, err := d.config.API.BearerToken()
	if err != nil {
		return err
	}
	if d.listener, err = listen(ctx, d.config.API.Listen); err != nil {
		return err
	}
	if d.store, err = store.Open(d.config.DataDir(), d.config.Store.options(d.log)); err != nil {
		return err
	}
	if err := d.openEnvs(ctx); err != nil {
		return err
	}
	if err := d.openEngine(ctx); err != nil {
		return err
	}
	d.metrics = newMetrics(d)
	if d.server, err = api.NewServer(d, d.config.API.options(token, d.log)); err != nil {
		return err
	}
	if d.parts.Offline {
		return nil
	}
	return d.recover(ctx)
}

// Addr is the address that is served, with the port that a zero in api.listen took.
func (d *Daemon) Addr() net.Addr { return d.listener.Addr() }

// closeAll closes what is open, in the order engine, environments, store: nothing writes
// any more.
func (d *Daemon) closeAll() error {
	var errs []error
	if d.listener != nil {
		if err := d.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if d.engine != nil {
		errs = append(errs, d.engine.Close())
	}
	if d.envs != nil {
		errs = append(errs, d.envs.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	return errors.Join(errs...)
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &sparkd.Error{
			Code: sparkd.CodeUnavailable, Field: "api.listen", Err: err,
			Message: "cannot listen on " + address + ": " + listenReason(err),
			Remedy:  "stop what uses the port, or choose another with --listen; port 0 takes a free one",
		}
	}
	return ln, nil
}

// listenReason is the system's reason without the address, which the message has.
func listenReason(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}
