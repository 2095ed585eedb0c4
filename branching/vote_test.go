package branching

import (
	"testing"

	"sparkd"
)

func TestVote(t *testing.T) {
	type leaf struct {
		action  string
		steps   int
		outcome sparkd.Outcome
		logprob float32
	}
	for name, tt := range map[string]struct {
		leaves []leaf
		want   Ballot
	}{
		"majority, by the surer leaf": {
			[]leaf{{"put mug", 2, failure, -.5}, {"Put  mug", 3, failure, -.1}, {"look", 1, success, 0}},
			Ballot{Leaf: 5, Answer: "Put  mug", Votes: 2, Of: 3, Reason: "majority"}},
		"plurality": {[]leaf{{"a", 1, failure, -1}, {"a", 1, failure, -1}, {"b", 1, failure, 0}, {"c", 1, failure, 0}},
			Ballot{Leaf: 1, Answer: "a", Votes: 2, Of: 4, Reason: "plurality"}},
		"a tie goes to the surer": {[]leaf{{"a", 1, success, -.5}, {"b", 1, failure, -.2}},
			Ballot{Leaf: 2, Answer: "b", Votes: 1, Of: 2, Reason: "confidence"}},
		"then to the shorter": {[]leaf{{"a", 2, failure, -.5}, {"b", 1, failure, -.5}},
			Ballot{Leaf: 3, Answer: "b", Votes: 1, Of: 2, Reason: "fewer steps"}},
		"then to the first": {[]leaf{{"b", 1, failure, 0}, {"a", 1, success, 0}},
			Ballot{Leaf: 1, Answer: "b", Votes: 1, Of: 2, Reason: "node id"}},
		"who was cut off does not vote": {
			[]leaf{{"a", 1, sparkd.OutcomeStepLimit, 0}, {"a", 1, sparkd.OutcomeBudget, 0}, {"b", 1, failure, -2}},
			Ballot{Leaf: 3, Answer: "b", Votes: 1, Of: 1, Reason: "majority"}},
		"unless all were": {[]leaf{{"a", 1, sparkd.OutcomeStepLimit, 0}, {"a", 1, sparkd.OutcomeContext, -1}},
			Ballot{Leaf: 1, Answer: "a", Votes: 2, Of: 2, Reason: "majority"}},
	} {
		tree := leaves()
		for _, l := range tt.leaves {
			n := chain(tree, l.steps, l.outcome)
			n.Action = l.action
			for _, step := range tree.Path(n.ID)[1:] {
				said(step, l.logprob)
			}
		}
		if got, err := Vote(tree); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tt.want)
		}
	}
	if _, err := Vote(leaves("", "")); sparkd.CodeOf(err) != sparkd.CodeInvalid {
		t.Errorf("a tree without an end: %v", err)
	}
}
