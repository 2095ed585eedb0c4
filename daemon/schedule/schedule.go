// Package schedule decides which tree of which rollout begins next. It knows ids and numbers only: it reads no
// clock, starts no goroutine and stores nothing. What happens arrives through the methods of a [Scheduler], what
// is to be done leaves it through [Effects], so that every order of events can be tried synchronously.
package schedule

import (
	"iter"
	"slices"
)

// Effects are what a Scheduler acts through. They are called from inside its methods and
// must not call back into it: what comes of them is a later event.
type Effects interface {
	// Start begins to grow a tree; [Scheduler.TreeEnded] tells its end.
	Start(rollout string, tree int)
	// Stop ends the growth of the trees of a rollout that was canceled, as far as any grow.
	Stop(rollout string)
	// Finish gives a rollout its last state: none of its trees grows and none will.
	// [Scheduler.Finished] tells when that is done.
	Finish(rollout string)
}

// Limits bound what a Scheduler takes on.
type Limits struct {
	Queue int // most rollouts that wait; one of an earlier run is taken up again beyond it
	Trees int // most trees that grow at once
}

// Rollout is a rollout that has not ended, as a [Pick] sees it.
type Rollout struct {
	ID      string
	Trees   []int // that have not begun, in the order in which they will
	Growing int   // trees that grow now
	Running bool  // a tree of it has begun, in an earlier run perhaps

	cut bool // a tree was cut by a shutdown: the rollout ends in a later run
}

// Scheduler is the queue of rollouts. Its methods are called one at a time; each is one event.
type Scheduler struct {
	limits  Limits
	pick    Pick
	effects Effects

	phase    phase
	reserved int        // places in the queue for rollouts that are being stored
	growing  int        // trees, over all rollouts
	rollouts []*Rollout // that have not ended, in the order of their submission
	byID     map[string]*Rollout
}

type phase int

const (
	starting phase = iota // rollouts are taken, nothing begins or ends
	open
	draining // nothing begins
)

// New returns a Scheduler that is starting.
func New(limits Limits, pick Pick, effects Effects) *Scheduler {
	return &Scheduler{limits: limits, pick: pick, effects: effects, byID: map[string]*Rollout{}}
}

// Counts returns how many rollouts wait and run, and how many trees grow.
func (s *Scheduler) Counts() (queued, running, growing int) {
	for _, r := range s.rollouts {
		if r.Running {
			running++
		}
	}
	return len(s.rollouts) - running, running, s.growing
}

// Reserve takes a place in the queue for a rollout that is about to be stored, and reports
// how many places are taken already and whether one was left.
func (s *Scheduler) Reserve() (taken int, ok bool) {
	queued, _, _ := s.Counts()
	taken = queued + s.reserved
	if taken >= s.limits.Queue {
		return taken, false
	}
	s.reserved++
	return taken, true
}

// Release gives a reserved place back: the rollout was stored and is submitted next, or it could not be stored.
func (s *Scheduler) Release() { s.reserved-- }

// Submit adds a rollout behind all others. Its id must not be that of one that is here.
func (s *Scheduler) Submit(r Rollout) {
	s.rollouts = append(s.rollouts, &r)
	s.byID[r.ID] = &r
	s.finishIfOver(&r)
	s.dispatch()
}

// Open lets trees begin, and finishes the rollouts that have none left to grow.
func (s *Scheduler) Open() {
	s.phase = open
	for _, r := range slices.Clone(s.rollouts) {
		s.finishIfOver(r)
	}
	s.dispatch()
}

// Drain lets no tree begin any more. Those that grow come to an end of one kind or the other.
func (s *Scheduler) Drain() { s.phase = draining }

// TreeEnded frees the place of a tree. One that was cut by a shutdown has not come to its
// end, and neither will its rollout in this run.
func (s *Scheduler) TreeEnded(rollout string, cut bool) {
	r := s.byID[rollout]
	r.Growing--
	s.growing--
	r.cut = r.cut || cut
	if !s.finishIfOver(r) {
		s.dispatch()
	}
}

// Finished says that the end of a rollout is stored. Its last tree's place goes to another
// one only now, so that with one place a rollout's end is stored before the next one begins.
func (s *Scheduler) Finished() { s.dispatch() }

// Cancel stops the trees of a rollout that grow and drops those that have not begun. A
// rollout that is not here or was cut by a shutdown cannot be canceled.
func (s *Scheduler) Cancel(rollout string) bool {
	r, ok := s.byID[rollout]
	if !ok || r.cut {
		return false
	}
	r.Trees = nil
	s.effects.Stop(rollout)
	s.finishIfOver(r)
	return true
}

// finishIfOver finishes a rollout that has come to its end.
func (s *Scheduler) finishIfOver(r *Rollout) bool {
	if s.phase == starting || r.cut || r.Growing > 0 || len(r.Trees) > 0 {
		return false
	}
	s.rollouts = slices.DeleteFunc(s.rollouts, func(x *Rollout) bool { return x == r })
	delete(s.byID, r.ID)
	s.effects.Finish(r.ID)
	return true
}

// dispatch begins trees while there are free places.
func (s *Scheduler) dispatch() {
	for s.phase == open && s.growing < s.limits.Trees {
		r := s.pick(s.ready())
		if r == nil {
			return
		}
		tree := r.Trees[0]
		r.Trees = r.Trees[1:]
		r.Growing++
		r.Running = true
		s.growing++
		s.effects.Start(r.ID, tree)
	}
}

// ready yields the rollouts that have a tree to begin, oldest first.
func (s *Scheduler) ready() iter.Seq[*Rollout] {
	return func(yield func(*Rollout) bool) {
		for _, r := range s.rollouts {
			if len(r.Trees) > 0 && !yield(r) {
				return
			}
		}
	}
}
