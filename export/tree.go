package export

import (
	"strconv"

	"sparkd"
)

// tree appends the TreeLine of t.
func (e *encoder) tree(t *sparkd.Tree, copies []step) {
	l := &e.line
	l.b = append(l.b, '{')
	l.b = append(l.b, e.names.b...)
	l.str("goal", t.Goal)
	l.key("seed")
	l.b = strconv.AppendUint(l.b, t.Seed, 10)
	l.str("state", string(t.State))
	l.str("error", code(t.Error))
	l.str("estimator", e.o.Advantage)
	l.str("dedupe", e.o.Dedupe)
	l.key("nodes")
	l.b = append(l.b, '[')
	merged := merge(copies, len(t.Nodes))
	for _, n := range t.Nodes {
		var s *step
		if len(merged) > 0 && merged[0].Node == n.ID {
			s, merged = &merged[0], merged[1:]
		}
		e.treeNode(n, s)
		l.b = append(l.b, ',')
	}
	l.close()
	l.key("leaves")
	l.b = append(l.b, '[')
	for len(copies) > 0 {
		n := t.Nodes[copies[0].Leaf].Depth
		e.leaf(t, copies[:n])
		l.b = append(l.b, ',')
		copies = copies[n:]
	}
	l.close()
	e.end()
}

// treeNode appends a NodeLine; s is the node's merged step, nil where it has none.
func (e *encoder) treeNode(n *sparkd.Node, s *step) {
	l := &e.line
	l.b = append(l.b, '{')
	l.integer("id", n.ID)
	l.integer("parent", n.Parent)
	l.integer("depth", n.Depth)
	l.integer("round", n.Round)
	l.str("reason", n.Decision.Reason)
	l.integer("of", n.Decision.Of)
	l.integer("shared_tokens", n.Decision.SharedTokens)
	e.nodeTokens(n)
	if n.Failed() {
		l.null("reward") // a failure is never a reward of 0
	} else {
		l.number("reward", n.Reward)
	}
	if s == nil {
		l.null("advantage")
		l.number("weight", 0)
		l.integer("copies", 0)
	} else {
		if e.o.Dedupe == "tree" {
			s.Weight = 1
		}
		l.number("advantage", s.Advantage)
		l.number("weight", s.Weight)
		l.integer("copies", s.Copies)
		e.trained(s)
	}
	l.step(n)
	l.str("error", code(n.Error))
	l.str("obs_hash", n.ObsHash)
	l.str("finish", string(n.Finish))
	l.str("policy_version", n.PolicyVersion)
	l.integer("prompt_tokens", n.PromptTokens)
	l.integer("cached_tokens", n.CachedTokens)
	if e.o.Text {
		l.texts(n)
	}
	l.b = append(l.b, '}')
}

// nodeTokens appends the per-token arrays of all spans of a node.
func (e *encoder) nodeTokens(n *sparkd.Node) {
	l := &e.line
	exact := true
	l.key("tokens")
	l.b = append(l.b, '[')
	for i := range n.Spans {
		l.b = appendTokens(l.b, n.Spans[i].Tokens)
	}
	l.close()
	l.key("mask")
	l.b = append(l.b, '[')
	for i := range n.Spans {
		s := &n.Spans[i]
		e.m.Tokens += len(s.Tokens)
		if s.Trained() {
			l.b = repeated(l.b, '1', len(s.Tokens))
			exact = exact && s.TokenExact
		} else {
			l.b = repeated(l.b, '0', len(s.Tokens))
		}
	}
	l.close()
	l.values(logprobs, n.Spans...)
	l.values(sampledLogprobs, n.Spans...)
	if e.o.Entropies {
		l.values(entropies, n.Spans...)
	}
	l.boolean("token_exact", exact)
}

// leaf appends a LeafLine of the rows of one trajectory.
func (e *encoder) leaf(t *sparkd.Tree, rows []step) {
	l := &e.line
	id := rows[0].Leaf
	l.b = append(l.b, '{')
	l.integer("leaf", id)
	e.node("traj_uid", t, id)
	l.key("path")
	l.b = append(l.b, "[0,"...)
	for _, r := range rows {
		l.b = append(strconv.AppendInt(l.b, int64(r.Node), 10), ',')
	}
	l.close()
	l.str("outcome", string(t.Nodes[id].Outcome))
	l.number("episode_reward", rows[0].Return)
	l.integer("episode_length", len(rows))
	if e.o.Dedupe == "copies" {
		l.key("advantages")
		l.b = append(l.b, '[')
		for _, r := range rows {
			l.b = append(l.float(l.b, "advantage", r.Advantage), ',')
		}
		l.close()
	}
	l.b = append(l.b, '}')
}
