package sampler

import (
	"context"
	"time"

	"sparkd"
	"sparkd/branching"
)

// expansion is one expansion under way and, after run, its children. It only reads the
// grower and belongs to the goroutine that runs it.
type expansion struct {
	branching.Expansion
	g      *grower
	counts counts // of the expanded node
	parent *leaf  // of the expanded node
	first  int    // index of the first child among all that the node ever had

	allowance int // tokens that each continuation may draw

	started  time.Time
	sampled  time.Duration
	result   sparkd.SampleResult // without samples if the engine failed
	shared   string              // text of the tokens that the continuations begin with
	children []child
}

// child is one continuation: its node, and what the node owns if it can grow on.
type child struct {
	node  *sparkd.Node
	leaf  leaf
	stats sparkd.Stats
}

// run samples the continuations and steps a copy of the environment with each.
func (x *expansion) run(ctx context.Context) {
	g := x.g
	x.started = g.Clock()
	x.children = make([]child, x.K)
	for i := range x.children {
		x.children[i].node = &sparkd.Node{
			Parent: x.Node, Depth: g.tree.Nodes[x.Node].Depth + 1, Round: g.tree.Round, Started: x.started,
			Decision: sparkd.Decision{K: x.K, Index: i, Reason: x.Reason, Score: x.Score, Of: x.Of,
				SharedTokens: x.Shared},
		}
	}
	path := g.tree.Path(x.Node)
	if x.parent.env == nil {
		e, o, steps, err := g.envs.replay(ctx, g.tree, path)
		if x.counts.sampled { // a fork of a node that was left behind, not a restart
			x.children[0].stats.ReplaySteps, x.children[0].node.ReplaySteps = steps, steps
		}
		if err != nil {
			x.failAll(envError(err))
			return
		}
		x.parent.env, x.parent.admissible = e, o.Admissible
	}
	began := g.Clock()
	err := x.sample(ctx)
	x.sampled = g.Clock().Sub(began)
	if err != nil {
		x.failAll(engineError(err))
		return
	}
	places := g.envs.copies(ctx, g.tree, path, x.parent.env, x.K)
	x.parent.env = nil // the first child's from here on
	each(x.K, func(i int) { x.step(ctx, i, places[i]) })
}

// failAll makes every child a failed node.
func (x *expansion) failAll(err *sparkd.Error) {
	for i := range x.children {
		x.children[i].fail(err)
		x.children[i].node.SampleTime = x.sampled
	}
}

// fail makes the child a failed node, which keeps nothing but the action and its place.
func (c *child) fail(err *sparkd.Error) {
	c.leaf.shut()
	n := c.node
	n.Outcome, n.Done, n.Error = sparkd.OutcomeFailed, true, err
	n.Spans, n.Reward, n.ObsHash, n.Signals = nil, 0, "", sparkd.Signals{}
	c.stats.Failed++
	if err.Code == sparkd.CodeDiverged {
		c.stats.Diverged++
	}
}

// sample asks the engine for the continuations, once more if it failed in a way that
// may pass. The seeds are the same then, and so is the tree.
func (x *expansion) sample(ctx context.Context) error {
	g := x.g
	r := sparkd.SampleRequest{Prefix: x.parent.tokens, K: x.K, Sampling: g.spec.Sampling, Tree: g.tree.ID,
		Seeds: make([]uint64, x.K)}
	if x.Shared > 0 {
		if err := x.share(ctx, &r); err != nil {
			return err
		}
	}
	r.Sampling.MaxTokens = min(r.Sampling.MaxTokens, x.allowance)
	r.Sampling.StopTokenIDs = g.chat.stops(r.Sampling.StopTokenIDs)
	for i := range r.Seeds {
		r.Seeds[i] = sparkd.Mix(g.tree.Seed, uint64(x.Node), uint64(x.first+i))
	}
	var err error
	for range 2 {
		draw := func(ctx context.Context) (sparkd.SampleResult, error) { return g.Engine.Sample(ctx, r) }
		x.result, err = within(ctx, g.SampleTimeout, draw)
		if code := sparkd.CodeOf(err); ctx.Err() != nil || code != sparkd.CodeEngine && code != sparkd.CodeUnavailable {
			break
		}
	}
	switch {
	case err == context.DeadlineExceeded && ctx.Err() == nil:
		const remedy = "raise it, or lower sampling.max_tokens"
		return sparkd.NewError(sparkd.CodeDeadline, "sampler.sample_timeout", remedy,
			"the engine gave no answer within %v", g.SampleTimeout).Because(err)
	case err != nil:
		return err
	case len(x.result.Samples) != x.K:
		err = sparkd.Errorf(sparkd.CodeEngine, "the engine returned %d samples of %d", len(x.result.Samples), x.K)
		x.result.Samples = nil
	}
	if err == nil && x.Shared > 0 {
		x.complete()
	}
	return err
}
