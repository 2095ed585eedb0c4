package advantage

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

// Add adds other numbers n times.
func (m *Means) Add(n int, o Means) {
	times := float64(n)
	m.Return += times * o.Return
	m.Length += times * o.Length
	m.Won += times * o.Won
	m.Score += times * o.Score
}

// Divide makes means of sums over n.
func (m *Means) Divide(n int) {
	by := float64(n)
	m.Return /= by
	m.Length /= by
	m.Won /= by
	m.Score /= by
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
