package daemon

import (
	"context"
	"slices"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/store"
)

// unfinished returns jobs of the rollouts that an earlier run left unfinished, as far as
// they are wanted, oldest first. What is damaged is left as it is, for `sparkd check` to name.
func unfinished(ctx context.Context, s *store.Store, log zerolog.Logger, wanted func(id string) bool) ([]*job, error) {
	left, err := s.Unfinished(ctx)
	if sparkd.CodeOf(err) == sparkd.CodeDamaged && ctx.Err() == nil {
		log.Error().Err(err).Msg("damaged rollouts are left out; `sparkd check` names what is damaged")
	} else if err != nil {
		return nil, err
	}
	slices.SortStableFunc(left, func(a, b sparkd.Rollout) int { return a.Created.Compare(b.Created) })
	var jobs []*job
	for _, r := range left {
		if wanted != nil && !wanted(r.ID) {
			continue
		}
		j, err := adopt(ctx, s, log, r)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
		log.Info().Str("rollout", r.ID).Int("trees", len(r.Trees)).Int("done", r.Done).
			Msg("an unfinished rollout grows on")
	}
	return jobs, nil
}

// adopt makes a job of a stored rollout. What its trees say counts, not the rollout's own counters: a crash can fall
// between the two. A tree that was canceled says that the rollout was, and that this could not be stored any more.
func adopt(ctx context.Context, s *store.Store, log zerolog.Logger, r sparkd.Rollout) (*job, error) {
	r.Done, r.Failed, r.Stats = 0, 0, sparkd.Stats{}
	j := newJob(r)
	canceled := false
	for i, id := range r.Trees {
		tree, err := s.Head(ctx, id)
		switch code := sparkd.CodeOf(err); {
		case code == sparkd.CodeNotFound, err == nil && tree.State == sparkd.TreeGrowing:
			j.waiting = append(j.waiting, i)
			continue
		case code == sparkd.CodeDamaged:
			log.Error().Err(err).Str("tree", id).Msg("a damaged tree is left out")
			tree = &sparkd.Tree{State: sparkd.TreeFailed, Error: sparkd.AsError(err)}
		case err != nil:
			return nil, err
		}
		canceled = canceled || tree.State == sparkd.TreeCanceled
		j.book(i, tree)
	}
	if canceled {
		j.cancel()
	}
	return j, nil
}
