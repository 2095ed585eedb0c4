package sparkd

import (
	"strings"
	"time"
)

// Outcome says how a trajectory ended at its leaf.
type Outcome string

const (
	OutcomeNone      Outcome = ""           // not a leaf, or still growing
	OutcomeSuccess   Outcome = "success"    // the environment says the goal is reached
	OutcomeFailure   Outcome = "failure"    // the environment ended without success
	OutcomeStepLimit Outcome = "step_limit" // the episode's step limit
	OutcomeContext   Outcome = "context"    // the model's context is full
	OutcomeBudget    Outcome = "budget"     // a token, step or time budget ran out
	OutcomeFailed    Outcome = "failed"     // engine or environment broke; Node.Error says how; no reward
)

// Signals are the agent's own marks of doubt in one step, inputs of branch policies.
type Signals struct {
	// Tags are the reasoning tags found complete in the text, in order of first
	// appearance, spelled as written ("explore", "think").
	Tags         []string `json:"tags,omitempty"`
	MeanEntropy  float64  `json:"mean_entropy"`  // nats, over the step's tokens
	MaxEntropy   float64  `json:"max_entropy"`   // nats
	FirstEntropy float64  `json:"first_entropy"` // mean over the first 20 tokens, divided by ln|V| (ARPO's window)
	LogprobSum   float64  `json:"logprob_sum"`   // raw, over the step's tokens
	MinMargin    float64  `json:"min_margin"`    // smallest top-2 margin of the step
	HasEntropy   bool     `json:"has_entropy"`   // the engine reported entropies
}

// Decision records why a node was sampled: the expansion of its parent.
type Decision struct {
	K      int     `json:"k"`      // size of the expansion
	Index  int     `json:"index"`  // which of the k this node is
	Reason string  `json:"reason"` // "root", "linear", "tag:explore", "entropy" …
	Score  float64 `json:"score,omitempty"`
	// A fork inside a step: the node's model span begins with the first SharedTokens
	// tokens of that of its sibling Of, drawn once and for both. 0: none.
	Of           int `json:"of,omitempty"`
	SharedTokens int `json:"shared_tokens,omitempty"`
}

// Node is one step of the agent: what the model generated and what the environment
// answered. It never changes once its round is committed.
type Node struct {
	ID     int    `json:"id"`     // dense per tree, in order of creation; 0 is the opening context
	Parent int    `json:"parent"` // -1 for node 0
	Depth  int    `json:"depth"`  // steps from node 0
	Round  int    `json:"round"`  // the committed round that made it
	Spans  []Span `json:"spans"`

	Action     string  `json:"action,omitempty"` // as parsed; "" when nothing could be parsed
	Valid      bool    `json:"valid"`            // the output has the required format
	Admissible bool    `json:"admissible"`       // the action was in the environment's list, or there was no list
	Reward     float64 `json:"reward"`           // of this step; of node 0: of the reset, which counts in every return
	Done       bool    `json:"done"`             // the trajectory ends here
	Outcome    Outcome `json:"outcome,omitempty"`
	Error      *Error  `json:"error,omitempty"`
	ObsHash    string  `json:"obs_hash,omitempty"`

	Finish   FinishReason `json:"finish,omitempty"`
	Signals  Signals      `json:"signals"`
	Decision Decision     `json:"decision"`

	PolicyVersion string `json:"policy_version,omitempty"`
	Engine        string `json:"engine,omitempty"`
	// The prompt of the expansion that made the node, in tokens; counted once per
	// expansion, on its first child, and zero on the others.
	PromptTokens   int `json:"prompt_tokens"`
	CachedTokens   int `json:"cached_tokens"`
	ComputedTokens int `json:"computed_tokens"`
	ExpectedTokens int `json:"expected_tokens,omitempty"` // of the prompt, thought to be cached where it was sent
	ReplaySteps    int `json:"replay_steps,omitempty"`    // environment steps repeated to fork

	Started    time.Time     `json:"started"`
	SampleTime time.Duration `json:"sample_ns"`
	EnvTime    time.Duration `json:"env_ns"`
}

// Failed reports whether the node stands for a broken branch, which counts neither
// as a leaf of the budget nor as a reward.
func (n *Node) Failed() bool { return n.Outcome == OutcomeFailed }

// Model returns the node's model span, or nil for node 0 and failed nodes.
func (n *Node) Model() *Span {
	for i := range n.Spans {
		if n.Spans[i].Source == SourceModel {
			return &n.Spans[i]
		}
	}
	return nil
}

// KnownLogprobs returns those of the tokens that the step sampled, see Span; nil for a failed node.
func (n *Node) KnownLogprobs() []float32 {
	if s := n.Model(); s != nil && !n.Failed() {
		return s.KnownLogprobs()
	}
	return nil
}

// Surprise returns the mean of −log p over the tokens that the step sampled, in nats: an estimate of its entropy
// from one sample. It is not known where the logprobs are not.
func (n *Node) Surprise() (mean float64, known bool) {
	logprobs := n.KnownLogprobs()
	for _, l := range logprobs {
		mean -= float64(l)
	}
	return mean / float64(max(len(logprobs), 1)), len(logprobs) > 0
}

// Has reports whether tag is among the tags; fold ignores case.
func (s *Signals) Has(tag string, fold bool) bool {
	for _, t := range s.Tags {
		if t == tag || fold && strings.EqualFold(t, tag) {
			return true
		}
	}
	return false
}
