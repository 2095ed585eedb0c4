package branching

import (
	"sparkd"
)

// chain appends a finished root trajectory of so many steps and returns its leaf.
func chain(t *sparkd.Tree, steps int, o sparkd.Outcome) *sparkd.Node {
	n := t.Nodes[0]
	for i := range steps {
		n = step(t, n.ID, "")
		n.Decision = sparkd.Decision{K: 1, Reason: []string{"root", "linear"}[min(i, 1)]}
	}
	t.Round++
	return finish(n, o)
}

// branch appends a finished trajectory of so many steps that was grown from a node for a
// reason.
func branch(t *sparkd.Tree, from, steps int, reason string, o sparkd.Outcome) *sparkd.Node {
	t.Round++
	n := t.Nodes[from]
	for i := range steps {
		n = step(t, n.ID, "")
		n.Decision.Reason = []string{reason, "linear"}[min(i, 1)]
	}
	return finish(n, o)
}

// finish ends a trajectory; a success has reward 1.
func finish(n *sparkd.Node, o sparkd.Outcome) *sparkd.Node {
	n.Done, n.Outcome, n.Reward = true, o, 0
	if o == sparkd.OutcomeSuccess {
		n.Reward = 1
	}
	return n
}

// said gives a step tokens with these logprobs.
func said(n *sparkd.Node, logprobs ...float32) {
	tokens := make([]sparkd.Token, len(logprobs))
	n.Spans = []sparkd.Span{{Source: sparkd.SourceModel, Tokens: tokens, Logprobs: logprobs}}
}

const (
	success = sparkd.OutcomeSuccess
	failure = sparkd.OutcomeFailure
)
