package export

import (
	"sparkd"
	"sparkd/branching/advantage"
)

// encoder turns the trees of one task into lines. It is used by one goroutine at a
// time and keeps its buffers from group to group.
type encoder struct {
	o         Options
	format    *format
	estimator advantage.Estimator
	out       buffer // all lines of the group
	m         Manifest
	err       error
	done      chan struct{} // receives once a group is encoded

	trajectories int         // of the group that were written before
	path         path        // of steps
	walk         walk        // of sequences
	candidates   []candidate // for the pairs of the group
	gathered     []sample    // for the line of the group
}

// creditedTree is a tree with what an estimator made of it.
type creditedTree struct {
	*sparkd.Tree
	o         *Options
	task, uid string // "env/split/index", and with the rollout before it: the group
	keep      []bool // by node: it ends a trajectory of the export
	copies    []step // of these trajectories, see copies
	merged    []step // one a node, of format tree
}

// encode leaves the group's lines in e.out.b and their counts in e.m, or an error in e.err.
func (e *encoder) encode(group []*sparkd.Tree) {
	e.out = buffer{b: e.out.b[:0], o: &e.o}
	e.m = Manifest{}
	e.err, e.trajectories, e.candidates, e.gathered = nil, 0, e.candidates[:0], e.gathered[:0]
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
		reason := e.o.Advantage + ": " + advantage.Reason(err)
		e.m.omit("group", reason, sparkd.AsError(err).Remedy, group[0].ID)
		return
	}
	if e.err = err; err != nil {
		return
	}
	e.m.Groups++
	e.write(group, credits)
}

// write appends the lines of trees, then those of their group.
func (e *encoder) write(group []*sparkd.Tree, credits []advantage.Credit) {
	for i, t := range group {
		e.format.lines.tree(e, e.credited(t, credits[i]))
		if e.out.err != nil {
			e.err = damaged(t, e.out.err)
			return
		}
	}
	if e.format.lines.group == nil {
		return
	}
	e.format.lines.group(e)
	if e.out.err != nil {
		e.err = damaged(group[0], e.out.err)
	}
}

// selected returns the trees of a group that the filter keeps.
func (e *encoder) selected(group []*sparkd.Tree) []*sparkd.Tree {
	f := &e.o.Filter
	var kept []*sparkd.Tree
	for _, t := range group {
		if condition := f.tree(t); condition != "" {
			e.m.omit("tree", "filter "+condition, "", t.ID)
			continue
		}
		kept = append(kept, t)
	}
	if f.Mixed != nil && len(kept) > 0 && mixed(kept) != *f.Mixed {
		e.m.omit("group", "filter mixed", "", kept[0].ID)
		return nil
	}
	return kept
}

// mixed reports whether two trajectories of a group differ in their return.
func mixed(group []*sparkd.Tree) bool {
	returns := map[float64]bool{}
	for _, t := range group {
		for _, n := range t.Ended() {
			returns[t.Return(n.ID)] = true
		}
	}
	return len(returns) > 1
}

// credited returns a tree with its credit, and counts what is in the export of it.
func (e *encoder) credited(t *sparkd.Tree, credit advantage.Credit) *creditedTree {
	task := t.Task.String()
	keep := e.ended(t)
	steps := copies(t, credit, keep)
	e.count(t, steps)
	return &creditedTree{Tree: t, o: &e.o, task: task, uid: t.Rollout + "/" + task, keep: keep, copies: steps}
}

// ended returns which leaves are of trajectories in the export, and counts the others.
func (e *encoder) ended(t *sparkd.Tree) []bool {
	keep := make([]bool, len(t.Nodes))
	switch {
	case len(t.Nodes) > 0:
	case t.State == sparkd.TreeCanceled:
		e.m.omit("tree", "it was canceled before its opening", "", t.ID)
	default:
		e.m.omit("tree", "it failed before its opening: "+code(t.Error), "", t.ID)
	}
	for _, n := range t.Nodes {
		if n.Failed() {
			e.m.omit("branch", "it broke: "+code(n.Error), "", t.ID)
		}
	}
	kept := 0
	for _, id := range t.Leaves() {
		n := t.Nodes[id]
		if n.Outcome == sparkd.OutcomeNone {
			e.m.omit("trajectory", "it did not end", "", t.ID)
		} else if condition := e.o.Filter.trajectory(n.Outcome, t.Return(id)); condition != "" {
			e.m.omit("trajectory", "filter "+condition, "", t.ID)
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
		if !seen[n.ID] {
			e.m.Steps++
			e.m.sampled(n.PolicyVersion, 1)
			if !output(n).TokenExact {
				e.m.Inexact++
			}
		}
		seen[n.ID] = true
	}
}

// trained counts the tokens of a step.
func (e *encoder) trained(s *step) {
	e.m.TrainedTokens += s.To - s.From
	e.m.Weight += s.Weight * float64(s.To-s.From)
}

// end ends a line.
func (e *encoder) end() {
	e.out.b = append(e.out.b, '\n')
	e.m.Lines++
}

// treeNames are the fields that name the tree of a line.
var treeNames = fields[*creditedTree]{
	{"tree", text(func(t *creditedTree) string { return t.ID }), "id of the tree (ULID)"},
	{"rollout", text(func(t *creditedTree) string { return t.Rollout }), "id of the rollout"},
	{"task", text((*creditedTree).taskOf), aboutTask},
	{"uid", text((*creditedTree).uidOf), aboutUID},
}

func (t *creditedTree) taskOf() string { return t.task }
func (t *creditedTree) uidOf() string  { return t.uid }

// What several formats say of fields that mean the same.
const (
	aboutTask    = `"env/split/index"`
	aboutGroup   = `the group: "rollout/env/split/index"`
	aboutUID     = `the group that advantages compare: "rollout/env/split/index"`
	aboutReturn  = "of the trajectory: sum of its rewards, in the environment's unit"
	aboutSuccess = "1 for outcome success, else 0"
	aboutVersion = "the weights that sampled"
	aboutAnchor  = "hash of the observation that the step answers (GiGPO's anchor state)"
	aboutMode    = `planning, else explore, else think, else the first tag; "" without tags`
)
