package remote

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"sparkd"
)

// Ask is a request for a continuation of one prefix from each seed.
type Ask struct {
	Prefix   []sparkd.Token
	Sampling *sparkd.Sampling
	Seeds    []uint64
	Limit    int // most tokens of a continuation; 0 only computes the prefix
	Top      int // alternatives per token
	Expected int // how much of the prefix the server is thought to have computed before
	// Resident says that this is all that it can have: whole blocks, but for the last token.
	Resident bool
}

// Of returns the part of an ask that has these seeds.
func (a Ask) Of(seeds ...uint64) Ask {
	a.Seeds = seeds
	return a
}

// Warm returns an ask that only computes the prefix.
func (a Ask) Warm() Ask {
	a.Limit, a.Top = 0, 0
	return a.Of(0)
}

// StopEnd returns where the first stop string that ends behind the first bytes of a text does end, or -1.
func StopEnd(text string, stops []string, first int) int {
	end := -1
	for _, stop := range stops {
		from := max(0, first-len(stop)+1)
		if i := strings.Index(text[from:], stop); i >= 0 && (end < 0 || from+i+len(stop) < end) {
			end = from + i + len(stop)
		}
	}
	return end
}

// Plan is how the continuations of one prefix are asked for.
type Plan struct {
	Warm   bool // first a request that only computes the prefix
	Each   int  // continuations of a request
	AtOnce bool // the requests are sent at once, else one after the other
}

// Drawn is what came of a plan.
type Drawn struct {
	Warm    *Answer // of the request that computed the prefix, where there was one
	Answers []Answer
}

// Run sends the requests of a plan.
func (p Plan) Run(ctx context.Context, a Ask, generate func(context.Context, Ask) (Answer, error)) (Drawn, error) {
	var d Drawn
	if p.Warm {
		got, err := generate(ctx, a.Warm())
		if err != nil {
			return d, err
		}
		d.Warm = &got
	}
	requests := slices.Collect(slices.Chunk(a.Seeds, p.Each))
	d.Answers = make([]Answer, len(requests))
	g, ctx := errgroup.WithContext(ctx)
	if !p.AtOnce {
		g.SetLimit(1)
	}
	for i, seeds := range requests {
		g.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			d.Answers[i], err = generate(ctx, a.Of(seeds...))
			return err
		})
	}
	return d, g.Wait()
}

// cost adds up what the requests of a plan computed, and says how much of the prefix was
// reused. Siblings find what the first of them has computed, which is not counted.
func (d *Drawn) cost() (cached, computed int) {
	if d.Warm != nil {
		cached, computed = d.Warm.Cached, d.Warm.Computed
	}
	for i := range d.Answers {
		a := &d.Answers[i]
		if d.Warm == nil && (i == 0 || a.Cached < cached) {
			cached = a.Cached
		}
		computed += a.Computed
	}
	return cached, computed
}
