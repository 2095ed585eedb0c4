package remote

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync/atomic"

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
	most     *atomic.Int64 // continuations that a request may have; nil bounds them not
}

// Fits is how many continuations a request may have, as far as is known.
func (a *Ask) Fits() int {
	if a.most == nil {
		return sparkd.MaxLeaves
	}
	return int(a.most.Load())
}

// lower notes that a request may have no more than n.
func (a *Ask) lower(n int) {
	if a.most != nil && n < a.Fits() {
		a.most.Store(int64(max(n, 1)))
	}
}

// Seed is the first seed in 31 bits: what every server takes, also those that count up from it. One that has more is
// mixed, so that seeds that differ anywhere differ (Fibonacci hashing; Knuth, The Art of Computer Programming 3, 6.4).
func (a *Ask) Seed() int64 {
	if seed := a.Seeds[0]; seed > math.MaxInt32 {
		return Fold(seed)
	}
	return int64(a.Seeds[0])
}

// Fold mixes a seed into 31 bits.
func Fold(seed uint64) int64 { return int64(seed * 0x9E3779B97F4A7C15 >> 33) }

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
	each := min(p.Each, a.Fits())
	requests := slices.Collect(slices.Chunk(a.Seeds, each))
	answers := make([][]Answer, len(requests))
	g, ctx := errgroup.WithContext(ctx)
	if !p.AtOnce && each == p.Each {
		g.SetLimit(1)
	}
	for i, seeds := range requests {
		g.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			answers[i], err = a.Of(seeds...).draw(ctx, generate)
			return err
		})
	}
	err := g.Wait()
	d.Answers = slices.Concat(answers...)
	return d, err
}

// draw asks for a continuation from each seed in one request, and for those that the answer lacks in further ones. A
// server that refuses several is asked for one, and for fewer from then on.
func (a Ask) draw(ctx context.Context, generate func(context.Context, Ask) (Answer, error)) ([]Answer, error) {
	var answers []Answer
	for len(a.Seeds) > 0 {
		n := min(len(a.Seeds), a.Fits())
		got, err := generate(ctx, a.Of(a.Seeds[:n]...))
		if n > 1 && refused(err) {
			if got, err = generate(ctx, a.Of(a.Seeds[0])); err == nil {
				a.lower(n / 2)
			}
			n = 1
		}
		if err != nil {
			return nil, err
		}
		got.Choices = got.Choices[:min(len(got.Choices), n)]
		drawn := len(got.Choices)
		if drawn < n {
			a.lower(drawn)
		}
		if answers = append(answers, got); drawn == 0 {
			break // what is missing is counted at the end
		}
		a.Seeds = a.Seeds[drawn:]
	}
	return answers, nil
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
