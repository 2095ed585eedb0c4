package advantage

import (
	"sort"

	"sparkd"
)

// group is the ended trajectories of one task. Its trees are joined at their opening
// contexts, so that estimators deal with a single tree. Nodes are known by their place:
// 0 is the joined opening context, the steps of every tree follow in order of their ids.
type group struct {
	Options
	trees   []*sparkd.Tree
	base    []int           // place of tree i's node id > 0 is base[i] + id
	nodes   []*sparkd.Node  // by place; nil at 0 where no tree has an opening context
	parent  []int           // place of the parent; -1 at place 0
	count   []int           // by place: trajectories through the node
	rows    []Row           // Credit.Copies of all trees
	place   []int           // by row
	of      []int           // by row: which of paths it belongs to
	paths   []path          // the trajectories
	returns []sparkd.Amount // of each path, scaled
	err     error           // why the estimator says nothing about the group
}

// path is one trajectory: its rows are rows[from:to].
type path struct{ from, to int }

// join collects the trajectories of trees, with everything but the advantages.
func join(trees []*sparkd.Tree, o Options) *group {
	g := &group{Options: o, trees: trees, base: make([]int, len(trees)), nodes: []*sparkd.Node{nil}, parent: []int{-1}}
	for i, t := range trees {
		g.base[i] = len(g.nodes) - 1
		if len(t.Nodes) == 0 {
			continue
		}
		g.nodes[0] = t.Nodes[0]
		g.nodes = append(g.nodes, t.Nodes[1:]...)
		for _, n := range t.Nodes[1:] {
			p := n.Parent
			if p > 0 {
				p += g.base[i]
			}
			g.parent = append(g.parent, p)
		}
	}
	g.count = make([]int, len(g.nodes))
	for i, t := range trees {
		for _, end := range t.Ended() {
			g.add(i, t, end)
		}
	}
	return g
}

// add appends the rows of the trajectory of tree i that ends with a node.
func (g *group) add(i int, t *sparkd.Tree, end *sparkd.Node) {
	earned := t.Earned(end.ID)
	scaled := earned.Times(g.RewardScale)
	r := Row{Leaf: end.ID, Copies: 1, Weight: 1,
		Means: Means{Return: earned.Value, Length: float64(end.Depth), Score: scaled.Value}}
	if end.Outcome == sparkd.OutcomeSuccess {
		r.Won = 1
	}
	from := len(g.rows)
	g.rows = append(g.rows, make([]Row, end.Depth)...)
	g.place = append(g.place, make([]int, end.Depth)...)
	g.of = append(g.of, make([]int, end.Depth)...)
	for k, at := len(g.rows)-1, g.base[i]+end.ID; at > 0; k, at = k-1, g.parent[at] {
		r.Node = at - g.base[i]
		g.rows[k], g.place[k], g.of[k] = r, at, len(g.paths)
		g.count[at]++
	}
	g.count[0]++
	g.paths = append(g.paths, path{from, len(g.rows)})
	g.returns = append(g.returns, scaled)
}

// tree returns the tree that has the node at a place, nil in an empty group.
func (g *group) tree(at int) *sparkd.Tree {
	if len(g.trees) == 0 {
		return nil
	}
	i := sort.Search(len(g.base), func(i int) bool { return g.base[i] >= at })
	return g.trees[max(i-1, 0)]
}

// means returns, by place, the mean of x, one number per path, over the paths through it.
func (g *group) means(x []sparkd.Amount) []sparkd.Amount {
	mean := make([]sparkd.Amount, len(g.nodes))
	if len(x) > 0 {
		mean[0] = sparkd.Mean(len(x), func(i int) sparkd.Amount { return x[i] })
	}
	order, start := grouped(g.place, len(g.nodes))
	for at := range mean {
		if rows := order[start[at]:start[at+1]]; len(rows) > 0 {
			mean[at] = sparkd.Mean(len(rows), func(i int) sparkd.Amount { return x[g.of[rows[i]]] })
		}
	}
	return mean
}

// pay gives all steps of a path its advantage.
func (g *group) pay(advantages []sparkd.Amount) {
	for k, path := range g.of {
		g.rows[k].Advantage = advantages[path].Value
	}
}

// credit gives all copies of a step the advantage of its place.
func (g *group) credit(advantages []float64) {
	for k, at := range g.place {
		g.rows[k].Advantage = advantages[at]
	}
}

// credits returns the rows by tree, with their weights and merged.
func (g *group) credits(once bool) []Credit {
	for k, at := range g.place {
		if once {
			g.rows[k].Weight /= float64(g.count[at])
		}
	}
	merged := g.merge()
	out := make([]Credit, len(g.trees))
	row := 0
	for i, t := range g.trees {
		first, begin, end := row, g.base[i]+1, g.base[i]+max(len(t.Nodes), 1)
		for row < len(g.rows) && g.place[row] < end {
			row++
		}
		out[i].Copies = g.rows[first:row:row]
		for _, m := range merged[begin:end] {
			if once {
				m.Weight = 1
			}
			if m.Copies > 0 {
				out[i].Unique = append(out[i].Unique, m)
			}
		}
	}
	return out
}

// merge returns, by place, the rows of a step as one; without copies where there are none.
func (g *group) merge() []Row {
	merged := make([]Row, len(g.nodes))
	order, start := grouped(g.place, len(g.nodes))
	var copies []Row
	for at := range merged {
		copies = copies[:0]
		for _, k := range order[start[at]:start[at+1]] {
			copies = append(copies, g.rows[k])
		}
		if len(copies) > 0 {
			merged[at] = Merge(copies)
		}
	}
	return merged
}
