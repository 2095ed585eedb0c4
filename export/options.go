package export

import (
	"cmp"
	"slices"
	"strings"

	"sparkd"
	"sparkd/branching/advantage"
)

// Options say what an export looks like; start from DefaultOptions.
type Options struct {
	Format    string            // one of Formats
	Dedupe    string            // one of Dedupes
	Advantage string            // one of advantage.Names
	Estimator advantage.Options // parameters of the estimator
	Pairs     Pairs             // of format trl-dpo
	Filter    Filter            // what is exported
	Entropies bool              // adds per-token entropies, where the format has room for them
	Text      bool              // adds the texts of outputs and observations, where the format has room for them
	Checksum  bool              // the manifest holds the lines' SHA-256

	// Rescore, if set, gives trees other rewards before anything else looks at them. It is called for one tree at
	// a time and returns a copy. A tree that it has an error for is left out and counted.
	Rescore func(*sparkd.Tree) (*sparkd.Tree, error)
}

// DefaultOptions export what SPARK trains on: a row for every step of every trajectory, normalised over all of them.
func DefaultOptions() Options {
	return Options{Format: "rows", Dedupe: "copies", Advantage: "spark-rows", Estimator: advantage.DefaultOptions(),
		Pairs: Pairs{By: "sibling", Most: 4}, Checksum: true}
}

// Dedupes lists what can become of steps that several trajectories share.
func Dedupes() []string { return []string{"copies", "unique", "tree"} }

// PairSources lists what the pairs of format trl-dpo can be made of.
func PairSources() []string { return []string{"sibling", "group"} }

// Validate names the first option at fault.
func (o *Options) Validate() error {
	_, err := advantage.New(o.Advantage, o.Estimator)
	return cmp.Or(oneOf("format", o.Format, Formats()), oneOf("dedupe", o.Dedupe, Dedupes()), err,
		oneOf("pairs", o.Pairs.By, PairSources()), o.Pairs.validate())
}

func (p *Pairs) validate() error {
	switch {
	case !(p.Margin >= 0 && p.Margin <= 1e300):
		return sparkd.Invalid("pairs_margin", "use 0 or the least difference of returns", "%v is no margin", p.Margin)
	case p.Most < 0:
		return sparkd.Invalid("pairs_most", "use 0 for all", "%d is negative", p.Most)
	}
	return nil
}

func oneOf(field, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return sparkd.Invalid(field, "one of "+strings.Join(known, ", "), "unknown %s %q", field, value)
}
