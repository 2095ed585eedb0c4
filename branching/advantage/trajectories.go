package advantage

import "sparkd"

// Estimators that compare whole trajectories, each counted once.

// grpo is GRPO with outcome supervision (arXiv 2402.03300): the return among those of the group, for all steps of
// a trajectory. A trajectory alone in its group is compared to nothing: 0. The format penalty is not used.
func (g *group) grpo() {
	g.compareReturns(g.contrast(false))
}

// drgrpo is GRPO without the division by the deviation (Dr. GRPO, arXiv 2503.20783).
func (g *group) drgrpo() {
	g.compareReturns(contrast{})
}

func (g *group) compareReturns(c contrast) {
	if g.ProcessRewards {
		g.compareSteps(c)
		return
	}
	g.pay(c.of(g.returns, nil, 1))
}

// compareSteps is GRPO with process supervision (arXiv 2402.03300 §4.1.3): the reward of
// every step is compared with those of all steps of all trajectories, and a step's
// advantage is the sum of that over the steps from it on, here discounted.
func (g *group) compareSteps(c contrast) {
	rewards := make([]sparkd.Amount, len(g.rows))
	for k, at := range g.place {
		rewards[k] = sparkd.Given(g.nodes[at].Reward).Times(g.RewardScale)
		g.rows[k].Score = rewards[k].Value
	}
	compared := c.of(rewards, nil, 1)
	g.fromStepOn(compared)
	for k := range g.rows {
		g.rows[k].Advantage = compared[k].Value
	}
}

// fromStepOn replaces every step's number, by row, by the discounted sum of those from it to the end of its trajectory.
func (g *group) fromStepOn(x []sparkd.Amount) {
	for _, p := range g.paths {
		if g.Discount == 1 {
			sumUp(x[p.from:p.to])
			continue
		}
		for k := p.to - 2; k >= p.from; k-- {
			x[k] = x[k].Plus(x[k+1].Times(g.Discount))
		}
	}
}

// sumUp replaces every number by the sum from it to the end, rounded once.
func sumUp(x []sparkd.Amount) {
	var sum, doubt sparkd.Sum
	for k := len(x) - 1; k >= 0; k-- {
		sum.Add(x[k].Value)
		doubt.Add(x[k].Doubt)
		x[k] = sparkd.Given(sum.Value())
		x[k].Doubt += doubt.Value()
	}
}

// arpoHard is the hard assignment of ARPO (arXiv 2507.19849): GRPO, where a shared step
// has the mean over the trajectories that share it.
func (g *group) arpoHard() {
	g.compareReturns(g.contrast(false))
	mean := make([]float64, len(g.nodes))
	for at, m := range g.merge() {
		mean[at] = m.Advantage
	}
	g.credit(mean)
}

// rloo is REINFORCE leave-one-out (arXiv 2402.14740).
func (g *group) rloo() {
	g.pay(g.leaveOneOut())
}

// leaveOneOut returns each return minus the mean of the others, which is its distance
// from the mean of all times n / (n − 1).
func (g *group) leaveOneOut() []sparkd.Amount {
	out := contrast{}.of(g.returns, nil, 1)
	n := float64(len(out))
	for i := range out {
		out[i] = out[i].Times(n / (n - 1))
	}
	return out
}

// treeGRPO is Tree-GRPO (arXiv 2509.21240): GRPO in the group plus GRPO in the
// trajectory's own tree. Its trees begin with separate roots, which here are the first
// steps. As in its code a tree of one trajectory has mean 0 and deviation 1.
func (g *group) treeGRPO() {
	roots := make([]int, len(g.paths))
	for i, p := range g.paths {
		roots[i] = g.place[p.from]
	}
	c := g.contrast(true)
	sum := c.of(g.returns, nil, 1)
	for i, a := range c.of(g.returns, roots, len(g.nodes)) {
		sum[i].Value += a.Value
	}
	g.pay(sum)
}

// treePO is TreePO before its whitening (arXiv 2508.17445): the mean, or the mean
// weighted by size, of the return's distances from the means of the groups that the
// trajectory is in: all trajectories, and those that share its steps up to each fork.
func (g *group) treePO() {
	value := g.means(g.returns)
	out := make([]sparkd.Amount, len(g.paths))
	for i, p := range g.paths {
		var sum sparkd.Sum
		weights := 0.0
		add := func(at int) {
			w := 1.0
			if g.Weighting == "size" {
				w = float64(g.count[at])
			}
			sum.Add(w * g.returns[i].Minus(value[at]).Value)
			weights += w
		}
		add(0)
		for _, at := range g.place[p.from:p.to] {
			if g.count[at] > 1 && g.count[at] != g.count[g.parent[at]] { // else the trajectories of the parent again
				add(at)
			}
		}
		out[i].Value = sum.Over(weights)
	}
	g.pay(out)
}
