package sparkd

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
)

// Env is one copy of an environment. It is used by one goroutine at a time.
type Env interface {
	// Reset starts the task and returns its first observation.
	Reset(ctx context.Context, t Task) (Observation, error)
	// Step applies an action. Text that is no action of this environment is
	// answered by an observation, not by an error.
	Step(ctx context.Context, action string) (Observation, error)
	// Close frees the copy.
	Close() error
}

// Forker is an Env whose state can be copied. Where an Env is neither a Forker nor a Snapshotter, its state is
// rebuilt by replaying the actions from a reset and comparing every observation's hash.
type Forker interface {
	Env
	// Fork returns an independent copy of the current state.
	Fork(ctx context.Context) (Env, error)
}

// Snapshotter is an Env whose state can be written down and put into other copies.
type Snapshotter interface {
	Env
	// Snapshot returns the current state.
	Snapshot(ctx context.Context) ([]byte, error)
	// Restore puts a fresh copy, instead of a Reset, into a state of task t. The bytes are not to be changed or kept.
	Restore(ctx context.Context, t Task, state []byte) error
}

// Replayer is an Env that repeats a path in one call, where every call is costly.
type Replayer interface {
	Env
	// Replay resets to the task and applies the actions; it returns the observation of
	// the reset and one for each action, fewer when the episode ends before.
	Replay(ctx context.Context, t Task, actions []string) ([]Observation, error)
}

// Observation is what an environment answers.
type Observation struct {
	Text       string   `json:"text" required:"true"` // what the agent reads
	Goal       string   `json:"goal,omitempty"`       // the task in words; set by Reset, may be empty on steps
	Admissible []string `json:"admissible,omitzero"`  // actions that are accepted now, sorted; nil when not known
	Reward     float64  `json:"reward"`               // of this step, in the environment's own unit
	Done       bool     `json:"done"`                 // the episode is over
	Success    bool     `json:"success"`              // the goal is reached; meaningful once Done
}

// Hash identifies an answer: text, admissible actions, reward, done and success. Two
// states with the same hash at every step of the same actions, and the same goal at their reset, count as the same.
func (o *Observation) Hash() string {
	h := sha256.New()
	h.Write([]byte(o.Text))
	for _, a := range o.Admissible {
		h.Write([]byte{0})
		h.Write([]byte(a))
	}
	if o.Admissible != nil && len(o.Admissible) == 0 {
		h.Write([]byte{0}) // no action is accepted, which is something else than not to know
	}
	end := []byte{1}
	if o.Done {
		end = append(end, 2)
	}
	if o.Success {
		end = append(end, 3)
	}
	h.Write(binary.LittleEndian.AppendUint64(end, math.Float64bits(o.Reward)))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// EnvInfo describes an environment family.
type EnvInfo struct {
	Name     string         `json:"name"`
	Splits   map[string]int `json:"splits"`    // split name → number of tasks; Unbounded where every index is one
	MaxSteps int            `json:"max_steps"` // of an episode, which no request exceeds; 0: not known
	Fork     string         `json:"fork"`      // how a state is copied: ForkNative, ForkSnapshot or ForkReplay
	About    string         `json:"about"`
	Examples []Example      `json:"-"` // steps that show an agent the form of an answer; prompts of a style list them
}

// Example is one step of an episode: what the environment tells, and an answer that suits it. They follow each other.
type Example struct {
	Text       string   `json:"text"`
	Admissible []string `json:"admissible"`
	Surprised  bool     `json:"surprised"` // the last result was not what the agent expected: it explores
	Reason     string   `json:"reason"`    // one sentence
	Action     string   `json:"action"`
}

// Unbounded is the size of a split in which every index is a task, a seed for example.
const Unbounded = -1

// Ways to copy the state of an environment.
const (
	ForkNative   = "native"
	ForkSnapshot = "snapshot"
	ForkReplay   = "replay"
)
