package export

import (
	"strconv"

	"sparkd"
	"sparkd/branching/advantage"
)

// encoder turns the trees of one task into lines. It is used by one goroutine at a
// time and keeps its buffers from group to group.
type encoder struct {
	o         Options
	format    *format
	estimator advantage.Estimator
	line      line // all lines of the group
	m         Manifest
	err       error

	uid, task  string  // of the current tree
	names      line    // what all lines of the current tree begin with; formats tree and rows
	trajectory int     // the current one's place in the group
	path       path    // formats of steps
	walk       walk    // formats of sequences
	atropos    atropos // format atropos
	before     []piece // formats of preferences: the prompt
	rivalry    []candidate
}

// encode leaves the group's lines in e.line.b and their counts in e.m, or an error in
// e.err.
func (e *encoder) encode(group []*sparkd.Tree) {
	e.line.b, e.line.err, e.path.fields.err, e.err = e.line.b[:0], nil, nil, nil
	e.m.reset()
	e.trajectory, e.rivalry = 0, e.rivalry[:0]
	for _, t := range group {
		if e.err = intact(t); e.err != nil {
			return
		}
	}
	group = e.selected(group)
	if len(group) == 0 {
		return
	}
	credits, err := e.estimator.Estimate(group)
	if advantage.Undefined(err) {
		e.m.leave("group", e.o.Advantage+": "+advantage.Reason(err), sparkd.AsError(err).Remedy, group[0].ID)
		return
	}
	if e.err = err; err != nil {
		return
	}
	e.m.Groups++
	for i, credit := range credits {
		e.name(group[i])
		e.credit(group[i], credit)
		for _, err := range []error{e.line.err, e.path.fields.err} {
			if err != nil {
				e.err = damaged(group[i], err)
				return
			}
		}
	}
	e.endGroup()
}

// selected returns the trees of a group that the filter keeps.
func (e *encoder) selected(group []*sparkd.Tree) []*sparkd.Tree {
	f := &e.o.Filter
	var kept []*sparkd.Tree
	for _, t := range group {
		if condition := f.tree(t); condition != "" {
			e.m.leave("tree", "filter "+condition, "", t.ID)
			continue
		}
		kept = append(kept, t)
	}
	if f.Mixed != nil && len(kept) > 0 && mixed(kept) != *f.Mixed {
		e.m.leave("group", "filter mixed", "", kept[0].ID)
		return nil
	}
	return kept
}

// mixed reports whether two trajectories of a group differ in their return.
func mixed(group []*sparkd.Tree) bool {
	first, any := 0.0, false
	for _, t := range group {
		for _, id := range t.Leaves() {
			if t.Nodes[id].Outcome == sparkd.OutcomeNone {
				continue
			}
			r := t.Return(id)
			if any && r != first {
				return true
			}
			first, any = r, true
		}
	}
	return false
}

// credit appends the lines of one tree.
func (e *encoder) credit(t *sparkd.Tree, credit advantage.Credit) {
	keep := e.ended(t)
	steps := copies(t, credit, keep)
	e.count(t, steps)
	switch {
	case e.format.tree != nil:
		e.format.tree(e, t, steps)
	case e.format.step != nil:
		e.rows(t, e.o.dedupe(t, steps, e.format.whole))
	default:
		e.sequences(t, keep, e.o.dedupe(t, steps, false))
	}
}

// ended returns which leaves are of trajectories in the export, and counts the others.
func (e *encoder) ended(t *sparkd.Tree) []bool {
	keep := make([]bool, len(t.Nodes))
	if len(t.Nodes) == 0 {
		e.m.leave("tree", "it failed before its opening: "+code(t.Error), "", t.ID)
	}
	for _, n := range t.Nodes {
		if n.Failed() {
			e.m.leave("branch", "it broke: "+code(n.Error), "", t.ID)
		}
	}
	kept := 0
	for _, id := range t.Leaves() {
		n := t.Nodes[id]
		if n.Outcome == sparkd.OutcomeNone {
			e.m.leave("trajectory", "it did not end", "", t.ID)
		} else if condition := e.o.Filter.trajectory(n.Outcome, t.Return(id)); condition != "" {
			e.m.leave("trajectory", "filter "+condition, "", t.ID)
		} else {
			keep[id] = true
			kept++
		}
	}
	e.m.Trajectories += kept
	if kept > 0 {
		e.m.Trees++
	}
	return keep
}

