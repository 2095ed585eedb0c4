package export

import "strconv"

// ArealLine is one line of format "areal": the tensors of a trajectory of AReaL, without
// the batch dimension (areal/experimental/openai/types.py).
type ArealLine struct {
	InputIDs      []int32   `json:"input_ids"`      // up to the last trained token
	LossMask      []int     `json:"loss_mask"`      // 1 where the token is trained
	Logprobs      []float32 `json:"logprobs"`       // nats, 0.0 where the mask is 0
	Versions      []int     `json:"versions"`       // policy version of the token, -1 where the mask is 0; 0 where it is no decimal number
	AttentionMask []int     `json:"attention_mask"` // 1 everywhere
	Rewards       float64   `json:"rewards"`        // of the trajectory: sum of its rewards, in the environment's unit
	Metadata      Origin    `json:"metadata"`       // where the sequence comes from
}

func (e *encoder) areal(s *sample) {
	l := &e.line
	l.open("")
	l.ids("input_ids", s.pieces)
	l.mask("loss_mask", s.pieces)
	l.pieceLogprobs("logprobs", "0.0,", s.pieces)
	l.key("versions")
	l.b = append(l.b, '[')
	for i := range s.pieces {
		version := -1
		if p := &s.pieces[i]; p.trained {
			version = versionNumber(p.version)
		}
		l.b = filled(l.b, strconv.Itoa(version)+",", len(s.pieces[i].tokens))
	}
	l.close()
	l.ones("attention_mask", tokens(s.pieces))
	l.number("rewards", s.ret())
	e.origin("metadata", s, s.pieces)
	e.end()
}
