package export

import "sparkd"

// TreeLine is one line of format "tree": all trajectories of one task, every step once.
// The token sequence of a trajectory is the concatenation of tokens along its path.
type TreeLine struct {
	Tree      string           `json:"tree"`      // id of the tree (ULID)
	Rollout   string           `json:"rollout"`   // id of the rollout
	Task      string           `json:"task"`      // "env/split/index"
	UID       string           `json:"uid"`       // the group that advantages compare: "rollout/env/split/index"
	Goal      string           `json:"goal"`      // the task in words
	Seed      uint64           `json:"seed"`      // of the tree
	State     sparkd.TreeState `json:"state"`     // "done", "failed" or "canceled"
	Error     string           `json:"error"`     // code of why the tree failed: "engine", "env" …; "" otherwise
	Estimator string           `json:"estimator"` // that computed the advantages
	Dedupe    string           `json:"dedupe"`    // "copies": leaves carry advantages; else only nodes do
	Nodes     []NodeLine       `json:"nodes"`     // by id, which is the index; 0 is the opening context
	Leaves    []LeafLine       `json:"leaves"`    // the trajectories that ended, by leaf id
}

// NodeLine is one node of a TreeLine: the tokens that the model generated, then those
// that the environment answered. Per-token arrays have the length of tokens.
type NodeLine struct {
	ID              int            `json:"id"`                    // index in nodes
	Parent          int            `json:"parent"`                // -1 for node 0
	Depth           int            `json:"depth"`                 // steps from node 0
	Round           int            `json:"round"`                 // of growth, that made it
	Reason          string         `json:"reason"`                // why it was sampled: "root", "linear", "tag:explore" …; "" for node 0
	Of              int            `json:"of"`                    // the sibling whose first sampled tokens are also the node's; 0: none
	SharedTokens    int            `json:"shared_tokens"`         // so many of them
	Tokens          []sparkd.Token `json:"tokens"`                // vocabulary ids
	Mask            []int          `json:"mask"`                  // 1 where the model sampled the token, 0 where it read it
	Logprobs        []float32      `json:"logprobs"`              // nats, raw distribution, 0 where mask is 0; null: none known
	SampledLogprobs []float32      `json:"sampled_logprobs"`      // nats, distribution sampled from; null: as logprobs
	Entropies       []float32      `json:"entropies,omitempty"`   // nats, full raw distribution, 0 where mask is 0; null: none known; option Entropies
	TokenExact      bool           `json:"token_exact"`           // false: the engine reported no ids, they were made from text
	Reward          *float64       `json:"reward"`                // of this step, in the environment's unit; null for a failed branch
	Advantage       *float64       `json:"advantage"`             // mean over the trajectories through the node; null where there are none, and for node 0
	Weight          float64        `json:"weight"`                // of the loss of the node's sampled tokens, see dedupe; 0 where there is no advantage
	Copies          int            `json:"copies"`                // trajectories through the node; 0 for node 0
	Action          string         `json:"action"`                // as parsed from the output; "" when nothing could be
	Valid           bool           `json:"valid"`                 // the output has the required format
	Admissible      bool           `json:"admissible"`            // the action was in the environment's list
	Done            bool           `json:"done"`                  // the trajectory ends here
	Outcome         sparkd.Outcome `json:"outcome"`               // how it ended; "" inside a trajectory
	Tag             string         `json:"tag"`                   // reasoning mode: planning, else explore, else think, else the first tag; "" without tags
	Tags            []string       `json:"tags"`                  // all reasoning tags found complete
	Error           string         `json:"error"`                 // code of why the branch failed: "env_diverged", "engine" …; "" otherwise
	ObsHash         string         `json:"obs_hash"`              // identifies the observation that ends the node
	Finish          string         `json:"finish"`                // why sampling stopped: "stop", "length", "full"
	PolicyVersion   string         `json:"policy_version"`        // the weights that sampled
	PromptTokens    int            `json:"prompt_tokens"`         // of the expansion that made the node; counted on its first child
	CachedTokens    int            `json:"cached_tokens"`         // of them, reused
	Text            *string        `json:"text,omitempty"`        // the model's output; option Text
	Observation     *string        `json:"observation,omitempty"` // the environment's text, or the prompt of node 0; option Text
}

