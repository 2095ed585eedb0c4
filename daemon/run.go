package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"sparkd"
)

// Bounds of a shutdown beside daemon.drain.
const (
	stopLimit     = 20 * time.Second // for trees that were told to stop at once
	shutdownLimit = 5 * time.Second  // for requests under way
)

// Run serves the API and grows trees until ctx ends, then shuts down and closes the
// daemon. It returns nil after an orderly shutdown.
func (d *Daemon) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- d.server.Serve(d.listener) }()
	d.begin()
	if d.parts.Announce {
		d.announce()
	}
	d.log.Info().Stringer("address", d.Addr()).Str("data", d.config.DataDir()).Msg("sparkd serves")
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	return errors.Join(err, d.shutdown())
}

// StopNow cuts short the wait of a shutdown for rounds under way. Nothing committed is
// lost by it; the rounds are sampled again at the next start.
func (d *Daemon) StopNow() { d.stopNow() }

// begin lets trees grow. Recovered rollouts whose trees had all ended are finished.
func (d *Daemon) begin() {
	d.mu.Lock()
	d.running = !d.parts.Offline
	jobs := slices.Clone(d.jobs)
	d.mu.Unlock()
	for _, j := range jobs {
		d.settle(j)
	}
	d.dispatch()
}

// shutdown goes in this order: not ready, no new trees; rounds under way end and are
// committed, up to daemon.drain; streams and requests end; the engine closes; the store
// closes. Trees that are not finished stay as committed and grow on at the next start.
func (d *Daemon) shutdown() error {
	d.mu.Lock()
	d.running, d.draining = false, true
	growing := d.growing
	d.mu.Unlock()
	d.log.Info().Int("trees", growing).Stringer("drain", time.Duration(d.config.Daemon.Drain)).Msg("shutting down")

	stopped := d.drain()
	d.saveAll()
	limit, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if err := d.server.Shutdown(limit); err != nil {
		d.log.Warn().Err(err).Msg("requests were cut")
	}
	if d.parts.Announce {
		d.withdraw()
	}
	return errors.Join(stopped, d.closeAll())
}

// saveAll stores the counters of what is left for the next start.
func (d *Daemon) saveAll() {
	d.mu.Lock()
	jobs := slices.Clone(d.jobs)
	d.mu.Unlock()
	for _, j := range jobs {
		d.save(j)
	}
}

// drain waits for the trees: for the rounds under way as long as daemon.drain allows,
// then for them to give up.
func (d *Daemon) drain() error {
	stopped := make(chan struct{})
	go func() {
		d.growers.Wait()
		close(stopped)
	}()
	timer := time.NewTimer(time.Duration(d.config.Daemon.Drain))
	defer timer.Stop()
	select {
	case <-stopped:
		return nil
	case <-timer.C:
		d.log.Warn().Msg("drain is over; rounds under way are dropped and sampled again at the next start")
	case <-d.hurry.Done():
	}
	d.mu.Lock()
	for _, j := range d.jobs {
		j.cancel()
	}
	d.mu.Unlock()
	timer.Reset(stopLimit)
	select {
	case <-stopped:
		return nil
	case <-timer.C:
		return sparkd.Errorf(sparkd.CodeInternal, "trees did not stop within %s", stopLimit)
	}
}
