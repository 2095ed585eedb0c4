package reward

import (
	"math"
	"strconv"

	"sparkd"
	"sparkd/internal/excerpt"
	"sparkd/internal/jsonlines"
)

// trajectory is a line that the rule reads.
type trajectory struct {
	ID      string         `json:"id"` // "tree:leaf"
	Rollout string         `json:"rollout"`
	Tree    string         `json:"tree"`
	Task    string         `json:"task"` // "env/split/index"
	Leaf    int            `json:"leaf"`
	Goal    string         `json:"goal"`
	Opening string         `json:"opening"` // text of the opening context
	Steps   []step         `json:"steps"`
	Return  float64        `json:"return"` // sum of the environment's rewards
	Length  int            `json:"length"` // steps
	Outcome sparkd.Outcome `json:"outcome"`
	Success bool           `json:"success"`
}

type step struct {
	Node        int            `json:"node"`
	Output      string         `json:"output"` // what the model wrote
	Action      string         `json:"action"`
	Observation string         `json:"observation"`
	Reward      float64        `json:"reward"` // the environment's, of this step
	Valid       bool           `json:"valid"`
	Admissible  bool           `json:"admissible"`
	Outcome     sparkd.Outcome `json:"outcome"`
}

// answer is a line that the rule writes.
type answer struct {
	id      string
	whole   bool      // there is a reward
	reward  float64   // of the trajectory
	rewards []float64 // of its steps
}

func uid(t *sparkd.Tree, leaf *sparkd.Node) string { return t.ID + ":" + strconv.Itoa(leaf.ID) }

func trajectoryOf(t *sparkd.Tree, end *sparkd.Node) trajectory {
	line := trajectory{
		ID: uid(t, end), Rollout: t.Rollout, Tree: t.ID, Task: t.Task.String(), Leaf: end.ID,
		Goal: t.Goal, Opening: text(t.Nodes[0], sparkd.SourcePrompt), Return: t.Return(end.ID), Length: end.Depth,
		Outcome: end.Outcome, Success: end.Outcome == sparkd.OutcomeSuccess,
	}
	for _, n := range t.Path(end.ID)[1:] {
		line.Steps = append(line.Steps, step{
			Node: n.ID, Output: text(n, sparkd.SourceModel), Action: n.Action,
			Observation: text(n, sparkd.SourceEnv), Reward: n.Reward,
			Valid: n.Valid, Admissible: n.Admissible, Outcome: n.Outcome,
		})
	}
	return line
}

// text returns what one source wrote in a node.
func text(n *sparkd.Node, source sparkd.Source) string {
	s := ""
	for i := range n.Spans {
		if n.Spans[i].Source == source {
			s += n.Spans[i].Text
		}
	}
	return s
}

// parse reads the answer for the trajectory that ends at leaf; nil is a line that was too
// long. JSON has no NaN and no infinity, and numbers beyond a float64 are refused.
func parse(line []byte, t *sparkd.Tree, leaf *sparkd.Node) (answer, error) {
	var a answer
	if line == nil {
		return a, invalid(protocol, "the rule wrote a line of more than %d bytes", maxLine)
	}
	f := jsonlines.FieldsOf("answer", line)
	f.Read("id", &a.id)
	a.whole = !f.Null("reward") && f.Read("reward", &a.reward)
	steps := !f.Null("rewards") && f.Read("rewards", &a.rewards)
	id := uid(t, leaf)
	switch err := f.End(); {
	case err != nil:
		return a, invalid(protocol+"; numbers must be finite", "the rule wrote a line, but %v: %s", err,
			excerpt.Line(line))
	case a.id != id:
		return a, invalid(protocol+", in the same order",
			"the rule answered %s where %q is next", excerpt.Line([]byte(a.id)), id)
	case !a.whole && !steps:
		return a, invalid(protocol, "the rule gave %q neither reward nor rewards", id)
	case steps:
		return a, a.checkRewards(id, leaf.Depth)
	}
	return a, nil
}

// checkRewards checks the rewards of single steps: one each, and a sum that is a number and that of the trajectory.
func (a *answer) checkRewards(id string, steps int) error {
	if len(a.rewards) != steps {
		return invalid("answer one reward for each of its steps, or reward alone",
			"the rule gave %q %d rewards for %d steps", id, len(a.rewards), steps)
	}
	sum, size := 0.0, 0.0
	for _, r := range a.rewards {
		sum += r
		size += math.Abs(r)
	}
	if math.IsInf(size, 0) {
		return invalid("answer smaller numbers", "the rule gave %q rewards whose sum is too large", id)
	}
	if a.whole && math.Abs(a.reward-sum) > 1e-9*size {
		return invalid("leave reward out, or make it the sum of rewards",
			"the rule gave %q a reward of %v, and rewards whose sum is %v", id, a.reward, sum)
	}
	return nil
}

const oneReward = "let the reward of a step depend on the steps up to it alone, " +
	"or answer reward instead of rewards"

// apply returns t with the rewards of the answers, one for each of the leaves. A step that
// trajectories share has one reward, on which they must agree.
func apply(t *sparkd.Tree, leaves []*sparkd.Node, answers []answer) (*sparkd.Tree, error) {
	out := *t
	out.Nodes = make([]*sparkd.Node, len(t.Nodes))
	for i, n := range t.Nodes {
		c := *n
		c.Reward = 0
		out.Nodes[i] = &c
	}
	given := make([]bool, len(t.Nodes))
	for i, leaf := range leaves {
		a := answers[i]
		path := out.Path(leaf.ID)[1:]
		for k, n := range path {
			r := 0.0
			switch {
			case a.rewards != nil:
				r = a.rewards[k]
			case k == len(path)-1:
				r = a.reward
			}
			if given[n.ID] && r != n.Reward {
				return nil, invalid(oneReward,
					"tree %s: the rule gave step %d, which trajectories share, rewards of %v and %v",
					t.ID, n.ID, n.Reward, r)
			}
			n.Reward, given[n.ID] = r, true
		}
	}
	return &out, nil
}
