package export

import (
	"strconv"

	"sparkd"
)

// VerlAgentLine is one line of format "verl-agent": a step as the rollout loops of
// verl-agent and SPARK gather it (agent_system/multi_turn_rollout/rollout_loop.py). Their
// trainers pad prompts and responses.
type VerlAgentLine struct {
	Prompts           []int32   `json:"prompts"`             // all tokens before the response
	Responses         []int32   `json:"responses"`           // what the model sampled in this step
	ResponseMask      []int     `json:"response_mask"`       // 1 for every response token
	RolloutLogProbs   []float32 `json:"rollout_log_probs"`   // nats, one a response token; null: none known
	UID               string    `json:"uid"`                 // the group that advantages compare: "rollout/env/split/index"
	TrajUID           string    `json:"traj_uid"`            // the trajectory, "tree:leaf"
	NodeUID           string    `json:"node_uid"`            // the step, "tree:node"; the same in all its copies
	StepID            string    `json:"step_id"`             // "uid_leaf_step"
	AnchorObs         string    `json:"anchor_obs"`          // hash of the observation that the step answers (GiGPO's anchor state)
	IsActionValid     bool      `json:"is_action_valid"`     // the output has the required format
	IsActionAvailable bool      `json:"is_action_available"` // the action was in the environment's list
	ReasoningModes    string    `json:"reasoning_modes"`     // planning, else explore, else think, else the first tag; "" without tags
	Rewards           float64   `json:"rewards"`             // of this step alone, in the environment's unit
	ActiveMasks       bool      `json:"active_masks"`        // true: steps that were not played have no line
	EpisodeRewards    float64   `json:"episode_rewards"`     // of the trajectory: sum of its rewards; a mean where it is merged
	EpisodeLengths    float64   `json:"episode_lengths"`     // of the trajectory: steps; a mean where it is merged
	Won               float64   `json:"won"`                 // of the trajectory: 1 for outcome success, else 0; a mean where it is merged
	NodeRepeatedTimes int       `json:"node_repeated_times"` // trajectories that the line stands for
	Advantage         float64   `json:"advantage"`           // of every response token
	Weight            float64   `json:"weight"`              // of every response token's loss; see dedupe
	PolicyVersion     string    `json:"policy_version"`      // the weights that sampled
}

func (e *encoder) verlAgent(t *sparkd.Tree, s *step) {
	l, n := &e.line, t.Nodes[s.Node]
	at := &e.path.steps[n.Depth]
	from, to := e.path.response(at, s.From), e.path.response(at, s.To)
	l.open("")
	l.encoded("prompts", e.path.ids[at.begin:from])
	l.encoded("responses", e.path.ids[from:to])
	l.ones("response_mask", s.To-s.From)
	l.stepLogprobs("rollout_log_probs", known(output(n)), s)
	l.str("uid", e.uid)
	e.node("traj_uid", t, s.Leaf)
	e.node("node_uid", t, s.Node)
	l.str("step_id", e.uid+"_"+strconv.Itoa(s.Leaf)+"_"+strconv.Itoa(n.Depth))
	l.str("anchor_obs", t.Nodes[n.Parent].ObsHash)
	l.boolean("is_action_valid", n.Valid)
	l.boolean("is_action_available", n.Admissible)
	l.str("reasoning_modes", mode(n.Signals.Tags))
	l.number("rewards", n.Reward)
	l.boolean("active_masks", true)
	l.number("episode_rewards", s.Return)
	l.number("episode_lengths", s.Length)
	l.number("won", s.Won)
	l.integer("node_repeated_times", s.Copies)
	l.number("advantage", s.Advantage)
	l.number("weight", s.Weight)
	l.str("policy_version", n.PolicyVersion)
	e.m.Tokens += at.tokens + s.To
	e.trained(s)
	e.end()
}
