// Package measure says what finished trajectory trees yielded and what they cost, and compares branching policies
// that grew trees for the same tasks. Everything in it is pure.
//
// All intervals are 95 % percentile intervals of a bootstrap over tasks (Efron 1979) with a fixed seed: tasks
// differ far more than the trajectories of one task, so the task is what is drawn again.
package measure

import "sparkd"

// Figures are those of one tree. Failed branches count nowhere; leaves that did not end
// count as cost, but not as trajectories.
type Figures struct {
	Task string `json:"task"`

	Trajectories int  `json:"trajectories"` // that ended
	Successes    int  `json:"successes"`    // of them
	Mixed        bool `json:"mixed"`        // some succeeded and some did not: the group has a gradient

	Leaves     int   `json:"leaves"`
	Steps      int   `json:"steps"`       // taken once, however many trajectories share them
	PathSteps  int   `json:"path_steps"`  // over all leaves, shared steps counted for each
	PathTokens int   `json:"path_tokens"` // generated ones, the same way
	ForkDepths []int `json:"fork_depths"` // for each leaf beyond the roots, the steps that it shares

	Generated   int `json:"generated_tokens"`
	Prompt      int `json:"prompt_tokens"`   // asked for
	Computed    int `json:"computed_tokens"` // of them, run through the model
	Unique      int `json:"unique_tokens"`   // of them, least that must be run
	EnvSteps    int `json:"env_steps"`
	ReplaySteps int `json:"replay_steps"`
}

// Tree measures one tree.
func Tree(t *sparkd.Tree) Figures {
	s := t.Stats
	f := Figures{
		Task:      t.Task.String(),
		Generated: s.GeneratedTokens, Prompt: s.PromptTokens, Computed: s.ComputedTokens, Unique: s.UniqueTokens,
		EnvSteps: s.EnvSteps, ReplaySteps: s.ReplaySteps,
		ForkDepths: []int{},
	}
	children := make([]int, len(t.Nodes))
	for _, n := range t.Nodes {
		if n.Parent < 0 || n.Failed() {
			continue
		}
		f.Steps++
		if children[n.Parent]++; children[n.Parent] > 1 && n.Parent > 0 {
			f.ForkDepths = append(f.ForkDepths, t.Nodes[n.Parent].Depth)
		}
	}
	tokens := make([]int, len(t.Nodes)) // generated on the path to a node
	for _, n := range t.Nodes {
		if m := n.Model(); m != nil {
			tokens[n.ID] = tokens[n.Parent] + len(m.Tokens)
		}
	}
	for _, id := range t.Leaves() {
		f.Leaves++
		f.PathSteps += t.Nodes[id].Depth
		f.PathTokens += tokens[id]
	}
	for _, leaf := range t.Ended() {
		f.Trajectories++
		if leaf.Outcome == sparkd.OutcomeSuccess {
			f.Successes++
		}
	}
	f.Mixed = f.Successes > 0 && f.Successes < f.Trajectories
	return f
}

// SavedSteps is how much less the tree cost than n chains of its own mean length, as a share of what those cost:
// 1 − Steps/(n·T).
func (f *Figures) SavedSteps(n int) float64 { return f.saved(f.Steps, f.PathSteps, n) }

// SavedTokens is the same in generated tokens, those of broken branches counted as spent.
func (f *Figures) SavedTokens(n int) float64 { return f.saved(f.Generated, f.PathTokens, n) }

// saved compares a cost with that of n chains, given that of all paths.
func (f *Figures) saved(cost, paths, n int) float64 {
	if paths == 0 {
		return 0
	}
	return 1 - float64(cost)/(float64(n)*float64(paths)/float64(f.Leaves))
}

// SavedByFormula is SavedSteps by the cost model of trees: every fork at depth t_i saves t_i of n·T steps, and every
// leaf of the budget that was not used saves 1/n:
//
//	Σ t_i / (n·T) + (n − leaves)/n
func (f *Figures) SavedByFormula(n int) float64 {
	if f.PathSteps == 0 {
		return 0
	}
	shared := 0
	for _, t := range f.ForkDepths {
		shared += t
	}
	mean := float64(f.PathSteps) / float64(f.Leaves)
	return float64(shared)/(float64(n)*mean) + float64(n-f.Leaves)/float64(n)
}
