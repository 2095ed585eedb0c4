package daemon

import (
	"context"
	"iter"

	"sparkd"
	"sparkd/api"
	"sparkd/sampler"
	"sparkd/store"
)

// records is the part of the API that reads what is stored. Nothing in it changes.
type records struct {
	store    *store.Store
	rollouts *rollouts
}

// Tree returns a tree as far as it is committed. One that has not begun is queued, or was canceled with its rollout.
func (p *records) Tree(ctx context.Context, id string) (*sparkd.Tree, error) {
	tree, err := p.store.Tree(ctx, id)
	if sparkd.CodeOf(err) != sparkd.CodeNotFound {
		return tree, err
	}
	r, i, missing := p.store.Owner(ctx, id)
	if missing != nil {
		return nil, err
	}
	tree = sampler.NewTree(r.ID, &r.Spec, r.Spec.Tasks.List()[i], id, r.Created)
	tree.State, tree.Nodes = sparkd.TreeQueued, []*sparkd.Node{}
	if r.State.Ended() {
		tree.State, tree.Finished = sparkd.TreeCanceled, r.Finished
	}
	return tree, nil
}

// Completed yields finished trees in order of completion.
func (p *records) Completed(ctx context.Context, f api.Filter) iter.Seq2[api.Entry, error] {
	return func(yield func(api.Entry, error) bool) {
		if f.Rollout != "" {
			if _, err := p.rollouts.Rollout(ctx, f.Rollout); err != nil {
				yield(api.Entry{}, err)
				return
			}
		}
		for e, err := range p.store.Completed(ctx, store.Filter(f)) {
			if err != nil {
				yield(api.Entry{}, behind(err, e.Cursor))
				return
			}
			if !yield(api.Entry{Cursor: e.Cursor, Tree: e.Tree}, nil) {
				return
			}
		}
	}
}

// behind adds to the error of a tree that cannot be read how to go on without it.
func behind(err error, cursor string) error {
	if cursor == "" {
		return err
	}
	e := *sparkd.AsError(err)
	e.Remedy += "; after=" + cursor + " goes on behind this tree"
	return &e
}

// Events returns what happened behind a cursor.
func (p *records) Events(ctx context.Context, after string, limit int) ([]api.LoggedEvent, error) {
	events, err := p.store.Events(ctx, after, limit)
	page := make([]api.LoggedEvent, len(events))
	for i, e := range events {
		page[i] = api.LoggedEvent(e)
	}
	return page, err
}

// LastEvent returns the cursor behind the newest event.
func (p *records) LastEvent(ctx context.Context) (string, error) { return p.store.LastEvent(ctx) }

// Subscribe wakes its reader after events.
func (p *records) Subscribe() (<-chan struct{}, func()) { return p.store.Subscribe() }
