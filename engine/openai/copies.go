package openai

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"golang.org/x/sync/errgroup"

	"sparkd"
)

// saves are the actions of /slots, which need --slot-save-path. Each slot has a file, which
// every save overwrites, and which any slot can be filled from.
type saves struct {
	save    func(ctx context.Context, slot int) error
	restore func(ctx context.Context, slot, file int) error
	process func(ctx context.Context) (string, error) // identifies the server's process
	of      string                                    // the process that wrote the files
}

const (
	// minCopy is the number of tokens from which a copy is worth its requests.
	minCopy = 64
	// maxWaits bounds how many prefixes of others a request waits for, one after the other.
	maxWaits = 4
	// copyTimeout is the most time of a save or a restore. What fails is computed instead.
	copyTimeout = time.Minute
)

// settle picks a slot for a prefix and marks it busy: the one whose whole content the
// prefix goes on from, else the one that was used the longest ago. It gets a copy of the
// longest part of the prefix that is to be had; one that is about to be computed for
// somebody else is waited for. The ask is cold where so much is left to compute that
// somebody else may wait for it.
func (s *slots) settle(ctx context.Context, a *ask, fork bool) (at int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saves == nil {
		at = s.choose(a.prefix)
		s.hold(at, a.prefix)
		return at, nil
	}
	for waits := 0; ; waits++ {
		next, oldest := s.idle(a.prefix)
		if at = next; next < 0 {
			at = oldest
		}
		c := &s.all[at]
		from, saved, shared := s.source(a.prefix)
		held := max(shared, common(c.tokens, a.prefix))
		if ready := s.awaited(a.prefix, held); ready != nil && waits < maxWaits {
			if err := s.wait(ctx, ready); err != nil {
				return 0, err
			}
			continue
		}
		s.hold(at, a.prefix)
		if a.cold = fork || len(a.prefix)-held > minCopy; a.cold {
			c.coming, c.ready, c.keep = a.prefix, make(chan struct{}), fork || next < 0
		}
		if shared-len(c.tokens) >= minCopy {
			s.mu.Unlock()
			s.copy(ctx, at, from, saved)
			s.mu.Lock()
		}
		return at, nil
	}
}

// wait gives the books to others until ready is closed.
func (s *slots) wait(ctx context.Context, ready chan struct{}) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return sparkd.AsError(ctx.Err())
	}
}

// source returns the slot whose file holds the longest part of a prefix, or the one that
// itself holds so much more that saving it is worth it.
func (s *slots) source(prefix []sparkd.Token) (from int, saved bool, shared int) {
	file, held := -1, 0
	for i := range s.all {
		c := &s.all[i]
		if n := common(c.file, prefix); n > shared {
			file, shared = i, n
		}
		if n := common(c.tokens, prefix); n > held && !c.busy {
			from, held = i, n
		}
	}
	if file >= 0 && held-shared < minCopy {
		return file, true, shared
	}
	return from, false, held
}

// awaited returns what is closed when more of a prefix than the first held tokens, by so
// much that a copy is worth it, has been computed for somebody else, and has that saved;
// nil where nobody is at it.
func (s *slots) awaited(prefix []sparkd.Token, held int) chan struct{} {
	var best *slot
	for i := range s.all {
		c := &s.all[i]
		if n := common(c.coming, prefix); c.ready != nil && n-held >= minCopy {
			best, held = c, n
		}
	}
	if best == nil {
		return nil
	}
	best.keep = true
	return best.ready
}

// arrived lets those go on who wait for what a slot was about to hold.
func (s *slots) arrived(at int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := &s.all[at]; c.ready != nil {
		close(c.ready)
		c.coming, c.ready = nil, nil
	}
}

// copy fills a slot that is taken with what another one's file holds, or else that one
// itself, unless it has become busy.
func (s *slots) copy(ctx context.Context, at, from int, saved bool) {
	if saved {
		if s.written(ctx) {
			s.restore(ctx, at, from)
		}
		return
	}
	s.mu.Lock()
	if s.all[from].busy || !s.places.TryAcquire(1) {
		s.mu.Unlock()
		return
	}
	s.all[from].busy = true
	s.mu.Unlock()
	defer s.leave(from)
	s.save(ctx, from)
	s.restore(ctx, at, from)
}

// written reports whether the files are of the server's present process: one that was
// started anew may have other weights.
func (s *slots) written(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	now, err := s.saves.process(ctx)
	if err != nil {
		return false
	}
	s.mu.Lock()
	same := now == s.saves.of
	s.saves.of = now
	s.mu.Unlock()
	if !same {
		s.forget()
	}
	return same
}

// keeps reports whether what was about to be computed in a slot is to be saved.
func (s *slots) keeps(at int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[at].keep
}

// save writes what a slot that is taken holds into its file.
func (s *slots) save(ctx context.Context, at int) {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	s.mu.Lock()
	tokens := s.all[at].tokens
	s.all[at].file = nil
	s.mu.Unlock()
	err := s.saves.save(ctx, at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.all[at].file = tokens
	}
}

// restore fills a slot that is taken from the file of another. The server knows what it
// holds afterwards, whatever the books say; they count on what the file held before and
// after, since somebody may have overwritten it in between.
func (s *slots) restore(ctx context.Context, at, from int) {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	s.mu.Lock()
	held := s.all[from].file
	s.all[at].tokens = nil
	s.mu.Unlock()
	if len(held) == 0 || s.saves.restore(ctx, at, from) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[at].tokens = held[:common(held, s.all[from].file)]
}

// trunk computes a prefix in its slot: all but the last token, which each continuation
// computes in any case, since its logits are kept nowhere. It is saved where there are
// several continuations, where a path begins, which others may begin with too, and where
// somebody waits for it.
func (l *llamacpp) trunk(ctx context.Context, a ask) (answer, error) {
	defer l.slots.arrived(a.slot)
	a.prefix = a.prefix[:len(a.prefix)-1]
	if len(a.prefix) == 0 {
		return answer{counted: true}, nil
	}
	a.n, a.limit, a.top = 1, 0, 0
	got, err := l.generate(ctx, a)
	if err == nil && l.slots.keeps(a.slot) {
		l.slots.save(ctx, a.slot)
	}
	return got, err
}

// atOnce draws a continuation from each seed, in the slot of the trunk and as many others
// as are idle, and fills these from the trunk's file: what each continuation computes stays
// in a slot of its own, where it can be gone on from.
func (l *llamacpp) atOnce(ctx context.Context, a ask, seeds []uint64) ([]answer, error) {
	in := append([]int{a.slot}, l.slots.more(len(seeds)-1)...)
	answers := make([]answer, len(seeds))
	g, ctx := errgroup.WithContext(ctx)
	for i, at := range in {
		g.Go(func() (err error) {
			if i > 0 {
				defer l.slots.leave(at)
				l.slots.restore(ctx, at, a.slot)
			}
			for j := i; j < len(seeds) && err == nil; j += len(in) {
				b := a
				b.n, b.slot, b.seed = 1, at, seeds[j]
				answers[j], err = l.generate(ctx, b)
			}
			return err
		})
	}
	return answers, g.Wait()
}

// action runs an action of /slots. The names of the files are as many as there are slots,
// and of this server: others may have the same folder.
func (l *llamacpp) action(ctx context.Context, action string, slot, file int) error {
	h := fnv.New32a()
	h.Write([]byte(l.http.Name()))
	return l.post(ctx, fmt.Sprintf("/slots/%d?action=%s", slot, action), map[string]any{"filename": fmt.Sprintf("sparkd-%08x-slot-%d", h.Sum32(), file)}, nil)
}
