package sampler

import (
	"context"
	"fmt"
	"time"
)

// within runs f under a deadline. If the deadline or ctx ends first, within returns its error at once and leaves f
// behind; f's late result goes to drop, which may be nil. A panic of f becomes an error.
func within[T any](ctx context.Context, timeout time.Duration, f func(context.Context) (T, error),
	drop func(T)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("panic: %v", p)
			}
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		if r.err != nil && ctx.Err() != nil {
			r.err = ctx.Err() // however f words it
		}
		return r.value, r.err
	case <-ctx.Done():
		if drop != nil {
			go func() { drop((<-done).value) }()
		}
		var zero T
		return zero, ctx.Err()
	}
}
