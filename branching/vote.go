package branching

import (
	"cmp"
	"slices"
	"strings"

	"sparkd"
)

// Ballot is the result of a vote over the leaves of a tree.
type Ballot struct {
	Leaf   int    `json:"leaf"`   // the trajectory that wins
	Answer string `json:"answer"` // its last action
	Votes  int    `json:"votes"`  // leaves with this answer
	Of     int    `json:"of"`     // leaves that voted
	Reason string `json:"reason"` // what decided: "majority", "plurality", "confidence", "fewer steps" or "node id"
}

// voter is a leaf that votes.
type voter struct {
	*sparkd.Node
	answer     string
	confidence float64
}

// Vote chooses one trajectory of a tree that was grown to act, not to train, by majority (best-of, the test-time
// branching of SPARK, arXiv 2601.20209). No reward and no success counts: at test time there is none.
//
// Every leaf whose episode the environment ended votes for its last action, spaces and case aside; leaves that ran
// out of steps, context or budget answered nothing and vote only where no other leaf does. The action with the
// most votes wins, and of its leaves the one of the highest confidence: the mean logprob of all tokens it sampled.
// Where actions have equally many votes the confidence of their best leaves decides, then the fewer steps, then
// the lower node id. A tree without a finished trajectory is an error.
func Vote(t *sparkd.Tree) (Ballot, error) {
	voters := voters(t)
	if len(voters) == 0 {
		return Ballot{}, sparkd.Invalid("tree", "vote when one has", "no trajectory of the tree has ended")
	}
	return count(voters), nil
}

func voters(t *sparkd.Tree) []voter {
	var answered, cut []voter
	for _, n := range t.Ended() {
		v := voter{n, strings.ToLower(strings.Join(strings.Fields(n.Action), " ")), confidence(t, n)}
		if n.Outcome == sparkd.OutcomeSuccess || n.Outcome == sparkd.OutcomeFailure {
			answered = append(answered, v)
		} else {
			cut = append(cut, v)
		}
	}
	if len(answered) > 0 {
		return answered
	}
	return cut
}

func count(voters []voter) Ballot {
	slices.SortFunc(voters, func(a, b voter) int {
		return cmp.Or(cmp.Compare(b.confidence, a.confidence), cmp.Compare(a.Depth, b.Depth), cmp.Compare(a.ID, b.ID))
	})
	var answers [][]voter // by the best of their voters, who is first
	for _, v := range voters {
		i := slices.IndexFunc(answers, func(a []voter) bool { return a[0].answer == v.answer })
		if i < 0 {
			i = len(answers)
			answers = append(answers, nil)
		}
		answers[i] = append(answers[i], v)
	}
	slices.SortStableFunc(answers, func(a, b []voter) int { return cmp.Compare(len(b), len(a)) })
	first := answers[0]
	return Ballot{
		Leaf: first[0].ID, Answer: first[0].Action,
		Votes: len(first), Of: len(voters), Reason: decided(answers, len(voters)),
	}
}

// decided says what made the first answer win.
func decided(answers [][]voter, voters int) string {
	first := answers[0]
	switch {
	case 2*len(first) > voters:
		return "majority"
	case len(answers) == 1 || len(answers[1]) < len(first):
		return "plurality"
	case first[0].confidence > answers[1][0].confidence:
		return "confidence"
	case first[0].Depth < answers[1][0].Depth:
		return "fewer steps"
	}
	return "node id"
}

// confidence returns the mean logprob of the tokens sampled on the path to a leaf, 0 where the engine reported none.
func confidence(t *sparkd.Tree, leaf *sparkd.Node) float64 {
	var sum sparkd.Sum
	n := 0
	for _, step := range t.Path(leaf.ID)[1:] {
		for _, l := range step.KnownLogprobs() {
			sum.Add(float64(l))
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum.Over(float64(n))
}
