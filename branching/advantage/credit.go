package advantage

import (
	"cmp"
	"slices"

	"sparkd"
)

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
	n := float64(len(rows))
	total := func(of func(*Row) float64) *sparkd.Sum {
		var s sparkd.Sum
		for i := range rows {
			s.Add(of(&rows[i]))
		}
		return &s
	}
	out.Copies = len(rows)
	out.Return = total(func(r *Row) float64 { return r.Return }).Over(n)
	out.Length = total(func(r *Row) float64 { return r.Length }).Over(n)
	out.Won = total(func(r *Row) float64 { return r.Won }).Over(n)
	out.Score = total(func(r *Row) float64 { return r.Score }).Over(n)
	out.Weight = total(func(r *Row) float64 { return r.Weight }).Value()
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.Weight != rows[0].Weight }) {
		out.Advantage = total(func(r *Row) float64 { return r.Advantage }).Over(n)
		return out
	}
	least := slices.MinFunc(rows, func(a, b Row) int { return cmp.Compare(a.Advantage, b.Advantage) }).Advantage
	more := total(func(r *Row) float64 { return r.Weight * (r.Advantage - least) }) // nothing, where all are equal
	out.Advantage = least + more.Over(out.Weight)
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
