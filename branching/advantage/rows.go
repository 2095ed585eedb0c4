package advantage

import "sparkd"

// Estimators that compare the rows of single steps.

// sparkRows compares the scores of all rows of the group, a shared step counted once per
// trajectory, so that long trajectories and shared prefixes weigh more. This is what
// SPARK's scripts run (core_spark.py). A lone row has mean 0 and deviation 1.
func (g *group) sparkRows() {
	for k, a := range g.contrast(true).of(g.scores(), nil, 1) {
		g.rows[k].Advantage = a.Value
	}
}

// sparkUnique is the same after merging the copies of a step into their mean score, SPARK's env.unique=True.
func (g *group) sparkUnique() {
	scores := g.scores()
	order, start := grouped(g.place, len(g.nodes))
	var steps []int // places of those that a trajectory takes
	var merged []sparkd.Amount
	for at := range g.nodes {
		if rows := order[start[at]:start[at+1]]; len(rows) > 0 {
			steps = append(steps, at)
			merged = append(merged, sparkd.Mean(len(rows), func(i int) sparkd.Amount { return scores[rows[i]] }))
		}
	}
	out := make([]float64, len(g.nodes))
	for i, a := range g.contrast(true).of(merged, nil, 1) {
		out[steps[i]] = a.Value
	}
	g.credit(out)
}

// scores sets the rows' scores and returns them: the trajectory's return or, with process
// rewards, what it earned from the step on; less the penalty.
func (g *group) scores() []sparkd.Amount {
	out := make([]sparkd.Amount, len(g.rows))
	for k, path := range g.of {
		out[k] = g.returns[path]
	}
	if g.ProcessRewards {
		g.future(out)
	}
	g.penalise(out)
	for k := range g.rows {
		g.rows[k].Score = out[k].Value
	}
	return out
}

// penalise takes off x, by row, what a step loses for its format.
func (g *group) penalise(x []sparkd.Amount) {
	penalty := sparkd.Given(g.InvalidPenalty)
	for k, at := range g.place {
		if !g.nodes[at].Valid {
			x[k] = x[k].Minus(penalty)
		}
	}
}

// future sets out, by row, to the discounted rewards from the step on, scaled.
func (g *group) future(out []sparkd.Amount) {
	for k, at := range g.place {
		out[k] = sparkd.Given(g.nodes[at].Reward).Times(g.RewardScale)
	}
	g.fromStepOn(out)
}

// giGPO is GiGPO (arXiv 2505.10978; core_gigpo.py): what spark-rows does, plus ω times
// the discounted rewards from the step on compared among all steps of the group that
// answer the same observation. A step whose observation is nobody else's adds 0.
func (g *group) giGPO() {
	episode := g.contrast(true)
	if g.Norm == "mean_norm" {
		episode.std = ""
	}
	step := episode
	step.raw = false
	advantages := episode.of(g.scores(), nil, 1)
	future := make([]sparkd.Amount, len(g.rows))
	g.future(future)
	g.penalise(future)
	anchors, n := g.anchors()
	for k, a := range step.of(future, anchors, n) {
		g.rows[k].Advantage = advantages[k].Value + g.StepWeight*a.Value
	}
}

// anchors numbers, by row, the observations that the steps answer; equal ones have the
// same number. An observation without a hash equals itself only.
func (g *group) anchors() (byRow []int, n int) {
	numbers := map[any]int{} // by hash, or by place
	byRow = make([]int, len(g.rows))
	for k, at := range g.place {
		var key any = g.parent[at]
		if hash := g.nodes[g.parent[at]].ObsHash; hash != "" {
			key = hash
		}
		number, known := numbers[key]
		if !known {
			number = len(numbers)
			numbers[key] = number
		}
		byRow[k] = number
	}
	return byRow, len(numbers)
}
