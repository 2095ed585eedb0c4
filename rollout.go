package sparkd

import (
	"cmp"
	"fmt"
	"regexp"
	"time"
)

// RolloutState is the life of a rollout.
type RolloutState string

const (
	RolloutQueued   RolloutState = "queued"
	RolloutRunning  RolloutState = "running"
	RolloutDone     RolloutState = "done"
	RolloutFailed   RolloutState = "failed" // no tree survived
	RolloutCanceled RolloutState = "canceled"
)

// Ended reports whether the state is final.
func (s RolloutState) Ended() bool {
	return s == RolloutDone || s == RolloutFailed || s == RolloutCanceled
}

// Spec is a rollout request: which tasks, how to branch, how to sample, how much to
// spend. RequestSpec has the defaults.
type Spec struct {
	ID       string   `json:"id,omitempty"` // the caller's id; makes the request idempotent
	Tasks    Tasks    `json:"tasks"`
	Policy   Policy   `json:"policy"`
	Context  Context  `json:"context"`
	Sampling Sampling `json:"sampling"`
	Budget   Budget   `json:"budget"`
	MaxSteps int      `json:"max_steps"` // steps per trajectory
	Seed     uint64   `json:"seed"`
	// Require names capabilities that the engine must have: of token_exact, logprobs,
	// entropy, native_k, cached_counts, abort.
	Require []string `json:"require,omitempty"`
}

// Tasks selects Count tasks of a split from From on, or those that Indices lists.
type Tasks struct {
	Env     string `json:"env"`
	Split   string `json:"split"`
	From    int    `json:"from"`
	Count   int    `json:"count"`
	Indices []int  `json:"indices,omitempty"`
	// Names are tasks by the names that the environment gives them, instead of Indices,
	// which they are turned into when the request is accepted.
	Names []string `json:"names,omitempty"`
}

// Context says what the model is shown at every step.
type Context struct {
	// Mode is ContextAppend, where the prompt only grows and every computed prefix is
	// used again, or ContextWindow, SPARK's prompts: task, the last Window pairs of
	// observation and action, the current observation, rendered anew at every step.
	Mode   string `json:"mode"`
	Window int    `json:"window,omitempty"` // h, in steps
}

// Modes of a Context.
const (
	ContextAppend = "append"
	ContextWindow = "window"
)

// List returns the selected tasks in order.
func (t *Tasks) List() []Task {
	out := make([]Task, cmp.Or(len(t.Indices), t.Count))
	for i := range out {
		out[i] = Task{t.Env, t.Split, t.From + i}
		if len(t.Indices) > 0 {
			out[i].Index = t.Indices[i]
		}
	}
	return out
}

// Budget bounds a tree. Zero in a field other than Leaves means no bound.
type Budget struct {
	Leaves          int     `json:"leaves"`                     // N: leaves ever created, finished ones included
	GeneratedTokens int     `json:"generated_tokens,omitempty"` // per tree
	EnvSteps        int     `json:"env_steps,omitempty"`        // per tree, replays not counted
	Seconds         float64 `json:"seconds,omitempty"`          // per tree, of growing
}

// RequestSpec is what a request is read into: SPARK in the household, with all that
// depends on the policy left to branching.Resolve.
func RequestSpec() Spec {
	return Spec{
		Tasks:    Tasks{Env: "household", Split: "train", Count: 1},
		Policy:   Policy{Name: "spark"},
		Context:  Context{Mode: ContextAppend, Window: 5},
		Sampling: DefaultSampling(),
		MaxSteps: 30,
	}
}

// Limits of a Spec.
const (
	MaxTasks  = 10_000
	MaxLeaves = 1024
	MaxDepth  = 1000
)

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)

// Validate names the first field at fault of a request whose budget is known. Names of environments and splits are
// checked where they are known, the policy is by branching.Resolve.
func (s *Spec) Validate() error {
	if s.ID != "" && !idForm.MatchString(s.ID) {
		return Invalid("id", "use 1 to 128 letters, digits, dots, colons, dashes and underscores",
			"%q cannot be an id", s.ID)
	}
	return cmp.Or(s.Tasks.validate(), within("max_steps", s.MaxSteps, 1, MaxDepth), s.Context.validate(),
		validateRequire(s.Require), s.Sampling.Validate("sampling"), s.Budget.validate())
}

