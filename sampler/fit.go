package sampler

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"sparkd"
)

// impatient is an engine whose tokenizer is left behind when the context ends: it cannot be interrupted, and takes
// seconds for megabytes.
type impatient struct {
	sparkd.Engine
	limit time.Duration
}

func (e impatient) Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	ids, err := within(ctx, e.limit, func(ctx context.Context) ([]sparkd.Token, error) {
		return e.Engine.Tokenize(ctx, text, control)
	})
	if err == context.DeadlineExceeded && ctx.Err() == nil {
		err = sparkd.NewError(sparkd.CodeDeadline, "sampler.sample_timeout", "raise it, or let observations be shorter",
			"a text of %d bytes was not tokenised within %v", len(text), e.limit).Because(err)
	}
	return ids, err
}

// firstLook is how many bytes a token of the context stands for in the first look at a text; few texts have more.
const firstLook = 8

// room reports whether a text may fit in the model's context. A text that is far too long is not tokenised to find
// that out: its beginning alone is, in pieces that double, until that fills the context.
func (c *chat) room(ctx context.Context, text string) (bool, error) {
	if c.info.ContextLength == 0 {
		return true, nil
	}
	for n := firstLook * c.info.ContextLength; n < len(text); n *= 2 {
		ids, err := c.tokenize(ctx, beginning(text, n), false)
		if err != nil || c.full(len(ids)) {
			return false, err
		}
	}
	return true, nil
}

// beginning returns about the first n bytes of a text, up to a blank where there is one: a tokenizer, too, cuts there.
func beginning(text string, n int) string {
	if i := strings.LastIndexAny(text[n/2:n], " \n\t"); i >= 0 {
		return text[:n/2+i]
	}
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
