package export

import "sparkd"

// intact checks what all walks over a tree rely on: its shape, and that per-token numbers are as many as tokens
// and finite. A tree that failed before its opening context has no nodes at all.
func intact(t *sparkd.Tree) error {
	for i, n := range t.Nodes {
		ok := n != nil && n.ID == i
		switch {
		case !ok:
		case i == 0:
			ok = n.Parent == -1 && n.Depth == 0
		default:
			ok = n.Parent >= 0 && n.Parent < i && n.Depth == t.Nodes[n.Parent].Depth+1
		}
		if !ok || !forked(t, n) {
			return damaged(t, sparkd.Errorf(sparkd.CodeDamaged, "node %d is out of place", i))
		}
		if !sparkd.Finite(n.Reward) {
			return damaged(t, sparkd.Errorf(sparkd.CodeDamaged, "node %d has reward %v", i, n.Reward))
		}
		for j := range n.Spans {
			if err := numbers(&n.Spans[j]); err != nil {
				return damaged(t, err)
			}
		}
	}
	return nil
}

// forked checks that a fork inside a step leaves an older sibling where both have tokens.
func forked(t *sparkd.Tree, n *sparkd.Node) bool {
	d := &n.Decision
	if d.SharedTokens == 0 || n.Failed() {
		return true
	}
	return d.SharedTokens > 0 && d.Of > 0 && d.Of < n.ID && t.Nodes[d.Of].Parent == n.Parent &&
		d.SharedTokens <= len(output(n).Tokens) && d.SharedTokens <= len(output(t.Nodes[d.Of]).Tokens)
}

// numbers checks the per-token numbers of a span.
func numbers(s *sparkd.Span) error {
	for _, v := range [...][]float32{s.Logprobs, s.SampledLogprobs, s.Entropies} {
		switch {
		case v == nil:
		case len(v) != len(s.Tokens):
			return sparkd.Errorf(sparkd.CodeDamaged, "%d numbers for %d tokens", len(v), len(s.Tokens))
		case !isFinite(v):
			return sparkd.Errorf(sparkd.CodeDamaged, "per-token numbers that are not finite")
		}
	}
	return nil
}

// code is the code of a recorded failure, "" for none.
func code(e *sparkd.Error) string {
	if e == nil {
		return ""
	}
	return string(e.Code)
}

func damaged(t *sparkd.Tree, err error) error {
	return sparkd.NewError(sparkd.CodeDamaged, "", "run sparkd check, and leave the tree out: filter except="+t.ID,
		"tree %s cannot be exported: %s", t.ID, err.Error()).Because(err)
}
