package llamaserver

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"sparkd/engine/remote"
)

// plan is how n continuations are asked for, of which one request can have most. Where the server copies slots, a
// prefix that others may begin with is computed first, whose owners wait for it and not for what follows, and each
// continuation is a request in a slot of its own: the children of n_cmpl leave nothing behind, so that their paths
// would be computed a second time at the next step. Else n_cmpl computes the prefix in one slot and copies that
// slot's cells to the others, references only where they are shared (--kv-unified).
func plan(n, most int, copies, cold bool) remote.Plan {
	switch {
	case !copies:
		return remote.Plan{Each: min(n, most)}
	case n == 1:
		return remote.Plan{Warm: cold, Each: 1}
	}
	return remote.Plan{Warm: true, Each: 1, AtOnce: true}
}

func (s *server) Sample(ctx context.Context, a *remote.Ask) (remote.Drawn, error) {
	n := len(a.Seeds)
	at, free, err := s.slots.acquire(ctx, a.Prefix, n)
	if err != nil {
		return remote.Drawn{}, err
	}
	defer free()
	a.Expected = at.expected
	p := plan(n, min(s.slots.most(), a.Fits()), s.slots.files != nil, at.cold)
	inSlot := func(ctx context.Context, a remote.Ask) (remote.Answer, error) { return s.generate(ctx, a, at.slot) }
	if !p.Warm {
		return p.Run(ctx, *a, inSlot)
	}
	warm, err := s.warm(ctx, *a, at.slot)
	if err != nil {
		return remote.Drawn{}, err
	}
	var d remote.Drawn
	if p.AtOnce {
		d.Answers, err = s.inCopies(ctx, *a, at.slot)
	} else {
		d, err = remote.Plan{Each: 1}.Run(ctx, *a, inSlot)
	}
	d.Warm = &warm
	return d, err
}

// warm computes a prefix in its slot: all but the last token, which each continuation computes in any case, since
// its logits are kept nowhere. It is saved where there are several continuations, where a path begins, which
// others may begin with too, and where another request waits for it.
func (s *server) warm(ctx context.Context, a remote.Ask, slot int) (remote.Answer, error) {
	defer s.slots.computed(slot)
	a.Prefix = a.Prefix[:len(a.Prefix)-1]
	if len(a.Prefix) == 0 {
		return remote.Answer{Counted: true}, nil
	}
	got, err := s.generate(ctx, a.Warm(), slot)
	if err == nil && s.slots.isSaved(slot) {
		s.slots.save(ctx, slot)
	}
	return got, err
}

// inCopies draws a continuation from each seed at once, in the slot that holds the prefix
// and as many others as are idle, which are filled from that one's file: what each
// continuation computes stays in a slot of its own, where it can be gone on from.
func (s *server) inCopies(ctx context.Context, a remote.Ask, slot int) ([]remote.Answer, error) {
	in := append([]int{slot}, s.slots.acquireIdle(len(a.Seeds)-1)...)
	answers := make([]remote.Answer, len(a.Seeds))
	g, ctx := errgroup.WithContext(ctx)
	for i, at := range in {
		g.Go(func() (err error) {
			if i > 0 {
				defer s.slots.release(at)
				s.slots.restore(ctx, at, slot)
			}
			for j := i; j < len(a.Seeds) && err == nil; j += len(in) {
				answers[j], err = s.generate(ctx, a.Of(a.Seeds[j]), at)
			}
			return err
		})
	}
	return answers, g.Wait()
}

func (s *server) Generate(ctx context.Context, a remote.Ask) (remote.Answer, error) {
	at, free, err := s.slots.acquire(ctx, a.Prefix, len(a.Seeds))
	if err != nil {
		return remote.Answer{}, err
	}
	defer free()
	if len(a.Seeds) > 1 {
		defer s.slots.forget() // children empty slots, of which the books know only the spare ones
	}
	return s.generate(ctx, a, at.slot)
}

// generate sends one request into a slot.
func (s *server) generate(ctx context.Context, a remote.Ask, slot int) (remote.Answer, error) {
	n := len(a.Seeds)
	results, err := s.completion(ctx, request(&a, slot))
	if err != nil {
		return remote.Answer{}, err
	}
	out := remote.Answer{Counted: true}
	for i := range results {
		g := &results[i]
		if err := s.AnswersAs(g.Model); err != nil {
			return remote.Answer{}, err
		}
		if i == 0 || n > 1 && g.Slot == slot { // n_cmpl computes the prompt once and says so of every result
			out.Cached, out.Computed = g.Timings.Cached, g.Timings.Computed
		}
		if i == 0 || g.Slot == slot {
			s.slots.filled(slot, slices.Concat(a.Prefix, g.Tokens))
		}
		if a.Limit == 0 { // the prefix is all that counts; one token is drawn all the same
			continue
		}
		c, err := s.read(ctx, g, &a, slot)
		if err != nil {
			return remote.Answer{}, err
		}
		out.Choices = append(out.Choices, c)
	}
	return out, nil
}
