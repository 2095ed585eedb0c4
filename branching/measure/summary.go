package measure

import "math"

// Metrics of a set of tasks.
var (
	// PassAt1 is the probability that one trajectory of a task succeeds.
	PassAt1 = mean(func(f *Figures) float64 { return f.passAt(1) })
	// PassAtN is the share of tasks in which any trajectory succeeded.
	PassAtN = mean(func(f *Figures) float64 { return indicator(f.Successes > 0) })
	// Mixed is the share of tasks whose trajectories ended differently, TRACE's effective
	// ratio (arXiv 2606.11119): the others have no gradient under a group baseline.
	Mixed = mean(func(f *Figures) float64 { return indicator(f.Mixed) })
	// Generated is the number of generated tokens per task.
	Generated = mean(func(f *Figures) float64 { return float64(f.Generated) })
	// Shared is the share of the generated tokens on all paths that were not generated again, because paths share them.
	Shared Metric = func(tasks []Figures) float64 {
		made, paths := 0.0, 0.0
		for i := range tasks {
			made += float64(tasks[i].Generated)
			paths += float64(tasks[i].PathTokens)
		}
		return max(0, 1-ratio(made, paths))
	}
)

// Saved is the share of steps that n chains of the same length would have cost more.
func Saved(n int) Metric { return mean(func(f *Figures) float64 { return f.SavedSteps(n) }) }

// SavedTokens is the share of generated tokens that n chains of the same length would have cost more.
func SavedTokens(n int) Metric { return mean(func(f *Figures) float64 { return f.SavedTokens(n) }) }

// passAt is the unbiased estimate that one of k trajectories succeeds, 1 − C(n−c, k)/C(n, k) (arXiv 2107.03374, Eq. 1).
func (f *Figures) passAt(k int) float64 {
	n, c := f.Trajectories, f.Successes
	if n == 0 {
		return 0
	}
	if n-c < k {
		return 1
	}
	miss := 1.0
	for i := range k {
		miss *= float64(n-c-i) / float64(n-i)
	}
	return 1 - miss
}

func indicator(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Summary is what a policy yielded and cost over all tasks.
type Summary struct {
	Tasks        int      `json:"tasks"`
	Trajectories int      `json:"trajectories"`
	PassAt1      Estimate `json:"pass_at_1"`
	PassAtN      Estimate `json:"pass_at_n"`
	Mixed        Estimate `json:"mixed_groups"`

	Generated   int      `json:"generated_tokens"`
	SharedShare Estimate `json:"shared_tokens"` // share of the path tokens that were shared
	Prompt      int      `json:"prompt_tokens"`
	Computed    int      `json:"computed_prompt_tokens"`
	Unique      int      `json:"unique_prompt_tokens"`
	EnvSteps    int      `json:"env_steps"`
	ReplaySteps int      `json:"replay_steps"`

	SavedTokens    Estimate `json:"saved_tokens"`           // against N chains
	Saved          Estimate `json:"saved_steps"`            // the same in steps
	SavedByFormula float64  `json:"saved_steps_by_formula"` // the same by the cost model
	ForkDepths     []int    `json:"fork_depths"`            // forks by the steps they share, from 0
}

// Summarize sums up the trees of one policy whose budget was n leaves.
func Summarize(tasks []Figures, n int) Summary {
	s := Summary{
		Tasks:   len(tasks),
		PassAt1: PassAt1.Of(tasks), PassAtN: PassAtN.Of(tasks), Mixed: Mixed.Of(tasks),
		SharedShare: Shared.Of(tasks), Saved: Saved(n).Of(tasks), SavedTokens: SavedTokens(n).Of(tasks),
		ForkDepths: []int{},
	}
	s.SavedByFormula = mean(func(f *Figures) float64 { return f.SavedByFormula(n) })(tasks)
	for i := range tasks {
		f := &tasks[i]
		s.Trajectories += f.Trajectories
		s.Generated += f.Generated
		s.Prompt += f.Prompt
		s.Computed += f.Computed
		s.Unique += f.Unique
		s.EnvSteps += f.EnvSteps
		s.ReplaySteps += f.ReplaySteps
		for _, depth := range f.ForkDepths {
			for len(s.ForkDepths) <= depth {
				s.ForkDepths = append(s.ForkDepths, 0)
			}
			s.ForkDepths[depth]++
		}
	}
	if math.Abs(s.SavedByFormula) < 1e-12 {
		s.SavedByFormula = 0
	}
	return s
}
