package llamaserver

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"sparkd"
	"sparkd/prefixcache"
)

// disk stands for the files of a server that does what it is asked, or fails: what slots
// and files really hold, beside what the books say.
type disk struct {
	slots, files [][]sparkd.Token
	process      string
	fails        bool
	restored     int
}

func (d *disk) actions() *files {
	failed := errors.New("no space left")
	return &files{writer: d.process, process: func(context.Context) (string, error) { return d.process, nil },
		save: func(_ context.Context, slot int) error {
			if d.fails {
				return failed
			}
			d.files[slot] = d.slots[slot]
			return nil
		},
		restore: func(_ context.Context, slot, file int) error {
			if d.fails {
				return failed
			}
			d.slots[slot] = d.files[file]
			d.restored++
			return nil
		}}
}

func newDisk(n int) *disk {
	return &disk{slots: make([][]sparkd.Token, n), files: make([][]sparkd.Token, n), process: "one"}
}

// taken is a place, and what it was taken for.
type taken struct {
	place
	prefix []sparkd.Token
}

// take takes a slot for k continuations of a prefix.
func take(t *testing.T, s *slots, prefix []sparkd.Token, k int) (taken, func()) {
	t.Helper()
	p, free, err := s.acquire(t.Context(), prefix, k)
	if err != nil {
		t.Fatal(err)
	}
	return taken{p, prefix}, free
}

// compute does what the request that warms a slot does.
func (d *disk) compute(t *testing.T, s *slots, a taken) {
	t.Helper()
	d.slots[a.slot] = a.prefix[:len(a.prefix)-1]
	s.filled(a.slot, a.prefix)
	if s.isSaved(a.slot) {
		s.save(t.Context(), a.slot)
	}
	s.computed(a.slot)
}

func TestAPathThatLeavesAnotherGetsACopy(t *testing.T) {
	d := newDisk(4)
	s := newSlots(4, d.actions())
	shared := path(nil, 1, 200)
	first, free := take(t, s, shared, 1)
	if !first.cold || first.expected != 0 {
		t.Errorf("a path that is new: %+v", first)
	}
	d.compute(t, s, first)
	s.filled(first.slot, path(shared, 2, 20))
	free()
	second, free := take(t, s, path(shared, 3, 20), 1)
	if second.slot == first.slot || second.expected != 199 || second.cold || d.restored != 1 {
		t.Errorf("slots %d and %d, %d copies, expected %d, cold: %v", first.slot, second.slot, d.restored,
			second.expected, second.cold)
	}
	s.filled(second.slot, second.prefix)
	free()
	s.all[first.slot].file = nil // as after a save that failed: the slot itself has it
	third, free := take(t, s, path(shared, 4, 20), 3)
	if third.slot == first.slot || third.slot == second.slot || third.expected != 200 || !third.cold ||
		d.restored != 2 {
		t.Errorf("slot %d, %d copies, expected %d, cold: %v", third.slot, d.restored, third.expected, third.cold)
	}
	if others := s.acquireIdle(5); len(others) != 3 {
		t.Errorf("%d other slots of 3", len(others))
	} else if again := s.acquireIdle(1); len(again) != 0 {
		t.Errorf("slot %d is taken twice", again[0])
	}
	free()
}

// The file of a server that has ended may have been written with other weights.
func TestFilesOfAnotherProcessAreNotUsed(t *testing.T) {
	d := newDisk(4)
	s := newSlots(4, d.actions())
	shared := path(nil, 1, 200)
	first, free := take(t, s, shared, 2)
	d.compute(t, s, first)
	free()
	d.process = "two"
	second, free := take(t, s, path(shared[:150], 2, 50), 2)
	defer free()
	if second.expected != 0 || d.restored != 0 || !second.cold {
		t.Errorf("%+v, %d copies", second, d.restored)
	}
	d.compute(t, s, second)
	third, free := take(t, s, path(shared[:150], 3, 50), 2)
	defer free()
	if third.expected != 150 || d.restored != 1 {
		t.Errorf("%+v, %d copies of the new process", third, d.restored)
	}
}

func TestWhatCannotBeSavedIsComputed(t *testing.T) {
	d := newDisk(4)
	s := newSlots(4, d.actions())
	d.fails = true
	shared := path(nil, 1, 200)
	first, free := take(t, s, shared, 3)
	d.compute(t, s, first)
	s.restore(t.Context(), 3-first.slot, first.slot)
	free()
	if other := s.all[3-first.slot]; other.tokens != nil {
		t.Errorf("a slot that was not filled holds %d tokens", len(other.tokens))
	}
	second, free := take(t, s, path(shared[:150], 2, 50), 3)
	defer free()
	if second.expected != 0 || d.restored != 0 {
		t.Errorf("%+v, %d copies", second, d.restored)
	}
}

