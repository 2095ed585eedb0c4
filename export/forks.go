package export

import (
	"slices"

	"sparkd"
)

// drawn names tokens of a tree by where they were drawn: from the At-th on, in the output of Node.
type drawn struct{ node, at int }

// forks tells which tokens of sibling outputs were drawn once for several of them.
type forks struct {
	tree *sparkd.Tree
	cuts map[int][]int // by node: where, among the tokens drawn for it, a sibling leaves it
}

// once splits the merged steps of a tree so that every token that was drawn is in one
// step. What siblings share inside a step goes to the first of them, with the mean of
// their advantages as their weights have it and the sum of their weights.
func once(t *sparkd.Tree, merged []step) []step {
	f := forks{tree: t, cuts: map[int][]int{}}
	for _, n := range t.Nodes {
		if s := n.Decision.SharedTokens; s > 0 && !n.Failed() {
			from := f.drawn(n.Decision.Of, s-1).node
			f.cuts[from] = append(f.cuts[from], s)
		}
	}
	if len(f.cuts) == 0 {
		return merged
	}
	slices.SortFunc(merged, alongPaths)
	var out []step
	first := map[drawn]int{} // index in out of the step that trains the tokens
	for _, whole := range merged {
		for _, part := range f.parts(whole) {
			key := f.drawn(part.Node, part.From)
			if _, seen := first[key]; !seen {
				first[key] = len(out)
				out = append(out, step{})
			}
			out[first[key]].add(&part)
		}
	}
	for i := range out {
		out[i].mean()
	}
	return out
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
