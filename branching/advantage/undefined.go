package advantage

import (
	"errors"
	"slices"

	"sparkd"
)

// Reasons why an estimator says nothing about a group.
const (
	ReasonNoTrajectory  = "no trajectory ended"
	ReasonOneTrajectory = "only one trajectory ended"
	ReasonNoEntropy     = "no entropy is known"
	ReasonOverflow      = "the rewards are too large to compare"
)

// undefined is the cause of such errors; its text is the reason.
type undefined string

func (u undefined) Error() string { return string(u) }

// Undefined reports whether err, of Estimate, is about its group alone: other groups can
// still be estimated, so that an export leaves the group out and counts it.
func Undefined(err error) bool { return Reason(err) != "" }

// Reason returns which of the reasons err stands for, "" when it is not Undefined.
func Reason(err error) string {
	var u undefined
	errors.As(err, &u)
	return string(u)
}

// refuse says that the estimator is undefined on a tree of the group.
func refuse(t *sparkd.Tree, reason, remedy, format string, args ...any) error {
	e := sparkd.Invalid("advantage", remedy, format, args...)
	if t != nil {
		e.Message = "tree " + t.ID + ": " + e.Message
	}
	e.Err = undefined(reason)
	return e
}

func (g *group) tooFew(estimator string, n int) error {
	if n == 0 {
		return refuse(g.tree(0), ReasonNoTrajectory, "leave the tree out",
			"%s compares trajectories, and none ended", estimator)
	}
	return refuse(g.tree(0), ReasonOneTrajectory, "use grpo, spark-rows or spark-unique, or grow more roots or leaves",
		"%s compares trajectories with each other, and only one ended", estimator)
}

// finite refuses rewards that are numbers, and whose sums or products are none. A reward
// that is no number itself is damage, and for others to find.
func (g *group) finite() error {
	if slices.ContainsFunc(g.nodes, func(n *sparkd.Node) bool { return n != nil && !sparkd.Finite(n.Reward) }) {
		return nil
	}
	for k := range g.rows {
		r := &g.rows[k]
		for _, x := range []struct {
			name  string
			value float64
		}{{"return", r.Return}, {"score", r.Score}, {"advantage", r.Advantage}} {
			if !sparkd.Finite(x.value) {
				return refuse(g.tree(g.place[k]), ReasonOverflow, "re-score the tree, or lower reward_scale",
					"its rewards are too large: the %s of node %d is %v", x.name, r.Node, x.value)
			}
		}
	}
	return nil
}
