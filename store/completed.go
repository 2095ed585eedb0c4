package store

import (
	"context"
	"iter"
	"runtime"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// completion is an entry of the completion log.
type completion struct {
	Tree    string `json:"tree"`
	Rollout string `json:"rollout"`
}

func (b *batch) putCompleted(c completion, seq uint64) {
	b.putJSON(completedKey("", seq), &c)
	b.putJSON(completedKey(c.Rollout, seq), &c)
}

// Filter selects finished trees.
type Filter struct {
	Rollout string // of this rollout only; "" for all
	After   string // the cursor of the last entry that was seen, in any rollout; "" from the start
	Limit   int    // at most so many; 0 for all
}

// Entry is a finished tree. Its state is done, failed or canceled. Cursor, given as
// Filter.After, resumes behind it, also after a restart.
type Entry struct {
	Cursor string
	ID     string // of the tree
	Tree   *sparkd.Tree
}

// Completed yields the finished trees in order of completion, up to those that were finished when it reaches the
// end; writers may go on meanwhile. A tree that cannot be read is yielded as an entry without Tree, with its
// error; the ones behind it follow if the loop goes on. Any other error is the last.
//
// Trees are read and decoded by several goroutines ahead of the loop: as many trees
// are in memory as there are processors, times two.
func (s *Store) Completed(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var after uint64
		err := s.view(ctx, func(txn *badger.Txn) (err error) {
			after, err = s.placeOf(txn, &treeCursor, f.After)
			return err
		})
		if err != nil {
			yield(Entry{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		ahead := make(chan chan loaded, 2*runtime.GOMAXPROCS(0))
		go s.readAhead(ctx, f, after, ahead)
		defer func() {
			cancel()
			for range ahead { // wait for readAhead to end
			}
		}()
		for c := range ahead {
			l := <-c
			if ctx.Err() != nil {
				break
			}
			if !yield(l.Entry, l.err) || l.ID == "" && l.err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Entry{}, sparkd.AsError(err))
		}
	}
}

// loaded is an entry on its way to the consumer. Without an id it has the error that ends the walk.
type loaded struct {
	Entry
	seq     uint64
	rollout string
	err     error
}

// readAhead sends the entries after seq in order and closes ahead. Every entry is a channel that will hold it once
// its tree is decoded.
func (s *Store) readAhead(ctx context.Context, f Filter, seq uint64, ahead chan<- chan loaded) {
	defer close(ahead)
	const page = 256
	for sent, more := 0, true; more; {
		entries := s.completions(ctx, f.Rollout, seq, page)
		for _, l := range entries {
			c := make(chan loaded, 1)
			select {
			case ahead <- c:
				go func() { c <- s.load(ctx, l) }()
			case <-ctx.Done():
				return
			}
			if sent, seq = sent+1, l.seq; sent == f.Limit {
				return
			}
		}
		more = len(entries) == page
	}
}

// completions reads a page of the completion log, or of a rollout's own. An entry whose record is damaged has the
// key for an id and the error; where the page cannot be read, the error is all there is.
func (s *Store) completions(ctx context.Context, rollout string, after uint64, limit int) (entries []loaded) {
	err := s.view(ctx, func(txn *badger.Txn) error {
		for key, item := range items(txn, completedPrefix(rollout), completedKey(rollout, after+1), true) {
			if len(entries) == limit {
				break
			}
			c, seq, at := completion{Tree: describeKey(key)}, seqOf(key), ""
			err := item.Value(func(value []byte) error {
				at = s.cursorAt(&treeCursor, seq, value)
				return nil
			})
			if err == nil {
				err = readItemJSON(item, key, &c)
			}
			entries = append(entries, loaded{Entry{Cursor: at, ID: c.Tree}, seq, c.Rollout, err})
		}
		return nil
	})
	if err != nil {
		return []loaded{{err: err}}
	}
	return entries
}

func (s *Store) load(ctx context.Context, l loaded) loaded {
	if l.err != nil {
		return l
	}
	l.Tree, l.err = s.Tree(ctx, l.ID)
	if sparkd.CodeOf(l.err) == sparkd.CodeNotFound {
		const problem = "the tree is in the completion log and nowhere else"
		l.err = finding(Missing, l.rollout, l.ID, treeKey(l.ID), problem)
	}
	return l
}
