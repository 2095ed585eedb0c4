package export

import "sparkd"

// row is what a line of a step is made of.
type row struct {
	step
	tree   *creditedTree
	node   *sparkd.Node
	output *sparkd.Span // of the node
	at     *pathStep    // the node on the path of the trajectory
	ids    []byte       // of that path

	prompt, response int // where the response's ids begin and end, in ids

	context, completion []piece // of a labelled step: its prompt and its output
}

// steps are lines of one row each: by trajectory, then along its path, each step after the steps that it follows.
func steps(line fields[*row]) lines {
	return perTree(line, func(e *encoder, t *creditedTree, write func(*row)) {
		e.rows(t, e.o.dedupe(t.Tree, t.copies, false), write, func(*row) bool { return true })
	})
}

// labelledSteps are steps as preference data: whole ones, whose messages are known and
// whose trajectories do not contradict each other.
func labelledSteps(line fields[*row]) lines {
	return perTree(line, func(e *encoder, t *creditedTree, write func(*row)) {
		e.rows(t, e.o.dedupe(t.Tree, t.copies, true), write, e.labelled)
	})
}

// rows appends the lines of steps that keep keeps.
func (e *encoder) rows(t *creditedTree, steps []step, write func(*row), keep func(*row) bool) {
	p := &e.path
	p.reset()
	for i := range steps {
		s := &steps[i]
		if i == 0 || s.Leaf != steps[i-1].Leaf {
			if err := p.follow(t.Tree, s.Leaf); err != nil {
				e.out.err = err
				return
			}
		}
		n := t.Nodes[s.Node]
		at := &p.steps[n.Depth]
		r := row{step: *s, tree: t, node: n, output: output(n), at: at, ids: p.ids,
			prompt: p.response(at, s.From), response: p.response(at, s.To)}
		if !keep(&r) {
			continue
		}
		write(&r)
		e.m.Tokens += at.tokens + s.To
		e.trained(s)
	}
}

func (r *row) credited() *creditedTree         { return r.tree }
func (r *row) nodeOf() *sparkd.Node            { return r.node }
func (r *row) trajectory() (*sparkd.Tree, int) { return r.tree.Tree, r.Leaf }
func (r *row) nodeUID() (*sparkd.Tree, int)    { return r.tree.Tree, r.Node }
func (r *row) uidOf() string                   { return r.tree.uid }
func (r *row) anchor() string                  { return r.tree.Nodes[r.node.Parent].ObsHash }
func (r *row) reward() float64                 { return r.node.Reward }
func (r *row) advantageOf() float64            { return r.Advantage }
func (r *row) weightOf() float64               { return r.Weight }
func (r *row) length() int                     { return r.To - r.From }
func (r *row) appendPrompt(b []byte) []byte    { return append(b, r.ids[r.at.begin:r.prompt]...) }
func (r *row) appendResponse(b []byte) []byte  { return append(b, r.ids[r.prompt:r.response]...) }

// part returns the numbers of the response's tokens, nil where there are none.
func (r *row) part(numbers []float32) []float32 {
	if numbers == nil {
		return nil
	}
	return numbers[r.From:r.To]
}
