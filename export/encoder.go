package export

import (
	"slices"

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
	weight    sparkd.Sum    // of the group's trained tokens
	done      chan struct{} // receives once a group is encoded

	path       path        // of steps
	walk       walk        // of sequences
	candidates []candidate // for the pairs of the group
	gathered   []sample    // for the line of the group
}

// creditedTree is a tree with what an estimator made of it.
type creditedTree struct {
	*sparkd.Tree
	o         *Options
	task, uid string // "env/split/index", and with the rollout before it: the group
	place     int    // in the group, of the first trajectory that ended
	chosen    bool   // the filter lets it be written
	keep      []bool // by node: it ends a trajectory of the export
	copies    []step // of all trajectories that ended, see copies
	merged    []step // one a node, of format tree
}

// encode leaves the group's lines in e.out.b and their counts in e.m, or an error in e.err.
func (e *encoder) encode(group []*sparkd.Tree) {
	e.out = buffer{b: e.out.b[:0], o: &e.o}
	e.m = Manifest{}
	e.weight = sparkd.Sum{}
	e.err, e.candidates, e.gathered = nil, e.candidates[:0], e.gathered[:0]
	compared, chosen := e.selected(group)
	if e.err != nil || !slices.Contains(chosen, true) {
		return
	}
	credits, err := e.credits(compared)
	if advantage.Undefined(err) {
		reason := e.o.Advantage + ": " + advantage.Reason(err)
		e.m.omit("group", reason, sparkd.AsError(err).Remedy, compared[0].ID)
		return
	}
	if e.err = err; err != nil {
		return
	}
	before := e.m.clone()
	e.m.Groups++
	e.write(compared, chosen, credits)
	e.m.Weight = e.weight.Value()
	if e.out.infinite { // a product of finite numbers; what a tree holds itself was looked at
		e.out.b, e.m, e.err = e.out.b[:0], before, nil
		reason := sparkd.AsError(e.out.err).Message
		e.m.omit("group", reason, "re-score the tree, or lower reward_scale", compared[0].ID)
	}
}

// credits are those of the estimator: of advantages that no line has none are computed, which may be undefined.
func (e *encoder) credits(group []*sparkd.Tree) ([]advantage.Credit, error) {
	if e.format.unestimated {
		return e.estimator.Weights(group), nil
	}
	return e.estimator.Estimate(group)
}

// write appends the lines of the chosen trees, then those of their group.
func (e *encoder) write(group []*sparkd.Tree, chosen []bool, credits []advantage.Credit) {
	place := 0
	for i, t := range group {
		credited := e.credited(t, credits[i], chosen[i])
		credited.place, place = place, place+len(t.Ended())
		e.format.lines.tree(e, credited)
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

// selected returns the trees of a group that are compared, and which of them the filter lets be written. A damaged
// tree is in nobody's way once the filter leaves it out.
func (e *encoder) selected(group []*sparkd.Tree) (compared []*sparkd.Tree, chosen []bool) {
	f := &e.o.Filter
	for _, t := range group {
		condition, err := f.named(t), intact(t)
		if condition == "" && err != nil {
			e.err = err
			return nil, nil
		}
		if condition == "" {
			condition = f.sampled(t)
		}
		if condition != "" {
			e.m.omit("tree", "filter "+condition, "", t.ID)
		}
		if err == nil {
			compared, chosen = append(compared, t), append(chosen, condition == "")
		}
	}
	if f.Mixed != nil && slices.Contains(chosen, true) && mixed(compared) != *f.Mixed {
		e.m.omit("group", "filter mixed", "", compared[0].ID)
		return nil, nil
	}
	return compared, chosen
}

// mixed reports whether two trajectories of a group differ in their return.
func mixed(group []*sparkd.Tree) bool {
	var least, most *sparkd.Amount
	for _, t := range group {
		for _, n := range t.Ended() {
			r := t.Earned(n.ID)
			if least == nil || r.Value < least.Value {
				least = &r
			}
			if most == nil || r.Value > most.Value {
				most = &r
			}
		}
	}
	return least != nil && least.Compare(*most) != 0
}

// credited returns a tree with its credit, and counts what is in the export of it.
func (e *encoder) credited(t *sparkd.Tree, credit advantage.Credit, chosen bool) *creditedTree {
	task := t.Task.String()
	keep := make([]bool, len(t.Nodes))
	if chosen {
		e.keep(t, keep)
	}
	steps := copies(t, credit, keep)
	e.count(t, steps)
	return &creditedTree{Tree: t, o: &e.o, task: task, uid: t.Rollout + "/" + task,
		chosen: chosen, keep: keep, copies: steps}
}

// keep notes which leaves are of trajectories in the export, and counts the others.
func (e *encoder) keep(t *sparkd.Tree, keep []bool) {
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
		} else if condition := e.o.Filter.trajectory(n.Outcome, t.Earned(id)); condition != "" {
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
}

// count counts the steps of the trajectories that are kept.
func (e *encoder) count(t *sparkd.Tree, steps []step) {
	seen := make([]bool, len(t.Nodes))
	for i := range steps {
		n := t.Nodes[steps[i].Node]
		if !steps[i].kept {
			continue
		}
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
	e.weight.Add(s.Weight * float64(s.To-s.From))
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
