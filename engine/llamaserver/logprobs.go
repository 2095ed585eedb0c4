package llamaserver

import (
	"context"
	"slices"

	"sparkd"
	"sparkd/engine/remote"
)

// addLogprobs sets the logprobs of a continuation. llama-server returns them for all tokens but those that leave a
// character of the text unfinished, and the last ones where a stop string ended it; what is missing is asked for
// with one request each, whose prompt is the sequence up to that token, which the slot still holds.
func (s *server) addLogprobs(
	ctx context.Context, c *remote.Choice, g *generated, a *remote.Ask, slot int,
) error {
	n, probs := len(c.Tokens), g.Probs // of g's tokens the first n are the continuation
	c.Logprobs, c.Tops = make([]float64, n), make([][]float64, n)
	var missing []int
	for i, id := range g.Tokens {
		if len(probs) == 0 || probs[0].ID != id {
			missing = append(missing, i)
			continue
		}
		if i < n && probs[0].Logprob == nil {
			return sparkd.Errorf(sparkd.CodeEngine, "the server reports no logprob for token %d", i)
		}
		if i < n {
			c.Logprobs[i], c.Tops[i] = *probs[0].Logprob, probs[0].tops()
		}
		probs = probs[1:]
	}
	if len(probs) > 0 {
		return sparkd.Errorf(sparkd.CodeEngine, "the server returned logprobs of tokens that it did not return")
	}
	for _, i := range missing {
		if i >= n {
			break
		}
		p, err := s.score(ctx, slices.Concat(a.Prefix, c.Tokens[:i]), c.Tokens[i], a.Top, slot)
		if err != nil {
			return err
		}
		tops := p.tops()
		c.Logprobs[i], c.Tops[i] = *p.Logprob, tops[:min(len(tops), a.Top)]
		s.slots.filled(slot, slices.Concat(a.Prefix, c.Tokens[:i+1])) // the slot has lost what lay behind
	}
	return nil
}

// score returns the logprob of a token behind a prefix. The end of the text is forced
// upon the sampler, because its entry is returned whatever its text is; the logprobs are
// those of the model all the same. The token is looked for among more and more of the best.
func (s *server) score(ctx context.Context, prefix []sparkd.Token, id sparkd.Token, top, slot int) (prob, error) {
	whole := s.Card.Meta.Vocabulary
	for n := 4 * max(top, 16); ; n *= 16 {
		n = min(n, whole)
		greedy := remote.Ask{Prefix: prefix, Seeds: []uint64{0}, Limit: 1, Top: n, Sampling: &sparkd.Sampling{}}
		forced := request(&greedy, slot)
		forced["logit_bias"] = [][]any{{s.eos, 1e6}}
		forced["samplers"] = []string{}
		got, err := s.completion(ctx, forced)
		if err != nil {
			return prob{}, err
		}
		if len(got[0].Probs) == 0 {
			return prob{}, sparkd.Errorf(sparkd.CodeEngine,
				"the server returns no logprobs for a token that was asked for alone")
		}
		p := got[0].Probs[0]
		for _, top := range p.Tops {
			if top.ID == id && top.Logprob != nil {
				p.ID, p.Logprob = id, top.Logprob
				return p, nil
			}
		}
		if n >= whole {
			return prob{}, sparkd.Errorf(sparkd.CodeEngine, "the server returns no logprob for token %d", id)
		}
	}
}

// tops returns the logprobs of the alternatives, best first; null is what cannot come.
func (p *prob) tops() []float64 {
	var out []float64
	for _, t := range p.Tops {
		if t.Logprob != nil {
			out = append(out, *t.Logprob)
		}
	}
	return out
}
