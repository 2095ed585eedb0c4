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

// answer is what some leaves have in common: the action that ended them.
type answer struct {
	text   string
	leaves []*sparkd.Node
	best   *sparkd.Node
	score  float64 // confidence of best
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
	return count(t, voters), nil
}

// voters returns the leaves that vote, by id.
func voters(t *sparkd.Tree) []*sparkd.Node {
	var answered, cut []*sparkd.Node
	for _, id := range t.Leaves() {
		switch n := t.Nodes[id]; n.Outcome {
		case sparkd.OutcomeSuccess, sparkd.OutcomeFailure:
			answered = append(answered, n)
		case sparkd.OutcomeStepLimit, sparkd.OutcomeContext, sparkd.OutcomeBudget:
			cut = append(cut, n)
		}
	}
	if len(answered) > 0 {
		return answered
	}
	return cut
}

func count(t *sparkd.Tree, voters []*sparkd.Node) Ballot {
	var answers []*answer
	for _, n := range voters {
		text := strings.ToLower(strings.Join(strings.Fields(n.Action), " "))
		i := slices.IndexFunc(answers, func(a *answer) bool { return a.text == text })
		if i < 0 {
			i = len(answers)
			answers = append(answers, &answer{text: text})
		}
		a := answers[i]
		a.leaves = append(a.leaves, n)
		if c := confidence(t, n); a.best == nil || better(c, n, a.score, a.best) {
			a.best, a.score = n, c
		}
	}
	slices.SortStableFunc(answers, func(a, b *answer) int {
		switch {
		case len(a.leaves) != len(b.leaves):
			return cmp.Compare(len(b.leaves), len(a.leaves))
		case better(a.score, a.best, b.score, b.best):
			return -1
		}
		return 1
	})
	first := answers[0]
	return Ballot{
		Leaf: first.best.ID, Answer: first.best.Action,
		Votes: len(first.leaves), Of: len(voters), Reason: decided(answers, len(voters)),
	}
}

// decided says what made the first answer win.
func decided(answers []*answer, voters int) string {
	first := answers[0]
	switch {
	case 2*len(first.leaves) > voters:
		return "majority"
	case len(answers) == 1 || len(answers[1].leaves) < len(first.leaves):
		return "plurality"
	case first.score > answers[1].score:
		return "confidence"
	case first.best.Depth < answers[1].best.Depth:
		return "fewer steps"
	}
	return "node id"
}

// better compares two leaves by confidence, then by steps, then by id.
func better(c float64, n *sparkd.Node, than float64, m *sparkd.Node) bool {
	return cmp.Or(cmp.Compare(than, c), cmp.Compare(n.Depth, m.Depth), cmp.Compare(n.ID, m.ID)) < 0
}

// confidence returns the mean logprob of the tokens sampled on the path to a leaf, 0
// where the engine reported none.
func confidence(t *sparkd.Tree, leaf *sparkd.Node) float64 {
	sum, n := 0.0, 0
	for _, step := range t.Path(leaf.ID)[1:] {
		for _, l := range step.KnownLogprobs() {
			sum += float64(l)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}
