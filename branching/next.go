package branching

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"sparkd"
)

// Expansion asks for K continuations of one node. Node 0 stands for the roots.
type Expansion struct {
	Node int
	// K of a live leaf is 1 for a linear step; K > 1 replaces it by K leaves. Of a node that
	// was grown before it is K more leaves.
	K      int
	Reason string  // "root", "linear", "tag:explore", or the name of the policy or modifier
	Score  float64 // what the decision was made on: a probability, an entropy, a gain
	// A fork inside a step: the continuations begin with the first Shared tokens of the
	// model span of Of, a child of Node. 0: none.
	Of, Shared int
}

// MaxAttempts bounds how often a node is expanded when its children fail. After so many rounds with a failed child
// the node is left alone: as a root, the tree ends failed; as a leaf, its trajectory stays without an outcome and
// earns no reward; as an inner node, it gets no more children.
const MaxAttempts = 3

// Next returns the expansions of the next round, in order of node id, at most one
// for a node. None means that the tree is finished.
//
// The first round begins M roots; it is repeated, up to MaxAttempts times in all, while no
// root survived. After that every live leaf (not done, not failed) is expanded in every
// round, by one continuation or, where the policy sees a critical state, by
//
//	K = 1 + min(B−1, N−used)
//
// where used counts every leaf ever created, finished ones included; a failed branch is no leaf, so its place is
// free again (SPARK, Eq. 7, in the reading of its released code). Policies that judge finished trajectories expand
// inner nodes once no leaf is live, by at most N−used continuations. Where more is proposed than places are left,
// most policies draw who gets them; the draw depends on the nodes of the tree alone, not on who came first.
//
// A node is a last-step node when its depth has reached the step limit: nothing can follow it, so it is neither
// expanded nor forked. One step before, a fork still buys two different last steps and is granted.
//
// Of the other budgets, Next keeps those that t.Stats can tell. A round is not begun when EnvSteps cannot pay for
// one step of every live leaf, or GeneratedTokens for one token, and continuations beyond that are refused. So
// EnvSteps is never exceeded, and neither is GeneratedTokens where the caller divides what is left of it among the
// continuations. Seconds is the caller's: a policy has no clock. The caller marks the leaves that are left growing
// when a budget ends the tree.
func (p Policy) Next(t *sparkd.Tree, b sparkd.Budget, rng *rand.Rand) []Expansion {
	steps := math.MaxInt // continuations that can be paid for
	if b.EnvSteps > 0 {
		steps = b.EnvSteps - t.Stats.EnvSteps
	}
	if b.GeneratedTokens > 0 {
		steps = min(steps, b.GeneratedTokens-t.Stats.GeneratedTokens)
	}
	v := newView(t, p.maxSteps)
	if v.children[0] == 0 {
		return p.begin(v, b.Leaves, steps, rng)
	}
	if len(v.live) > steps {
		return nil
	}
	q := &p.given
	v.limits = limits{depth: *q.MaxDepth, node: *q.MaxForksNode, path: *q.MaxForksPath, coolDown: *q.CoolDown}
	v.rng, v.most, v.places = rng, b.Leaves, min(b.Leaves-v.used, steps-len(v.live))
	r := newRound(v)
	if *q.StopEqual > 0 && v.allEqual(*q.StopEqual) {
		return r.out
	}
	granted := r.grant(p.rule(v))
	if !granted && len(v.live) == 0 && *q.Fallback {
		granted = r.grant(cutFinished(v))
	}
	if !granted && len(v.live) == 0 && *q.TopUp {
		r.grant([]proposal{{more: 1, reason: "top-up"}})
	}
	slices.SortFunc(r.out, func(a, b Expansion) int { return cmp.Compare(a.Node, b.Node) })
	return r.out
}

// begin asks for the roots.
func (p Policy) begin(v *view, leaves, steps int, rng *rand.Rand) []Expansion {
	k, reason := *p.given.Roots, "root"
	switch {
	case k == 0 && p.first != nil:
		k, reason = p.first(rng)
	case k == 0:
		k = leaves
	}
	if k = min(k, leaves, steps); k <= 0 || v.failures[0] >= MaxAttempts {
		return nil
	}
	return []Expansion{{Node: 0, K: k, Reason: reason}}
}

// round is a round being planned.
type round struct {
	v    *view
	out  []Expansion
	at   map[int]int  // index in out, by node
	free map[int]bool // live leaves that are granted nothing yet
}

// newRound plans one continuation for every live leaf.
func newRound(v *view) *round {
	n := len(v.live)
	r := &round{v: v, out: make([]Expansion, n, n+1), at: make(map[int]int, n), free: make(map[int]bool, n)}
	for i, n := range v.live {
		r.out[i] = Expansion{Node: n.ID, K: 1, Reason: "linear"}
		r.at[n.ID], r.free[n.ID] = i, true
		v.grew(n.ID, 1)
	}
	return r
}

// grant gives what it can of the proposals, in their order, and reports whether it gave any.
func (r *round) grant(proposals []proposal) bool {
	granted := false
	for _, w := range proposals {
		if r.free[w.node] {
			r.out[r.at[w.node]].Score = w.score
		}
		if k := min(w.more, r.v.places, r.v.capacity(w.node)); k > 0 && r.add(w, k) {
			r.v.places -= k
			granted = true
		}
	}
	return granted
}

// add plans k more continuations of a node. A fork inside a step needs an expansion of
// its own and waits for another round where the node has one already.
func (r *round) add(w proposal, k int) bool {
	i, planned := r.at[w.node]
	if planned && (w.shared > 0 || r.out[i].Shared > 0) {
		return false
	}
	if !planned {
		i = len(r.out)
		r.out = append(r.out, Expansion{Node: w.node})
		r.at[w.node] = i
	}
	x := &r.out[i]
	if !planned || r.free[w.node] {
		x.Reason, x.Score, x.Of, x.Shared = w.reason, w.score, w.of, w.shared
	}
	x.K += k
	delete(r.free, w.node)
	r.v.grew(w.node, k)
	return true
}
