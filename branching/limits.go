package branching

import "math"

// limits are the modifiers that say where a fork is not allowed; 0 is no limit. They hold for every policy, and
// for every reason to fork. Node 0 is no fork: how many roots there are is the budget's matter.
type limits struct {
	depth    int // no forks at or beyond it
	node     int // continuations of a node beyond its first
	path     int // forks between node 0 and a leaf
	coolDown int // steps after a fork that do not fork
}

// capacity returns how many more leaves may grow from a node: 0 where it is finished, at
// the last step, given up after failures, or where the limits forbid a fork.
func (v *view) capacity(id int) int {
	n, l := v.tree.Nodes[id], &v.limits
	switch {
	case n.Done || n.Failed() || n.Depth >= v.maxSteps || v.failures[id] >= MaxAttempts:
		return 0
	case id == 0:
		return math.MaxInt
	case l.depth > 0 && n.Depth >= l.depth:
		return 0
	case v.children[id] < 2 && !v.mayFork(id): // else it is a fork already
		return 0
	case l.node > 0:
		return l.node - (v.children[id] - 1)
	}
	return math.MaxInt
}

// mayFork reports whether a new fork at a node would keep those on every path through
// it few enough and far enough apart.
func (v *view) mayFork(id int) bool {
	l := &v.limits
	if l.path == 0 && l.coolDown == 0 {
		return true
	}
	if v.around == nil {
		v.around = v.survey()
	}
	s := v.around[id]
	return min(s.up, s.down) > l.coolDown && (l.path == 0 || s.above+1+s.below <= l.path)
}

// surroundings is how forks lie around a node.
type surroundings struct {
	above, below int // forks on the path to it, and the most on a path from it
	up, down     int // steps to the nearest of them
}

// survey returns the surroundings of every node, with the forks planned so far.
func (v *view) survey() []surroundings {
	out := make([]surroundings, len(v.children))
	const far = math.MaxInt / 2
	for id := range out {
		out[id].up, out[id].down = far, far
		if id == 0 {
			continue
		}
		p := v.tree.Nodes[id].Parent
		out[id].above, out[id].up = out[p].above, out[p].up+1
		if v.fork(p) {
			out[id].above, out[id].up = out[id].above+1, 1
		}
	}
	for id := len(out) - 1; id > 0; id-- { // children have higher ids
		p := &out[v.tree.Nodes[id].Parent]
		below, down := out[id].below, out[id].down+1
		if v.fork(id) {
			below, down = below+1, 1
		}
		p.below, p.down = max(p.below, below), min(p.down, down)
	}
	return out
}

func (v *view) fork(id int) bool { return id > 0 && v.children[id] > 1 }

// grew notes that k more continuations of a node are planned.
func (v *view) grew(id, k int) {
	before := v.fork(id)
	if v.children[id] += k; v.fork(id) != before {
		v.around = nil
	}
}
