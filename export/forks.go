package export

import "sparkd"

// drawn names tokens of a tree by where they were drawn: from the At-th on, in the output of Node.
type drawn struct{ node, at int }

// forks tells which tokens of sibling outputs were drawn once for several of them.
type forks struct {
	tree *sparkd.Tree
	cuts map[int][]int // by node: where, among the tokens drawn for it, a sibling leaves it
}

// once merges steps so that every token that was drawn is in one step: what siblings share inside a step goes to the
// first of them.
func once(t *sparkd.Tree, copies []step) []step {
	f := forks{tree: t, cuts: map[int][]int{}}
	for _, n := range t.Nodes {
		if s := n.Decision.SharedTokens; s > 0 && !n.Failed() {
			from := f.drawn(n.Decision.Of, s-1).node
			f.cuts[from] = append(f.cuts[from], s)
		}
	}
	if len(f.cuts) == 0 {
		return merge(copies, len(t.Nodes))
	}
	var bundles []bundle
	at := map[drawn]int{} // index in bundles of what trains the tokens
	for _, whole := range copies {
		for _, part := range f.parts(whole) {
			key := f.drawn(part.Node, part.From)
			if _, seen := at[key]; !seen {
				at[key] = len(bundles)
				bundles = append(bundles, bundle{})
			}
			bundles[at[key]].add(&part)
		}
	}
	return merged(bundles)
}

// parts splits a step where the siblings change that share its tokens.
func (f *forks) parts(s step) []step {
	var parts []step
	for from := 0; ; {
		part := s
		part.From, part.To = from, f.end(s.Node, from)
		parts = append(parts, part)
		if from = part.To; from >= s.To {
			return parts
		}
	}
}

// drawn returns where the at-th token of a node's output was drawn.
func (f *forks) drawn(node, at int) drawn {
	for at < f.tree.Nodes[node].Decision.SharedTokens {
		node = f.tree.Nodes[node].Decision.Of
	}
	return drawn{node, at}
}

// end returns where the run of tokens from at on ends that the same siblings share.
func (f *forks) end(node, at int) int {
	end := len(output(f.tree.Nodes[node]).Tokens)
	for n := f.tree.Nodes[node]; ; n = f.tree.Nodes[n.Decision.Of] {
		if s := n.Decision.SharedTokens; at < s {
			end = min(end, s)
			continue
		}
		for _, cut := range f.cuts[n.ID] {
			if cut > at {
				end = min(end, cut)
			}
		}
		return end
	}
}
