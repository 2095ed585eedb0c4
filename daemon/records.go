package daemon

import (
	"context"
	"iter"

	"sparkd"
	"sparkd/api"
	"sparkd/store"
)

// records is the part of the API that reads what is stored. Nothing in it changes.
type records struct {
	store    *store.Store
	rollouts *rollouts
}

// Tree returns a tree as far as it is committed.
func (p *records) Tree(ctx context.Context, id string) (*sparkd.Tree, error) {
	return p.store.Tree(ctx, id)
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
