package advantage

import "sparkd"

// Alone returns the advantage of every node of a tree that is alone in its group, 0 for nodes without one; a step that
// several trajectories share has the mean of its copies. It is nil where the estimator is undefined on the tree, for
// one that has a single trajectory for example. An unknown estimator is an error that lists the known ones.
func Alone(t *sparkd.Tree, estimator string) ([]float64, error) {
	e, err := New(estimator, DefaultOptions())
	if err != nil {
		return nil, err
	}
	credit, err := e.Estimate([]*sparkd.Tree{t})
	if Undefined(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(t.Nodes))
	for _, row := range credit[0].Unique {
		out[row.Node] = row.Advantage
	}
	return out, nil
}
