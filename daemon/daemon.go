package daemon

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/api"
	"sparkd/daemon/schedule"
	"sparkd/env"
	"sparkd/store"
)

// Parts are what a caller brings along; the zero value of a field asks the daemon to make its own.
type Parts struct {
	Engine  sparkd.Engine // closed by the daemon
	OpenEnv func(ctx context.Context, env string) (sparkd.Env, error)
	Version string // of the build
	Commit  string
	// Offline leaves the engine out: what is stored can be read, nothing can run and nothing
	// is written into the data folder, unless Cancel lets rollouts be canceled there.
	Offline, Cancel bool
	// Resume says which unfinished rollouts are grown on at start; nil for all.
	Resume func(id string) bool
	// Announce leaves the address in the data folder, for other processes.
	Announce bool
}

// Daemon runs rollouts. New opens it, Run serves until its context ends. Nothing in it
// changes after New; what changes is the queue's.
type Daemon struct {
	config  Config
	parts   Parts
	log     zerolog.Logger
	started time.Time
	data    string // folder of the store

	listener net.Listener
	store    *store.Store
	envs     *env.Catalog
	engine   sparkd.Engine // nil when offline
	queue    *queue
	server   *api.Server

	// What the API asks, by its subject.
	*rollouts
	*driving
	*records
	*fleet
	*about

	// hurry ends when a shutdown may not wait any longer.
	hurry   context.Context
	stopNow context.CancelFunc
}

var _ api.Backend = (*Daemon)(nil)

// New opens everything: the address first, since that is cheap and fails often, then
// the store, the engine and the unfinished rollouts. Errors are of type *sparkd.Error
// and say what to do. Whoever gets a Daemon must call Run, which also closes it.
func New(ctx context.Context, c Config, log zerolog.Logger, p Parts) (*Daemon, error) {
	if err := c.Validate().Err(); err != nil {
		return nil, err
	}
	d := &Daemon{config: c, parts: p, log: log, started: time.Now()}
	d.hurry, d.stopNow = context.WithCancel(context.Background())
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *Daemon) open(ctx context.Context) (err error) {
	c := &d.config
	if _, err := c.API.BearerToken(); err != nil { // found before the model is loaded
		return err
	}
	c.API.Logger, c.Store.Logger = d.log, d.log
	if d.data, err = c.DataDir(); err != nil {
		return err
	}
	if d.listener, err = listen(ctx, c.API.Listen); err != nil {
		return err
	}
	c.Store.ReadOnly = d.parts.Offline && !d.parts.Cancel
	if d.store, err = store.Open(d.data, c.Store); err != nil {
		return err
	}
	if d.envs, err = d.openEnvs(ctx); err != nil {
		return err
	}
	if d.engine, err = openEngine(ctx, &d.config, &d.parts, d.log); err != nil {
		return err
	}
	if err := d.connect(ctx); err != nil {
		return err
	}
	if d.server, err = api.NewServer(d, c.API); err != nil || d.parts.Offline {
		return err
	}
	left, err := unfinished(ctx, d.store, d.log, d.parts.Resume)
	for _, j := range left {
		d.queue.adopt(j)
	}
	return err
}

// openEnvs opens the configured environments; where nothing can run, only those that are built in.
func (d *Daemon) openEnvs(ctx context.Context) (*env.Catalog, error) {
	configured := map[string]env.Config{}
	if !d.parts.Offline {
		for name, c := range d.config.Env {
			configured[name] = *c
		}
	}
	return env.Open(ctx, configured, d.config.Sampler.EnvTimeout,
		func(name, line string) { d.log.Info().Str("env", name).Msg(line) })
}

// connect makes what works with the store, the environments and the engine.
func (d *Daemon) connect(ctx context.Context) error {
	c, m := &d.config, newMetrics(&d.parts, d.envs, d.engine)
	s := &sessions{}
	g := &grower{
		log: d.log, store: d.store, metrics: m, engine: d.engine, limits: &c.Sampler,
		envs: d.envs, sessions: s, openEnv: d.parts.OpenEnv,
	}
	var doubts []string
	if d.engine != nil {
		var err error
		if g.template, g.prompt, err = promptStyle(ctx, d.engine, &c.Sampler, d.log); err != nil {
			return err
		}
		if doubts, err = warnings(ctx, d.engine, g.template, d.log); err != nil {
			return err
		}
	}
	d.queue = &queue{
		log: d.log, store: d.store, metrics: m, sessions: s, grow: g.run,
		offline: d.engine == nil, readOnly: c.Store.ReadOnly,
	}
	d.queue.start(schedule.Limits{Queue: c.Daemon.Queue, Trees: c.Daemon.Trees})
	m.registerQueue(d.queue, &c.Daemon)
	d.rollouts = &rollouts{log: d.log, store: d.store, envs: d.envs, engine: d.engine, queue: d.queue}
	d.driving = &driving{sessions: s, rollouts: d.rollouts}
	d.records = &records{store: d.store, rollouts: d.rollouts}
	d.fleet = &fleet{log: d.log, engine: d.engine, started: d.started}
	d.about = &about{
		parts: &d.parts, started: d.started, limits: &c.Daemon, prompt: g.prompt, warnings: doubts,
		engine: d.engine, envs: d.envs, store: d.store, queue: d.queue, metrics: m,
	}
	return nil
}

// Addr is the address that is served, with the port that a zero in api.listen took.
func (d *Daemon) Addr() net.Addr { return d.listener.Addr() }

// close closes what is open, in the order queue, engine, environments, store: nothing writes any more.
func (d *Daemon) close() error {
	var errs []error
	if d.listener != nil {
		if err := d.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if d.queue != nil {
		d.queue.close()
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
		reason := err
		var op *net.OpError
		if errors.As(err, &op) && op.Err != nil {
			reason = op.Err // without the address, which the message has
		}
		return nil, sparkd.NewError(sparkd.CodeUnavailable, "api.listen",
			"stop what uses the port, or choose another with --listen; port 0 takes a free one",
			"cannot listen on %s: %v", address, reason).Because(err)
	}
	return ln, nil
}
