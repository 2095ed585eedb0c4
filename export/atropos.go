package export

// AtroposLine is one line of format "atropos": a ScoredDataGroup of Atropos, all
// sequences of one task (atroposlib/envs/base.py), as POST /scored_data takes it.
type AtroposLine struct {
	Tokens            [][]int32      `json:"tokens"`             // of each sequence, up to its last trained token
	Masks             [][]int32      `json:"masks"`              // the id where the token is trained, -100 where it is not
	Scores            []float64      `json:"scores"`             // return of the sequence's trajectory, in the environment's unit
	Advantages        [][]float64    `json:"advantages"`         // of each token, times its weight; 0 where it is not trained
	InferenceLogprobs [][]float32    `json:"inference_logprobs"` // nats, 1.0 where the token is not trained
	Messages          [][]Message    `json:"messages,omitempty"` // of each sequence; option Text
	Overrides         []AtroposTrace `json:"overrides"`          // which sequence this is
	GroupOverrides    AtroposGroup   `json:"group_overrides"`    // which group this is
}

// AtroposTrace names a sequence of an AtroposLine.
type AtroposTrace struct {
	TrajUID       string `json:"traj_uid"`       // the trajectory, "tree:leaf"
	Segment       int    `json:"segment"`        // place of the sequence in its trajectory
	PolicyVersion string `json:"policy_version"` // the weights that sampled the last step
}

// AtroposGroup names the group of an AtroposLine.
type AtroposGroup struct {
	UID       string `json:"uid"`        // the group: "rollout/env/split/index"
	GroupSize int    `json:"group_size"` // sequences
}

// atropos is the group under construction: one line for each column.
type atropos struct {
	tokens, masks, scores, advantages, logprobs, messages, overrides line
	size                                                             int
}

// scored adds a sequence to the group.
func (e *encoder) scored(s *sample) {
	a := &e.atropos
	a.size++
	a.tokens.ids("", s.pieces)
	a.masks.labels("", s.pieces)
	a.scores.number("", s.ret())
	a.advantages.perToken("", s.pieces, (*piece).coefficient)
	a.logprobs.pieceLogprobs("", "1.0,", s.pieces)
	a.messages.messages("", e.textual(s.pieces))
	o := &a.overrides
	o.key("")
	o.open("")
	o.trajectory("traj_uid", s)
	o.integer("segment", s.segment)
	o.str("policy_version", s.nodes[len(s.nodes)-1].PolicyVersion)
	o.shut()
}

// scoredGroup writes the group's line and begins another one.
func (e *encoder) scoredGroup() {
	a, l := &e.atropos, &e.line
	if a.size == 0 {
		return
	}
	l.open("")
	for _, c := range []struct {
		name string
		of   *line
	}{{"tokens", &a.tokens}, {"masks", &a.masks}, {"scores", &a.scores}, {"advantages", &a.advantages},
		{"inference_logprobs", &a.logprobs}, {"messages", &a.messages}, {"overrides", &a.overrides}} {
		if c.of != &a.messages || e.o.Text {
			l.key(c.name)
			l.b = append(append(append(l.b, '['), c.of.b...), ']')
		}
		if c.of.err != nil && l.err == nil {
			l.err = c.of.err
		}
		c.of.b, c.of.err = c.of.b[:0], nil
	}
	l.open("group_overrides")
	l.str("uid", e.uid)
	l.integer("group_size", a.size)
	l.shut()
	a.size = 0
	e.end()
}
