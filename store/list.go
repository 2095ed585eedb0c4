package store

import (
	"context"
	"errors"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// List selects rollouts.
type List struct {
	After  string                // the cursor of the page before; "" from the start
	Limit  int                   // at most so many
	States []sparkd.RolloutState // in one of these states; empty for all
	Oldest bool                  // oldest first, not newest
}

// Rollouts returns a page of rollouts, newest first, and the cursor of the next one: "" at the end. Newest is what was
// created last, whatever clocks and ids say. A damaged rollout is shown as failed, with its error.
func (s *Store) Rollouts(ctx context.Context, l List) (page []sparkd.Rollout, next string, err error) {
	err = s.view(ctx, func(txn *badger.Txn) error {
		list, err := s.listBehind(ctx, l)
		if err != nil {
			return err
		}
		for i := range list {
			at := list[i].id
			if !l.Oldest {
				at = list[len(list)-1-i].id
			}
			r, err := l.read(txn, at)
			switch {
			case err == nil && len(page) == l.Limit:
				next = rolloutCursor.format(cursor{s.id, page[len(page)-1].ID, ""})
				return nil
			case err == nil:
				page = append(page, r)
			case !errors.Is(err, errMissing):
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return page, next, nil
}

// listBehind returns what a list has behind its cursor, oldest first.
func (s *Store) listBehind(ctx context.Context, l List) ([]listed, error) {
	all, err := s.order.all(ctx, s.db)
	if err != nil || l.After == "" {
		return all, err
	}
	c, err := rolloutCursor.parse(l.After)
	if err == nil {
		err = s.sameStore(c.store)
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(r listed) bool { return r.id == c.at })
	switch {
	case i < 0:
		return nil, foreignCursor("a rollout that this store does not hold: its data folder is a copy from before")
	case l.Oldest:
		return all[i+1:], nil
	}
	return all[:i], nil
}

// read returns a rollout, or errMissing where it is in none of the list's states.
func (l *List) read(txn *badger.Txn, id string) (sparkd.Rollout, error) {
	var state rolloutState
	damaged := readJSON(txn, stateKey(id), &state) != nil
	if len(l.States) > 0 && !damaged && !slices.Contains(l.States, state.State) {
		return sparkd.Rollout{}, errMissing // its request is not read
	}
	r, err := readRollout(txn, id)
	switch sparkd.CodeOf(err) {
	case "":
		return r, nil
	case sparkd.CodeDamaged:
		r = sparkd.Rollout{ID: id, State: sparkd.RolloutFailed, Error: sparkd.AsError(err)}
	case sparkd.CodeNotFound: // created behind txn
		return r, errMissing
	default:
		return r, err
	}
	if len(l.States) > 0 && !slices.Contains(l.States, r.State) {
		return r, errMissing
	}
	return r, nil
}

// Owner returns the rollout that lists a tree, and the tree's place in it, for trees that have no record because they
// have not begun. Their ids hold the time of the rollout.
func (s *Store) Owner(ctx context.Context, tree string) (r sparkd.Rollout, i int, err error) {
	created, ok := sparkd.TimeOf(tree)
	if !ok {
		return r, 0, notFound("tree", tree)
	}
	err = s.view(ctx, func(txn *badger.Txn) error {
		all, err := s.order.all(ctx, s.db)
		for _, at := range all {
			if at.created.UnixMilli() != created.UnixMilli() {
				continue
			}
			r, err = readRollout(txn, at.id)
			if i = slices.Index(r.Trees, tree); err == nil && i >= 0 {
				return nil
			}
		}
		if err == nil || sparkd.CodeOf(err) == sparkd.CodeDamaged {
			err = notFound("tree", tree)
		}
		return err
	})
	return r, i, err
}