// within refuses a number that is not between least and most.
func within(field string, x, least, most int) error {
	if x < least || x > most {
		return Invalid(field, fmt.Sprintf("use %d to %d", least, most), "%d is out of range", x)
	}
	return nil
}

func (t *Tasks) validate() error {
	switch {
	case t.Env == "":
		return Invalid("tasks.env", `name an environment, for example "household"`, "no environment")
	case t.Split == "":
		return Invalid("tasks.split", `name a split, for example "train"`, "no split")
	case t.From < 0:
		return Invalid("tasks.from", "the first task is 0", "%d is negative", t.From)
	case len(t.Indices) > 0 && len(t.Names) > 0:
		return Invalid("tasks.names", "list tasks by index or by name", "both indices and names are given")
	case len(t.Names) > MaxTasks:
		return Invalid("tasks.names", fmt.Sprintf("use at most %d", MaxTasks), "%d tasks", len(t.Names))
	case len(t.Indices) > MaxTasks:
		return Invalid("tasks.indices", fmt.Sprintf("use at most %d", MaxTasks), "%d tasks", len(t.Indices))
	case len(t.Indices) == 0 && len(t.Names) == 0:
		return within("tasks.count", t.Count, 1, MaxTasks)
	}
	seen := make(map[int]bool, len(t.Indices))
	for i, x := range t.Indices {
		field := fmt.Sprintf("tasks.indices[%d]", i)
		if x < 0 {
			return Invalid(field, "the first task is 0", "%d is negative", x)
		}
		if seen[x] {
			return Invalid(field, "name each task once; more trajectories of a task are more roots or leaves",
				"task %d is listed twice", x)
		}
		seen[x] = true
	}
	return nil
}

func (c *Context) validate() error {
	switch {
	case c.Mode != ContextAppend && c.Mode != ContextWindow:
		return Invalid("context.mode", "one of append, window", "unknown context %q", c.Mode)
	case c.Window < 0 || c.Window > MaxDepth:
		return Invalid("context.window", fmt.Sprintf("use 0 to %d steps", MaxDepth), "%d is out of range", c.Window)
	}
	return nil
}

func (b *Budget) validate() error {
	switch {
	case b.Leaves < 1 || b.Leaves > MaxLeaves:
		return Invalid("budget.leaves", fmt.Sprintf("N is 1 to %d", MaxLeaves), "%d is out of range", b.Leaves)
	case b.GeneratedTokens < 0:
		return Invalid("budget.generated_tokens", "use 0 for no bound", "%d is negative", b.GeneratedTokens)
	case b.EnvSteps < 0:
		return Invalid("budget.env_steps", "use 0 for no bound", "%d is negative", b.EnvSteps)
	case !Finite(b.Seconds) || b.Seconds < 0:
		return Invalid("budget.seconds", "use 0 for no bound", "%v is not a duration", b.Seconds)
	}
	return nil
}

// Rollout is a request and how far it has come.
type Rollout struct {
	ID       string       `json:"id"`
	Spec     Spec         `json:"spec"`
	State    RolloutState `json:"state"`
	Error    *Error       `json:"error,omitempty"`
	Trees    []string     `json:"trees"` // ids, one per task, in the order of the tasks
	Done     int          `json:"trees_done"`
	Failed   int          `json:"trees_failed"`
	Stats    Stats        `json:"stats"`
	Created  time.Time    `json:"created"`
	Started  time.Time    `json:"started,omitzero"`
	Finished time.Time    `json:"finished,omitzero"`
}

// Event is one entry of the daemon's log of what happened, in order of Seq.
type Event struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Kind    EventKind `json:"kind"`
	Rollout string    `json:"rollout"`
	Tree    string    `json:"tree,omitempty"`
	Round   int       `json:"round,omitempty"`
	State   string    `json:"state,omitempty"` // of the rollout or tree after the event
	Stats   *Stats    `json:"stats,omitempty"`
	Error   *Error    `json:"error,omitempty"`
}

// EventKind names what happened.
type EventKind string

const (
	EventRollout EventKind = "rollout" // a rollout changed state
	EventRound   EventKind = "round"   // a round of a tree was committed
	EventTree    EventKind = "tree"    // a tree ended
)
