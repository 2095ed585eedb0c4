package alfworld

import (
	"context"

	"sparkd"
)

// Household is the source of generated houses. It holds nothing.
type Household struct{}

// Open returns a fresh copy.
func (Household) Open(ctx context.Context) (sparkd.Env, error) { return New(), ctx.Err() }

// Close does nothing.
func (Household) Close() error { return nil }