// Trees that open alike compute their opening once, though they ask at once; equal
// siblings compute what came back to them once.
func TestPrefixesUnderWayAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(8)
		s := newSlots(8, d.actions())
		opening := path(nil, 1, 500)
		first, release := take(t, s, path(opening, 2, 200), 1)
		results := make(chan taken, 3)
		for i := range 3 {
			go func() {
				a, free := take(t, s, path(opening, 3+i, 200), 1)
				d.compute(t, s, a)
				results <- a
				free()
			}()
		}
		ctx, cancel := context.WithCancel(t.Context())
		given := make(chan error)
		go func() {
			_, _, err := s.acquire(ctx, path(opening, 9, 200), 2)
			given <- err
		}()
		synctest.Wait()
		if len(results) != 0 {
			t.Error("a request did not wait")
		}
		cancel()
		if err := <-given; sparkd.CodeOf(err) != sparkd.CodeCanceled {
			t.Errorf("a wait that was given up: %v", err)
		}
		d.compute(t, s, first)
		for range 3 {
			if a := <-results; a.expected != 500 || !a.cold || a.slot == first.slot {
				t.Errorf("slot %d, expected %d, cold: %v", a.slot, a.expected, a.cold)
			}
		}
		release()
		// The first one goes on; an equal one waits, and has it saved.
		longer := path(path(opening, 2, 200), 20, 100)
		a, release := take(t, s, longer, 1)
		if a.slot != first.slot || s.isSaved(a.slot) {
			t.Errorf("the path moved from slot %d to %d, to be saved: %v", first.slot, a.slot, s.isSaved(a.slot))
		}
		go func() {
			b, free := take(t, s, longer, 1)
			defer free()
			results <- b
		}()
		synctest.Wait()
		d.compute(t, s, a)
		if b := <-results; b.expected != len(longer)-1 || b.cold {
			t.Errorf("an equal path expects %d tokens, cold: %v", b.expected, b.cold)
		}
		release()
		// One that fails is not waited for any longer.
		a, release = take(t, s, path(nil, 30, 300), 1)
		go func() {
			b, free := take(t, s, a.prefix, 1)
			defer free()
			results <- b
		}()
		synctest.Wait()
		release()
		if b := <-results; b.expected != 0 || !b.cold {
			t.Errorf("after a failure: %+v", b)
		}
	})
}

// Whatever is asked, two requests never have one slot, the books claim nothing that a slot
// does not hold, and all come to an end.
func TestCopiesOfManyPaths(t *testing.T) {
	const seed = 7
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(6)
		s := newSlots(6, d.actions())
		turn := make(chan struct{}, 1) // disk is no server that serves several
		turn <- struct{}{}
		save, restore := s.files.save, s.files.restore
		s.files.save = func(ctx context.Context, slot int) error {
			<-turn
			defer func() { turn <- struct{}{} }()
			return save(ctx, slot)
		}
		s.files.restore = func(ctx context.Context, slot, file int) error {
			<-turn
			defer func() { turn <- struct{}{} }()
			return restore(ctx, slot, file)
		}
		holders := make([]int, 6)
		for i := range 200 {
			go func() {
				r := rand.New(rand.NewPCG(uint64(i), seed))
				opening := path(nil, r.IntN(3), 100)
				a, free := take(t, s, path(opening, 10+r.IntN(5), 1+r.IntN(150)), 1+r.IntN(8))
				mine := []int{a.slot}
				if r.IntN(2) == 0 {
					mine = append(mine, s.acquireIdle(r.IntN(4))...)
				}
				<-turn
				for _, at := range mine {
					if holders[at]++; holders[at] != 1 {
						t.Errorf("slot %d has %d requests (seed %d)", at, holders[at], seed)
					}
				}
				if really := prefixcache.Common(d.slots[a.slot], a.prefix); really < a.expected {
					t.Errorf("%d tokens are expected of %d (seed %d)", a.expected, really, seed)
				}
				d.slots[a.slot] = a.prefix[:len(a.prefix)-1]
				turn <- struct{}{}
				if a.cold && r.IntN(4) > 0 {
					s.filled(a.slot, a.prefix)
					s.save(t.Context(), a.slot)
				}
				s.filled(a.slot, a.prefix)
				<-turn
				for _, at := range mine {
					holders[at]--
				}
				turn <- struct{}{}
				for _, at := range mine[1:] {
					s.release(at)
				}
				free()
			}()
		}
		synctest.Wait()
		a, free := take(t, s, path(nil, 99, 10), 1)
		if got := s.acquireIdle(9); len(got) != 5 || a.cold {
			t.Errorf("%d slots are idle beside the one that is taken", len(got))
		}
		free()
	})
}
