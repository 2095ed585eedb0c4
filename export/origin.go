package export

// origin says where a token sequence comes from and what an estimator made of it: one number a token of the pieces
// that the line's mask is about. It stands in the field that a format has for what its trainer does not know.
func origin(masked func(*sample) []piece) value[*sample] {
	return object(fields[*sample]{
		{"uid", text((*sample).uidOf), aboutUID},
		{"traj_uid", uid((*sample).ends), `the trajectory, "tree:leaf"`},
		{"segment", integer(func(s *sample) int { return s.segment }),
			"place of the sequence in its trajectory; 0 where that is one sequence"},
		{"last", boolean(func(s *sample) bool { return s.last }), "the trajectory's last sequence"},
		{"steps", integer(func(s *sample) int { return len(s.nodes) }), "steps in the sequence"},
		{"reward", number((*sample).ret), aboutReturn},
		{"outcome", text((*sample).outcome), "how the trajectory ended"},
		{"policy_version", text((*sample).lastVersion), "the weights that sampled the last step"},
		{"token_exact", boolean(func(s *sample) bool { return s.exact }),
			"false: some sampled ids were made from text"},
		{"advantages", pieceNumbers(masked, (*piece).advantageOf), "one a token of the mask, 0 where that is 0"},
		{"weights", pieceNumbers(masked, (*piece).weightOf), "of the token's loss, 0 where the mask is 0; see dedupe"},
	})
}

const aboutOrigin = "where the sequence comes from"
