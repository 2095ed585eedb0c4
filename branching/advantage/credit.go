package advantage

import "sparkd"

// Row is one step of one trajectory, the sample that SPARK trains on, or all such rows
// of one step merged into their mean.
type Row struct {
	Leaf   int // id of the trajectory's leaf; of the first trajectory when merged
	Node   int // id of the step's node
	Copies int // trajectories that the row stands for
	Means
	Advantage float64 // of every token that the model sampled in the step
	Weight    float64 // of the step's loss, see Credit
}

// Means are numbers of a trajectory, or their means over several.
type Means struct {
	Return float64 // sum of the rewards on the trajectory, in the environment's unit
	Length float64 // steps of the trajectory
	Won    float64 // 1 where the trajectory ended in success, else 0
	Score  float64 // what the estimator compared, for example scaled return minus penalty
}

// Merge returns rows as one that stands for all of them and weighs as much: with the means of their numbers, that of
// the advantages as they weigh. It is the first one's step and trajectory. None of them is merged already.
func Merge(rows []Row) Row {
	out := rows[0]
	if len(rows) == 1 {
		return out
	}
	n, least, even := float64(len(rows)), rows[0].Advantage, true
	for i := range rows {
		least, even = min(least, rows[i].Advantage), even && rows[i].Weight == rows[0].Weight
	}
	var ret, length, won, score, weight, advantage, more sparkd.Sum
	for i := range rows {
		r := &rows[i]
		ret.Add(r.Return)
		length.Add(r.Length)
		won.Add(r.Won)
		score.Add(r.Score)
		weight.Add(r.Weight)
		advantage.Add(r.Advantage)
		more.Add(r.Weight * (r.Advantage - least)) // nothing, where all are equal
	}
	out.Copies, out.Weight = len(rows), weight.Value()
	out.Means = Means{Return: ret.Over(n), Length: length.Over(n), Won: won.Over(n), Score: score.Over(n)}
	if out.Advantage = advantage.Over(n); !even {
		out.Advantage = least + more.Over(out.Weight)
	}
	return out
}

// Credit is what an estimator says about one tree. Only trajectories that ended count:
// a failed branch, or one that was abandoned without an outcome, has no row.
//
// An estimator counts a shared step in the loss either once per trajectory (every copy weighs 1, the merged row as
// much as its copies) or once (the merged row weighs 1, its copies share that). So for every step Σ
// weight·advantage over its copies is weight·advantage of its merged row.
type Credit struct {
	Copies []Row // every (trajectory, step), by leaf id, then along the path
	Unique []Row // every step once, by node id: the mean over its copies
}
