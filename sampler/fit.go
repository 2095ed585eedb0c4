package sampler

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"sparkd"
)

// patiently runs f, which tokenises so many bytes, within the limit. A tokenizer cannot be interrupted and takes
// seconds for megabytes: it is left behind when the context ends.
func patiently[T any](ctx context.Context, limit time.Duration, bytes int, f func(context.Context) (T, error)) (
	T, error,
) {
	v, err := within(ctx, limit, f)
	if err == context.DeadlineExceeded && ctx.Err() == nil {
		err = sparkd.NewError(sparkd.CodeDeadline, "sampler.sample_timeout", "raise it, or let observations be shorter",
			"a text of %d bytes was not tokenised within %v", bytes, limit).Because(err)
	}
	return v, err
}

// abandonable is t, but asks nothing more behind the end of the context: what was left behind ends with its call.
func abandonable(t sparkd.Tokenize) sparkd.Tokenize {
	return func(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return t(ctx, text, control)
	}
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
		ids, err := patiently(ctx, c.limit, n, func(ctx context.Context) ([]sparkd.Token, error) {
			return c.tokenize(ctx, beginning(text, n), false)
		})
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
