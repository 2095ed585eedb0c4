package daemon

import (
	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/daemon/schedule"
	"sparkd/store"
)

// queue owns the rollouts that have not ended. One goroutine, run, does all that reads or changes them; the others
// hand it through do what is to be done. It never waits: what takes time runs in goroutines that the effects of
// the scheduler start (effects.go), and their ends are events again.
type queue struct {
	// Set before start, never changed.
	log      zerolog.Logger
	store    *store.Store
	metrics  *metrics
	sessions *sessions
	offline  bool // there is no engine, so nothing is taken
	readOnly bool // nothing is stored
	// grow grows a tree and returns it with its end, which is stored, or nil where a shutdown cut it.
	grow func(*growth) *sparkd.Tree

	// Set by start, never changed.
	events   chan func()   // what run does for other goroutines
	quit     chan struct{} // closed to end run
	ended    chan struct{} // closed by run at its end
	draining chan struct{} // closed by run when a shutdown begins

	// Owned by run.
	scheduler *schedule.Scheduler
	jobs      map[string]*job               // those of the scheduler, and those whose last state is not stored yet
	claims    map[string]chan struct{}      // ids that are being submitted; closed when they are not any more
	open      bool                          // trees may begin, or might until the shutdown
	storeErr  error                         // of the newest commit; nil when it succeeded
	writes    int                           // states of rollouts on their way to the store
	waiters   map[chan struct{}]func() bool // closed when the condition holds, on what run owns
}

func (q *queue) start(limits schedule.Limits) {
	q.events, q.quit, q.ended = make(chan func()), make(chan struct{}), make(chan struct{})
	q.draining = make(chan struct{})
	q.jobs, q.claims = map[string]*job{}, map[string]chan struct{}{}
	q.waiters = map[chan struct{}]func() bool{}
	q.scheduler = schedule.New(limits, schedule.FewestGrowing, q) // another order is another Pick
	go q.run()
}

func (q *queue) run() {
	defer close(q.ended)
	for {
		select {
		case f := <-q.events:
			f()
			q.wake()
		case <-q.quit:
			return
		}
	}
}

// wake ends the waits whose condition holds now.
func (q *queue) wake() {
	for reached, holds := range q.waiters {
		if holds() {
			close(reached)
			delete(q.waiters, reached)
		}
	}
}

// do has run call f and returns behind it. It reports whether that happened: when the
// queue has ended nothing does. f must not wait for anything.
func (q *queue) do(f func()) bool {
	done := make(chan struct{})
	select {
	case q.events <- func() { f(); close(done) }:
		<-done
		return true
	case <-q.ended:
		return false
	}
}

// when returns a channel that is closed as soon as holds does, which run calls behind
// every event, or the queue has ended.
func (q *queue) when(holds func() bool) <-chan struct{} {
	reached := make(chan struct{})
	if !q.do(func() { q.waiters[reached] = holds }) {
		return q.ended
	}
	return reached
}

// close ends the queue once the states on their way are stored.
func (q *queue) close() {
	<-q.when(func() bool { return q.writes == 0 })
	close(q.quit)
	<-q.ended
}

// begin lets trees grow and finishes what an earlier run left without any.
func (q *queue) begin() {
	q.do(func() {
		q.open = true
		q.scheduler.Open()
	})
}

// drain begins a shutdown: no tree begins any more, those that grow stop behind the round under way. It returns
// how many those are; stopped is closed when there are none left and what they came to is stored. What could not be
// stored before is tried once more.
func (q *queue) drain() (growing int, stopped <-chan struct{}) {
	q.do(func() {
		close(q.draining)
		q.scheduler.Drain()
		_, _, growing = q.scheduler.Counts()
		for _, j := range q.jobs {
			q.retry(j)
		}
	})
	return growing, q.when(func() bool {
		_, _, growing := q.scheduler.Counts()
		return growing == 0 && q.writes == 0
	})
}

// cut stops the trees that grow within the round under way, which is dropped.
func (q *queue) cut() {
	q.do(func() {
		for _, j := range q.jobs {
			if len(j.growing) > 0 {
				j.stop(errDraining)
			}
		}
	})
}

// saveAll stores the counters of what is left for the next start.
func (q *queue) saveAll() {
	q.do(func() {
		for _, j := range q.jobs {
			q.save(j)
		}
	})
	<-q.when(func() bool { return q.writes == 0 })
}