// count counts the steps of the trajectories that are kept.
func (e *encoder) count(t *sparkd.Tree, steps []step) {
	seen := make([]bool, len(t.Nodes))
	for i := range steps {
		n := t.Nodes[steps[i].Node]
		if seen[n.ID] {
			continue
		}
		seen[n.ID] = true
		e.m.Steps++
		e.m.sampled(n.PolicyVersion, 1)
		if !output(n).TokenExact {
			e.m.Inexact++
		}
	}
}

// sequences appends the lines of the trajectories of a tree, sequence by sequence.
func (e *encoder) sequences(t *sparkd.Tree, keep []bool, steps []step) {
	for leaf := range keep {
		if !keep[leaf] {
			continue
		}
		n := 0
		for n < len(steps) && steps[n].Leaf == leaf {
			n++
		}
		e.m.Idle += e.samples(t, leaf, steps[:n], e.sequence)
		steps = steps[n:]
		e.trajectory++
	}
}

// sequence appends the lines of one sequence, unless the format needs what it lacks.
func (e *encoder) sequence(s *sample) {
	switch {
	case e.format.logprobs && !s.known:
		e.m.leave("sequence", e.format.name+" needs logprobs and the engine gave none",
			"use an engine that reports them, or another format: rows, verl, trl-sft …", s.tree.ID)
		return
	case e.format.messages && !s.told():
		e.m.leave("sequence", "its prompt does not say where its messages stand", noTurns, s.tree.ID)
		return
	}
	if e.format.agreed {
		s.agreed(e.sample)
		return
	}
	e.sample(s)
}

// sample appends and counts the line of one sample.
func (e *encoder) sample(s *sample) {
	for i := range s.pieces {
		p := &s.pieces[i]
		e.m.Tokens += len(p.tokens)
		if p.trained {
			e.m.TrainedTokens += len(p.tokens)
			e.m.Weight += p.weight * float64(len(p.tokens))
		}
	}
	e.format.sample(e, s)
}

// endGroup appends what is made of a whole group.
func (e *encoder) endGroup() {
	if e.format.group != nil {
		e.format.group(e)
	}
	switch n := len(e.rivalry); {
	case n > 1:
		e.pairs("group", e.rivalry, e.rivals)
	case n == 1:
		e.m.leave("group", advantage.ReasonOneTrajectory, "", e.rivalry[0].tree.ID)
	}
}

// end ends a line.
func (e *encoder) end() {
	e.line.b = append(e.line.b, '}', '\n')
	e.m.Lines++
}

// name encodes the fields that name a tree and stand in all its lines.
func (e *encoder) name(t *sparkd.Tree) {
	e.task = t.Task.String()
	e.uid = t.Rollout + "/" + e.task
	l := &e.names
	l.b = l.b[:0]
	l.str("tree", t.ID)
	l.str("rollout", t.Rollout)
	l.str("task", e.task)
	l.str("uid", e.uid)
}

// node appends "tree:node", which names a step, and a trajectory by its last step.
func (e *encoder) node(name string, t *sparkd.Tree, node int) {
	e.line.key(name)
	e.line.b = appendUID(e.line.b, t.ID, node)
}

// appendUID appends "tree:node".
func appendUID(b []byte, tree string, node int) []byte {
	b = appendString(b, tree)
	b[len(b)-1] = ':'
	return append(strconv.AppendInt(b, int64(node), 10), '"')
}
