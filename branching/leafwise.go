package branching

import (
	"math/rand/v2"

	"sparkd"
)

// A criterion says whether a live leaf is a critical state, which forks, why, and with which
// score. It is called leaf by leaf in order of node id.
type criterion func(v *view, leaf *sparkd.Node) (critical bool, reason string, score float64)

// leafwise asks the criterion about every live leaf that may fork. B continuations are
// proposed for those that are critical; where places are short, who comes first is drawn.
func leafwise(c criterion, branch int) rule {
	return func(v *view) []proposal {
		var forks, linear []proposal
		for _, n := range v.live {
			if branch < 2 || v.capacity(n.ID) == 0 {
				continue
			}
			critical, reason, score := c(v, n)
			switch {
			case critical:
				forks = append(forks, proposal{node: n.ID, more: branch - 1, reason: reason, score: score})
			case score != 0:
				linear = append(linear, proposal{node: n.ID, score: score})
			}
		}
		shuffle(v.rng, forks)
		return append(forks, linear...)
	}
}

func shuffle(rng *rand.Rand, w []proposal) {
	rng.Shuffle(len(w), func(i, j int) { w[i], w[j] = w[j], w[i] })
}

// never is linear: the M independent chains of GRPO.
func never(*view) []proposal { return nil }

// always forks.
func always(reason string) criterion {
	return func(*view, *sparkd.Node) (bool, string, float64) { return true, reason, 0 }
}

// full forks every live leaf in every round, until N.
func full(p *sparkd.Policy) rule { return leafwise(always("full"), *p.Branch) }

// tagged is SPARK's rule (arXiv 2601.20209, Eq. 5): a leaf forks whose output holds the complete tag, wherever it
// stands in it. An output of invalid format can still ask, as in the released code.
func tagged(p *sparkd.Policy) rule {
	reason := "tag:" + *p.Tag
	return leafwise(func(_ *view, leaf *sparkd.Node) (bool, string, float64) {
		return leaf.Signals.Has(*p.Tag, *p.FoldCase), reason, 0
	}, *p.Branch)
}

// bernoulli forks every live leaf with the given probability: the "fixed" ablation of SPARK.
func bernoulli(p *sparkd.Policy) rule {
	return leafwise(func(v *view, _ *sparkd.Node) (bool, string, float64) {
		return v.rng.Float64() < *p.Probability, "random", *p.Probability
	}, *p.Branch)
}

// randomK forks k live leaves in every round, drawn without replacement; all of them where there are no more (the
// shipped "fixed" criterion of SPARK's code, which draws over the whole batch instead).
func randomK(p *sparkd.Policy) rule {
	all := leafwise(always("random-k"), *p.Branch)
	return func(v *view) []proposal {
		w := all(v) // in drawn order
		return w[:min(*p.Picks, len(w))]
	}
}
