package schedule_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"sparkd/daemon/schedule"
)

// model is what a Scheduler should be seen from outside: it draws events at random, writes
// down what comes of them and notes every rule that is broken.
type model struct {
	*schedule.Scheduler
	rng    *rand.Rand
	limits schedule.Limits
	fair   bool // the pick is FewestGrowing

	open, draining bool
	reserved       int
	storing        int // ends that are not stored yet
	rollouts       []*seen
	broken         []string
}

// seen is a rollout as the effects show it.
type seen struct {
	id                string
	trees, begun      int
	growing           int
	canceled, stopped bool
	cut, over         bool
	admitted, running bool
}

func (r *seen) waiting() int {
	if r.canceled {
		return 0
	}
	return r.trees - r.begun
}

func newModel(seed uint64, pick schedule.Pick) *model {
	m := &model{rng: rand.New(rand.NewPCG(seed, 0)), fair: pick == nil}
	m.limits = schedule.Limits{Queue: 1 + m.rng.IntN(4), Trees: 1 + m.rng.IntN(4)}
	if m.fair {
		pick = schedule.FewestGrowing
	}
	m.Scheduler = schedule.New(m.limits, pick, m)
	return m
}

func (m *model) breaks(format string, args ...any) {
	m.broken = append(m.broken, fmt.Sprintf(format, args...))
}

func (m *model) find(id string) *seen {
	i := slices.IndexFunc(m.rollouts, func(r *seen) bool { return r.id == id })
	return m.rollouts[i]
}

func (m *model) growing() (n int) {
	for _, r := range m.rollouts {
		n += r.growing
	}
	return n
}

// Start implements schedule.Effects.
func (m *model) Start(id string, tree int) {
	r := m.find(id)
	switch {
	case !m.open || m.draining:
		m.breaks("tree %d of %s began while nothing may", tree, id)
	case r.canceled || r.over:
		m.breaks("tree %d of %s began behind its end", tree, id)
	case tree != r.begun:
		m.breaks("tree %d of %s began, it was the turn of %d", tree, id, r.begun)
	}
	for i, other := range m.rollouts {
		older := i < slices.Index(m.rollouts, r)
		if m.fair && !other.over && other.waiting() > 0 &&
			(other.growing < r.growing || older && other.growing == r.growing) {
			m.breaks("%s was passed over for %s", other.id, id)
		}
	}
	r.begun++
	r.growing++
	r.running = true
	if m.growing() > m.limits.Trees {
		m.breaks("%d trees grow", m.growing())
	}
}

// Stop implements schedule.Effects.
func (m *model) Stop(id string) {
	if r := m.find(id); r.over || r.cut {
		m.breaks("%s was stopped behind its end", id)
	}
	m.find(id).stopped = true
}

// Finish implements schedule.Effects.
func (m *model) Finish(id string) {
	r := m.find(id)
	if r.over || r.cut || r.growing > 0 || r.waiting() > 0 || r.canceled != r.stopped {
		m.breaks("%s was finished: %+v", id, *r)
	}
	r.over = true
	m.storing++
}

// step draws an event.
func (m *model) step() {
	var r *seen
	if len(m.rollouts) > 0 {
		r = m.rollouts[m.rng.IntN(len(m.rollouts))]
	}
	switch n := m.rng.IntN(100); {
	case n < 15:
		m.reserve()
	case n < 30 && m.reserved > 0:
		m.reserved--
		m.Release()
		if m.rng.IntN(4) > 0 {
			m.submit(true)
		}
	case n < 33:
		m.submit(false)
	case n < 40 && r != nil:
		m.cancel(r)
	case n < 80 && r != nil && r.growing > 0:
		m.end(r, m.draining && m.rng.IntN(2) == 0)
	case n < 95 && m.storing > 0:
		m.storing--
		m.Finished()
	case n == 99 && m.rng.IntN(8) == 0:
		m.draining = true
		m.Drain()
	}
	m.check()
}

func (m *model) reserve() {
	if _, ok := m.Reserve(); ok {
		m.reserved++
	}
}

func (m *model) submit(admitted bool) {
	r := &seen{id: fmt.Sprint("r", len(m.rollouts)), trees: m.rng.IntN(5), admitted: admitted}
	r.running = !admitted && m.rng.IntN(2) == 0
	m.rollouts = append(m.rollouts, r)
	s := schedule.Rollout{ID: r.id, Running: r.running}
	for i := range r.trees {
		s.Trees = append(s.Trees, i)
	}
	m.Submit(s)
}

func (m *model) cancel(r *seen) {
	was := r.over || r.cut
	r.canceled = r.canceled || !was
	if m.Cancel(r.id) == was {
		m.breaks("cancel of %+v: %v", *r, !was)
	}
}

func (m *model) end(r *seen, cut bool) {
	r.growing--
	r.cut = r.cut || cut
	m.TreeEnded(r.id, cut)
}

// check compares what a Scheduler counts, and that nothing waits in vain.
func (m *model) check() {
	var queued, running, taken, ready int
	for _, r := range m.rollouts {
		switch {
		case r.over:
		case r.running:
			running++
			ready += r.waiting()
		default:
			queued++
			ready += r.waiting()
			if r.admitted {
				taken++
			}
		}
		if m.open && !r.over && !r.cut && r.growing == 0 && r.waiting() == 0 {
			m.breaks("%s has nothing left and is not over", r.id)
		}
	}
	if q, n, g := m.Counts(); q != queued || n != running || g != m.growing() {
		m.breaks("%d wait, %d run, %d trees grow; it says %d, %d, %d", queued, running, m.growing(), q, n, g)
	}
	if taken+m.reserved > m.limits.Queue {
		m.breaks("%d rollouts wait", taken+m.reserved)
	}
	if m.open && !m.draining && m.storing == 0 && ready > 0 && m.growing() < m.limits.Trees {
		m.breaks("%d trees wait beside a free place", ready)
	}
}

// goOn lets everything that is there come to its end.
func (m *model) goOn() {
	for m.storing > 0 || m.growing() > 0 {
		for ; m.storing > 0; m.storing-- {
			m.Finished()
		}
		for _, r := range m.rollouts {
			if r.growing > 0 {
				m.end(r, false)
			}
		}
		m.check()
	}
	for _, r := range m.rollouts {
		if !m.draining && (!r.over || !r.canceled && r.begun != r.trees) {
			m.breaks("in the end: %+v", *r)
		}
	}
}

// Random events, with the pick that is used and with one that picks anything: the bounds
// hold, what may begin does, everything begins and ends once.
func TestRandomEvents(t *testing.T) {
	anything := func(rng *rand.Rand) schedule.Pick {
		return func(ready iter.Seq[*schedule.Rollout]) *schedule.Rollout {
			if all := slices.Collect(ready); len(all) > 0 {
				return all[rng.IntN(len(all))]
			}
			return nil
		}
	}
	base := rand.Uint64()
	for i := range uint64(2000) {
		seed := base + i
		var pick schedule.Pick
		if i%2 == 1 {
			pick = anything(rand.New(rand.NewPCG(seed, 1)))
		}
		m := newModel(seed, pick)
		before, events := m.rng.IntN(10), m.rng.IntN(200)
		for range before {
			m.step()
		}
		if !m.draining {
			m.open = true
			m.Open()
			m.check()
		}
		for range events {
			m.step()
		}
		if m.open {
			m.goOn()
		}
		if len(m.broken) > 0 {
			t.Fatalf("seed %d, %+v, fair %v: %s", seed, m.limits, m.fair, m.broken[0])
		}
	}
}
