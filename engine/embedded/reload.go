package embedded

import (
	"bytes"
	"context"

	"sparkd"
)

// Reload implements sparkd.Reloader: it exchanges the weights for those of another GGUF of the same model, or, where
// w.LoRA is set, for those of the model file loaded last with the LoRA adapter at w.Path. Architecture, tokenizer and
// context length must be the same; weight type, layers and widths need not be. The chat template stays.
//
// The new model is loaded beside the old one, so for a while there must be memory for both (KV cells take memory
// only once they are used). Then no request starts until those under way have ended on the old weights; those that
// waited run on the new. The policy version is w.Version or, where that is "", the first 12 hex digits of the
// file's SHA-256; of an adapter, those of both files with a plus between.
//
// After an error (code model, invalid, unavailable, canceled or deadline) the old weights serve on. Calls take turns.
func (e *Engine) Reload(ctx context.Context, w sparkd.Weights) (version string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.life, cancel)()
	if err := e.reload(ctx, w); err != nil {
		return "", e.refusal(err)
	}
	return e.about.Load().PolicyVersion, nil
}

func (e *Engine) reload(ctx context.Context, w sparkd.Weights) error {
	select {
	case e.reloading <- struct{}{}:
		defer func() { <-e.reloading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	b, base, err := e.load(ctx, w, e.base)
	if err != nil {
		return err
	}
	if err = interchangeable(e.backend, b); err == nil {
		err = e.exchange(ctx, b)
	}
	if err != nil {
		b.close()
		return err
	}
	about := e.describe(b)
	about.ChatTemplate = e.about.Load().ChatTemplate
	e.use.Lock()
	old := e.backend
	e.backend = b
	e.use.Unlock()
	e.about.Store(about)
	e.base = base
	old.close()
	return nil
}

// refusal is what Reload returns for err.
func (e *Engine) refusal(err error) error {
	if e.life.Err() != nil {
		return errClosed
	}
	refused := *sparkd.AsError(err)
	if refused.Field == "engine.model" {
		refused.Field = "path"
	}
	return &refused
}

// interchangeable returns an error unless tokens mean the same to both models and requests
// that were checked for one fit the other.
func interchangeable(old, new backend) error {
	refuse := func(format string, args ...any) error {
		return unusable("take weights of the model that was opened, or open another engine", format, args...)
	}
	a, b := old.info(), new.info()
	switch {
	case a.Architecture != b.Architecture:
		return refuse("the architecture is %q and must be %q", b.Architecture, a.Architecture)
	case old.contextLength() != new.contextLength():
		return refuse("the context length is %d and must be %d", new.contextLength(), old.contextLength())
	case old.vocabulary() != new.vocabulary():
		return refuse("the vocabulary has %d tokens and must have %d", new.vocabulary(), old.vocabulary())
	case a.TokenizerHash != b.TokenizerHash:
		return refuse("the tokenizer splits text otherwise")
	case [3]sparkd.Token{a.BOS, a.EOS, a.EOT} != [3]sparkd.Token{b.BOS, b.EOS, b.EOT} || a.AddBOS != b.AddBOS:
		return refuse("BOS, EOS or EOT is another token")
	}
	for id := range sparkd.Token(old.vocabulary()) {
		x, y := old.detokenizePiece(id), new.detokenizePiece(id)
		if !bytes.Equal(x, y) || old.isEndOfGeneration(id) != new.isEndOfGeneration(id) {
			return refuse("token %d is %q and must be %q", id, y, x)
		}
	}
	return nil
}

// exchange hands b to the loop and returns when it has taken it, or with an error when it has not and will not.
func (e *Engine) exchange(ctx context.Context, b backend) error {
	x := &exchange{ctx: ctx, backend: b, done: make(chan struct{})}
	// If ctx ends, the loop is done with x soon: it checks before every forward.
	if err := deliver(ctx, e, e.exchanges, x, x.done, nil); err != nil {
		return err
	}
	return x.err
}

// exchange is a backend on its way into the loop.
type exchange struct {
	ctx     context.Context
	backend backend
	err     error // of ctx: the backend was not taken
	done    chan struct{}
}

// swap takes the next backend once nothing runs on the old, or gives it up when its caller has gone.
func (l *loop) swap() {
	x := l.next
	if x == nil {
		return
	}
	if x.err = x.ctx.Err(); x.err == nil {
		if len(l.running) > 0 {
			return
		}
		fresh := newCells(x.backend.blocks(), l.share)
		fresh.evictions, fresh.evictedTokens = l.cells.evictions, l.cells.evictedTokens
		l.backend, l.cells = x.backend, fresh
		l.stats.Reloads++
	}
	l.next = nil
	close(x.done)
}
