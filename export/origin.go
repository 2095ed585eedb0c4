package export

// Origin says where a token sequence comes from and what an estimator made of it. It
// stands in the field that a format has for what its trainer does not know.
type Origin struct {
	UID           string    `json:"uid"`            // the group that advantages compare: "rollout/env/split/index"
	TrajUID       string    `json:"traj_uid"`       // the trajectory, "tree:leaf"
	Segment       int       `json:"segment"`        // place of the sequence in its trajectory; 0 where that is one sequence
	Last          bool      `json:"last"`           // the trajectory's last sequence
	Steps         int       `json:"steps"`          // steps in the sequence
	Reward        float64   `json:"reward"`         // of the trajectory: sum of its rewards, in the environment's unit
	Outcome       string    `json:"outcome"`        // how the trajectory ended
	PolicyVersion string    `json:"policy_version"` // the weights that sampled the last step
	TokenExact    bool      `json:"token_exact"`    // false: some sampled ids were made from text
	Advantages    []float64 `json:"advantages"`     // one a token of the mask, 0 where that is 0
	Weights       []float64 `json:"weights"`        // of the token's loss, 0 where the mask is 0; see dedupe
}

// origin appends an Origin; masked are the pieces that the line's mask is about.
func (e *encoder) origin(name string, s *sample, masked []piece) {
	l := &e.line
	l.open(name)
	l.str("uid", e.uid)
	l.trajectory("traj_uid", s)
	l.integer("segment", s.segment)
	l.boolean("last", s.last)
	l.integer("steps", len(s.nodes))
	l.number("reward", s.ret())
	l.str("outcome", string(s.leaf.Outcome))
	l.str("policy_version", s.nodes[len(s.nodes)-1].PolicyVersion)
	l.boolean("token_exact", s.exact)
	l.perToken("advantages", masked, (*piece).advantageOf)
	l.perToken("weights", masked, (*piece).weightOf)
	l.shut()
}

// open begins an object, as a field or, without a name, as the item of an array.
func (l *line) open(name string) {
	if name != "" {
		l.key(name)
	}
	l.b = append(l.b, '{')
}

// shut ends an object.
func (l *line) shut() { l.b = append(l.b, '}') }

// trajectory appends "tree:leaf".
func (l *line) trajectory(name string, s *sample) {
	l.key(name)
	l.b = appendUID(l.b, s.tree.ID, s.leaf.ID)
}
