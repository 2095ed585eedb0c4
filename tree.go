package sparkd

import (
	"reflect"
	"slices"
	"time"
)

// TreeState is the life of a tree.
type TreeState string

const (
	TreeQueued   TreeState = "queued" // it has not begun, and is not stored
	TreeGrowing  TreeState = "growing"
	TreeDone     TreeState = "done"     // every trajectory ended
	TreeFailed   TreeState = "failed"   // no trajectory survived; Error says why
	TreeCanceled TreeState = "canceled" // its rollout was cancelled
)

// Tree is all trajectories of one task in one rollout.
type Tree struct {
	ID      string    `json:"id"` // ULID
	Rollout string    `json:"rollout"`
	Task    Task      `json:"task"`
	Goal    string    `json:"goal"`
	Seed    uint64    `json:"seed"`
	State   TreeState `json:"state"`
	Error   *Error    `json:"error,omitempty"`
	Round   int       `json:"round"` // committed rounds; round 0 is the opening context
	Nodes   []*Node   `json:"nodes"`
	Stats   Stats     `json:"stats"`

	Created  time.Time `json:"created"`
	Finished time.Time `json:"finished,omitzero"`
}

// Stats are the totals of a tree or of a rollout.
//
// UniqueTokens is what an ideal prefix cache, empty at first, runs through the model to serve the expansions: of
// every node that was continued, the prompt or environment tokens, once, and the last sampled token, which was
// drawn but not yet run. ComputedTokens can be lower where trees share a preamble.
//
// ReplaySteps are the steps that forks repeated; what rebuilds a tree after a restart
// is not counted. Tokens and steps of broken branches count as spent.
type Stats struct {
	Leaves          int `json:"leaves"`    // leaves that count against the budget, finished ones included
	Forks           int `json:"forks"`     // leaves beyond the roots
	Nodes           int `json:"nodes"`     // steps, node 0 and failed branches not counted
	Failed          int `json:"failed"`    // broken branches
	Diverged        int `json:"diverged"`  // of them, by a replay that gave other observations
	Successes       int `json:"successes"` // leaves with outcome success
	GeneratedTokens int `json:"generated_tokens"`
	PromptTokens    int `json:"prompt_tokens"`   // as asked for, over all expansions
	ComputedTokens  int `json:"computed_tokens"` // of them, run through the model
	CachedTokens    int `json:"cached_tokens"`   // of them, reused
	UniqueTokens    int `json:"unique_tokens"`   // of them, least that must be run, see above
	EnvSteps        int `json:"env_steps"`
	ReplaySteps     int `json:"replay_steps"`
}

// Add adds o to s.
func (s *Stats) Add(o Stats) {
	sum, more := reflect.ValueOf(s).Elem(), reflect.ValueOf(o)
	for i := range sum.NumField() {
		sum.Field(i).SetInt(sum.Field(i).Int() + more.Field(i).Int())
	}
}

// Children returns, for every node, the ids of its children in order of creation.
func (t *Tree) Children() [][]int {
	c := make([][]int, len(t.Nodes))
	for _, n := range t.Nodes {
		if n.Parent >= 0 {
			c[n.Parent] = append(c[n.Parent], n.ID)
		}
	}
	return c
}

// Leaves returns the ids of the nodes that end a trajectory now: no children but
// failed ones, and not failed themselves. Node 0 is no leaf. Their number is the number
// of leaves ever created, since a leaf that grows is replaced by its first child.
func (t *Tree) Leaves() []int {
	live := make([]bool, len(t.Nodes))
	for _, n := range t.Nodes {
		if n.Parent >= 0 && !n.Failed() {
			live[n.Parent] = true
		}
	}
	var ids []int
	for _, n := range t.Nodes {
		if n.ID > 0 && !live[n.ID] && !n.Failed() {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// Ended returns the leaves whose trajectories ended, with an outcome, by id.
func (t *Tree) Ended() []*Node {
	var ended []*Node
	for _, id := range t.Leaves() {
		if n := t.Nodes[id]; n.Outcome != OutcomeNone {
			ended = append(ended, n)
		}
	}
	return ended
}

// Path returns the nodes from node 0 to id.
func (t *Tree) Path(id int) []*Node {
	path := make([]*Node, t.Nodes[id].Depth+1)
	for i := len(path) - 1; i >= 0; i-- {
		path[i] = t.Nodes[id]
		id = t.Nodes[id].Parent
	}
	return path
}

// Tokens returns the token sequence that stands at the end of the path from node 0 to id: what the model has seen
// and produced there, and the prompt of the node's children. A prompt span begins the context anew: with the
// append context there is one, in node 0, and the sequence holds the whole path; with the window context every
// node that can grow on ends with the prompt of its children.
func (t *Tree) Tokens(id int) []Token {
	spans, n := t.Context(id), 0
	for _, s := range spans {
		n += len(s.Tokens)
	}
	out := make([]Token, 0, n)
	for _, s := range spans {
		out = append(out, s.Tokens...)
	}
	return out
}

// Context returns the spans whose tokens are Tokens(id): those of the path from its last prompt span on.
func (t *Tree) Context(id int) []*Span {
	var spans []*Span
	for begun := false; id >= 0 && !begun; id = t.Nodes[id].Parent {
		of := t.Nodes[id].Spans
		for i := len(of) - 1; i >= 0 && !begun; i-- {
			spans = append(spans, &of[i])
			begun = of[i].Source == SourcePrompt
		}
	}
	slices.Reverse(spans)
	return spans
}