// LeafLine is one trajectory of a TreeLine.
type LeafLine struct {
	Leaf          int            `json:"leaf"`                 // node id of its last step
	TrajUID       string         `json:"traj_uid"`             // "tree:leaf"
	Path          []int          `json:"path"`                 // node ids from 0 to the leaf
	Outcome       sparkd.Outcome `json:"outcome"`              // "success", "failure", "step_limit", "context", "budget"
	EpisodeReward float64        `json:"episode_reward"`       // sum of the rewards on the path, in the environment's unit
	EpisodeLength int            `json:"episode_length"`       // steps
	Advantages    []float64      `json:"advantages,omitempty"` // of each step, for path[1:]; dedupe copies only
}

// RowLine is one line of format "rows": a step of a trajectory as a training sample.
// Unless dedupe is "copies" a step that several trajectories share is one row, and the
// fields said to be of the trajectory are means over them; a row can then be a part of a
// step, see offset.
type RowLine struct {
	Tree            string         `json:"tree"`                  // id of the tree (ULID)
	Rollout         string         `json:"rollout"`               // id of the rollout
	Task            string         `json:"task"`                  // "env/split/index"
	UID             string         `json:"uid"`                   // the group that advantages compare: "rollout/env/split/index"
	TrajUID         string         `json:"traj_uid"`              // the trajectory, "tree:leaf"; merged: the first of them
	Copies          int            `json:"copies"`                // trajectories that the row stands for; 1 with dedupe copies
	EpisodeReward   float64        `json:"episode_reward"`        // of the trajectory: sum of its rewards, in the environment's unit
	EpisodeLength   float64        `json:"episode_length"`        // of the trajectory: steps
	Won             float64        `json:"won"`                   // of the trajectory: 1 for outcome success, else 0
	Score           float64        `json:"score"`                 // what the estimator compared: scaled return minus format penalty
	Advantage       float64        `json:"advantage"`             // of every response token
	Weight          float64        `json:"weight"`                // of every response token's loss; see dedupe
	PromptIDs       []sparkd.Token `json:"prompt_ids"`            // all tokens before the response, as the model saw them
	NodeUID         string         `json:"node_uid"`              // the step, "tree:node"; the same in all its copies
	Step            int            `json:"step"`                  // 1 for the first step
	Offset          int            `json:"offset"`                // first of the step's sampled tokens that is in response_ids; those before it are in the prompt
	ResponseIDs     []sparkd.Token `json:"response_ids"`          // what the model sampled in this step
	ResponseMask    []int          `json:"response_mask"`         // 1 for every response token
	Logprobs        []float32      `json:"logprobs"`              // nats, raw distribution, one a response token; null: none known
	SampledLogprobs []float32      `json:"sampled_logprobs"`      // nats, distribution sampled from; null: as logprobs
	Entropies       []float32      `json:"entropies,omitempty"`   // nats, full raw distribution; null: none known; option Entropies
	TokenExact      bool           `json:"token_exact"`           // false: some sampled ids up to here were made from text
	Reward          float64        `json:"reward"`                // of this step alone, in the environment's unit
	Action          string         `json:"action"`                // as parsed; "" when nothing could be
	Valid           bool           `json:"valid"`                 // the output has the required format
	Admissible      bool           `json:"admissible"`            // the action was in the environment's list
	Done            bool           `json:"done"`                  // the trajectory ends with this step
	Outcome         sparkd.Outcome `json:"outcome"`               // how it ended; "" before its last step
	Tag             string         `json:"tag"`                   // reasoning mode: planning, else explore, else think, else the first tag; "" without tags
	Tags            []string       `json:"tags"`                  // all reasoning tags found complete
	AnchorObs       string         `json:"anchor_obs"`            // hash of the observation that the step answers (GiGPO's anchor state)
	Finish          string         `json:"finish"`                // why sampling stopped: "stop", "length", "full"
	PolicyVersion   string         `json:"policy_version"`        // the weights that sampled
	Text            *string        `json:"text,omitempty"`        // the model's output; option Text
	Observation     *string        `json:"observation,omitempty"` // the environment's answer; option Text
}
