package daemon

import (
	"context"
	"errors"
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
	if !d.config.Store.ReadOnly {
		d.queue.begin()
	}
	if d.parts.Announce { // without it commands must be told, which is no reason not to serve
		if err := announce(d.data, d.Addr(), d.started); err != nil {
			d.log.Warn().Err(err).Msg("commands with --data must be told the address")
		}
	}
	d.log.Info().Stringer("address", d.Addr()).Str("data", d.data).Msg("sparkd serves")
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

// shutdown goes in this order: not ready, no new trees; rounds under way end and are
// committed, up to daemon.drain; streams and requests end; the engine closes; the store
// closes. Trees that are not finished stay as committed and grow on at the next start.
func (d *Daemon) shutdown() error {
	stopped := d.drain()
	d.queue.saveAll()
	limit, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if err := d.server.Shutdown(limit); err != nil {
		d.log.Warn().Err(err).Msg("requests were cut")
	}
	if d.parts.Announce {
		if err := withdraw(d.data); err != nil {
			d.log.Warn().Err(err).Msg("the address stays in the data folder")
		}
	}
	return errors.Join(stopped, d.close())
}

// drain waits for the trees: for the rounds under way as long as daemon.drain allows, then for them to give up.
func (d *Daemon) drain() error {
	limit := d.config.Daemon.Drain
	growing, stopped := d.queue.drain()
	d.log.Info().Int("trees", growing).Stringer("drain", limit).Msg("shutting down")
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-stopped:
		return nil
	case <-timer.C:
		d.log.Warn().Msg("drain is over; rounds under way are dropped and sampled again at the next start")
	case <-d.hurry.Done():
	}
	d.queue.cut()
	timer.Reset(stopLimit)
	select {
	case <-stopped:
		return nil
	case <-timer.C:
		return sparkd.Errorf(sparkd.CodeInternal, "trees did not stop within %s", stopLimit)
	}
}
