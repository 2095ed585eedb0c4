package advantage

import (
	"cmp"
	"slices"
	"strings"

	"sparkd"
)

// Estimator computes advantages, as [New] makes it. Many goroutines can use it at once.
type Estimator struct {
	m *method
	o Options
}

// method is one way to estimate. Options lists those that not every estimator has.
type method struct {
	name    string
	run     func(*group)
	options []string
	scale   float64 // its own RewardScale
	alone   bool    // says something about fewer than two trajectories
	once    bool    // counts a shared step once in the loss, not once per trajectory
}

var (
	process = []string{"std", "process_rewards", "discount"}
	std     = []string{"std"}
)

var methods = []method{
	{name: "grpo", run: (*group).grpo, options: process, scale: 10, alone: true},
	{name: "drgrpo", run: (*group).drgrpo, options: process[1:], scale: 1},
	{name: "rloo", run: (*group).rloo, scale: 1},
	{name: "spark-rows", run: (*group).sparkRows, options: process, scale: 10, alone: true},
	{name: "spark-unique", run: (*group).sparkUnique, options: process, scale: 10, alone: true, once: true},
	{name: "tree-grpo", run: (*group).treeGRPO, options: std, scale: 1},
	{name: "arpo-hard", run: (*group).arpoHard, options: process, scale: 10},
	{name: "treerl", run: (*group).treeRL, options: []string{"leaf_value"}, scale: 1},
	{name: "treepo", run: (*group).treePO, options: []string{"weighting"}, scale: 1},
	{name: "at2po", run: (*group).at2PO, options: []string{"std", "value_mode", "advantage_mode"}, scale: 1},
	{name: "gigpo", run: (*group).giGPO, options: []string{"std", "discount", "norm", "step_weight"}, scale: 10},
	{name: "depth-norm", run: (*group).depthNorm, options: std, scale: 1, once: true},
	{name: "sibling", run: (*group).sibling, scale: 1, once: true},
}

// Names lists the estimators that New knows.
func Names() []string {
	names := make([]string, len(methods))
	for i := range methods {
		names[i] = methods[i].name
	}
	return names
}

// New returns an estimator by name, or an error of code invalid that names the option at fault.
func New(name string, o Options) (Estimator, error) {
	i := slices.IndexFunc(methods, func(m method) bool { return m.name == name })
	if i < 0 {
		known := "one of " + strings.Join(Names(), ", ")
		return Estimator{}, sparkd.Invalid("advantage", known, "unknown estimator %q", name)
	}
	m := &methods[i]
	if field := o.unused(m); field != "" {
		has := "it has none of its own"
		if len(m.options) > 0 {
			has = "its own are " + strings.Join(m.options, ", ")
		}
		return Estimator{}, sparkd.Invalid(field, "leave it out; "+has, "%s has no option %s", name, field)
	}
	if o.Discount != 0 && !o.ProcessRewards && slices.Contains(m.options, "process_rewards") {
		return Estimator{}, sparkd.Invalid("discount", "set process_rewards too, or leave it out",
			"%s discounts process rewards only", name)
	}
	o.complete(m)
	return Estimator{m, o}, o.validate()
}

// Name returns the name that New was given.
func (e Estimator) Name() string { return e.m.name }

// Options returns the options in use: zero values are replaced by the estimator's own.
func (e Estimator) Options() Options { return e.o }

// Estimate returns the credit of every tree of one group, in the order of trees. A group is all trees of one task
// in one rollout, usually a single tree; a trajectory's peers are those of the whole group.
//
// Where the estimator says nothing about the group it returns an error of code invalid for which [Undefined]
// holds: fewer than two trajectories ended (grpo and spark-* cover that), an entropy is missing, or rewards are
// too large to compare. Node ids must be in order of creation, as trees have them.
func (e Estimator) Estimate(trees []*sparkd.Tree) ([]Credit, error) {
	g := join(trees, e.o)
	if n := len(g.paths); n < 2 && !e.m.alone {
		return nil, g.tooFew(e.m.name, n)
	}
	e.m.run(g)
	if err := cmp.Or(g.err, g.finite()); err != nil {
		return nil, err
	}
	return g.credits(e.m.once), nil
}

// Weights returns the same without advantages, for whoever writes none: it is defined on every group.
func (e Estimator) Weights(trees []*sparkd.Tree) []Credit { return join(trees, e.o).credits(e.m.once) }
