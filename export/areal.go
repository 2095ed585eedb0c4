package export

import "strconv"

// arealFormat has the tensors of a trajectory of AReaL, without the batch dimension
// (areal/experimental/openai/types.py).
var arealFormat = format{
	name: "areal", about: "trajectory tensors of AReaL", logprobs: true,
	lines: sequences(fields[*sample]{
		{"input_ids", ids((*sample).all), "up to the last trained token"},
		{"loss_mask", mask((*sample).all), "1 where the token is trained"},
		{"logprobs", logprobs((*sample).all, "0.0"), "nats, 0.0 where the mask is 0"},
		{"versions", perToken[int]((*sample).all, "-1,", (*buffer).version),
			"policy version of the token, -1 where the mask is 0; 0 where it is no decimal number"},
		{"attention_mask", ones(func(s *sample) int { return tokens(s.pieces) }), "1 everywhere"},
		{"rewards", number((*sample).ret), aboutReturn},
		{"metadata", origin((*sample).all), aboutOrigin},
	}),
}

func (out *buffer) version(p *piece) {
	out.b = repeat(out.b, strconv.Itoa(versionNumber(p.version))+",", len(p.tokens))
}
