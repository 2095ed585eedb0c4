package llamaserver

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"sparkd"
	"sparkd/prefixcache"
)

// files are the actions of /slots, which need --slot-save-path. Each slot has a file, which
// every save overwrites, and which any slot can be filled from.
type files struct {
	save    func(ctx context.Context, slot int) error
	restore func(ctx context.Context, slot, file int) error
	process func(ctx context.Context) (string, error) // identifies the server's process
	writer  string                                    // the process that wrote the files
}

const (
	// minCopy is the number of tokens from which a copy is worth its requests.
	minCopy = 64
	// maxWaits bounds how many prefixes of others a request waits for, one after the other.
	maxWaits = 4
	// copyTimeout is the most time of a save or a restore. What fails is computed instead.
	copyTimeout = time.Minute
)

// assign picks a slot for a prefix and marks it busy: the one whose whole content the prefix goes on from, else
// the one that was used the longest ago. It gets a copy of the longest part of the prefix that is to be had; one
// that is about to be computed for another request is waited for. The place is cold where so much is left to
// compute that others may wait for it.
func (s *slots) assign(ctx context.Context, prefix []sparkd.Token, fork bool) (p place, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		p.slot = s.choose(prefix)
		s.occupy(p.slot, prefix)
		return p, nil
	}
	for waits := 0; ; waits++ {
		next, oldest := s.idle(prefix)
		if p.slot = next; next < 0 {
			p.slot = oldest
		}
		c := &s.all[p.slot]
		from, saved, shared := s.source(prefix)
		held := max(shared, prefixcache.Common(c.tokens, prefix))
		if ready := s.awaited(prefix, held); ready != nil && waits < maxWaits {
			if err := s.wait(ctx, ready); err != nil {
				return p, err
			}
			continue
		}
		s.occupy(p.slot, prefix)
		if p.cold = fork || len(prefix)-held > minCopy; p.cold {
			c.coming, c.ready, c.keep = prefix, make(chan struct{}), fork || next < 0
		}
		if shared-len(c.tokens) >= minCopy {
			s.mu.Unlock()
			s.copy(ctx, p.slot, from, saved)
			s.mu.Lock()
		}
		return p, nil
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
		if n := prefixcache.Common(c.file, prefix); n > shared {
			file, shared = i, n
		}
		if n := prefixcache.Common(c.tokens, prefix); n > held && !c.busy {
			from, held = i, n
		}
	}
	if file >= 0 && held-shared < minCopy {
		return file, true, shared
	}
	return from, false, held
}

// awaited returns what is closed when more of a prefix than the first held tokens, by so much that a copy is worth
// it, is being computed for another request, and has that saved; nil where there is none.
func (s *slots) awaited(prefix []sparkd.Token, held int) chan struct{} {
	var best *slot
	for i := range s.all {
		c := &s.all[i]
		if n := prefixcache.Common(c.coming, prefix); c.ready != nil && n-held >= minCopy {
			best, held = c, n
		}
	}
	if best == nil {
		return nil
	}
	best.keep = true
	return best.ready
}

// computed lets those go on who wait for what a slot was about to hold.
func (s *slots) computed(at int) {
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
	defer s.release(from)
	s.save(ctx, from)
	s.restore(ctx, at, from)
}

// written reports whether the files are of the server's present process: one that was
// started anew may have other weights.
func (s *slots) written(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	now, err := s.files.process(ctx)
	if err != nil {
		return false
	}
	s.mu.Lock()
	same := now == s.files.writer
	s.files.writer = now
	s.mu.Unlock()
	if !same {
		s.forget()
	}
	return same
}

// isSaved reports whether what was about to be computed in a slot is to be saved.
func (s *slots) isSaved(at int) bool {
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
	err := s.files.save(ctx, at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.all[at].file = tokens
	}
}

// restore fills a slot that is taken from the file of another. The server knows what it holds afterwards, whatever the
// books say; they count on what the file held before and after, since another save may have overwritten it in between.
func (s *slots) restore(ctx context.Context, at, from int) {
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	s.mu.Lock()
	held := s.all[from].file
	s.all[at].tokens = nil
	s.mu.Unlock()
	if len(held) == 0 || s.files.restore(ctx, at, from) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[at].tokens = held[:prefixcache.Common(held, s.all[from].file)]
}

// action runs an action of /slots. The names of the files are as many as there are slots,
// and of this server: others may have the same folder.
func (s *server) action(ctx context.Context, action string, slot, file int) error {
	h := fnv.New32a()
	h.Write([]byte(s.HTTP.Name()))
	name := fmt.Sprintf("sparkd-%08x-slot-%d", h.Sum32(), file)
	return s.Post(ctx, fmt.Sprintf("/slots/%d?action=%s", slot, action), map[string]any{"filename": name}, nil)
}
