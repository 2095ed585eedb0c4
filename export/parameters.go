package export

import (
	"strconv"
	"strings"

	"sparkd"
	"sparkd/branching/advantage"
)

// Parameter is an option by name, as the HTTP API and the command line take it.
type Parameter struct {
	Name   string // with underscores
	About  string // with a word for the value in back quotes
	Switch bool   // true or false
	set    func(o *Options, name, value string) error
}

// Set sets the parameter from text; the error names it.
func (p *Parameter) Set(o *Options, value string) error { return p.set(o, p.Name, value) }

// Parameters lists the options that have a name: those of exports, then those of estimators.
func Parameters() []Parameter {
	d := DefaultOptions()
	keys, most := strings.Join(filterKeys(), ", "), strconv.Itoa(d.Pairs.Most)
	list := []Parameter{
		{"format", "`form` of the lines: " + choice(Formats(), d.Format), false,
			into(readText, func(o *Options) *string { return &o.Format })},
		{"dedupe", "`what` becomes of shared steps: " + choice(Dedupes(), d.Dedupe), false,
			into(readText, func(o *Options) *string { return &o.Dedupe })},
		{"advantage", "advantage `estimator`: " + choice(advantage.Names(), d.Advantage), false,
			into(readText, func(o *Options) *string { return &o.Advantage })},
		{"filter", "only trees and trajectories with this `key=value`; keys: " + keys, false,
			into(func(_, value string) (Filter, error) { return ParseFilter(value) },
				func(o *Options) *Filter { return &o.Filter })},
		{"pairs", "trl-dpo: `source` of pairs: " + choice(PairSources(), d.Pairs.By), false,
			into(readText, func(o *Options) *string { return &o.Pairs.By })},
		{"pairs_margin", "trl-dpo: least `difference` of two returns", false,
			into(readFloat, func(o *Options) *float64 { return &o.Pairs.Margin })},
		{"pairs_most", "trl-dpo: most `pairs` of a fork or group; 0 for all (default " + most + ")", false,
			into(readInt, func(o *Options) *int { return &o.Pairs.Most })},
		{"entropies", "add per-token entropies (tree, rows)", true,
			into(readBool, func(o *Options) *bool { return &o.Entropies })},
		{"text", "add texts, where the format has a place for them", true,
			into(readBool, func(o *Options) *bool { return &o.Text })},
	}
	for _, name := range advantage.OptionNames() {
		list = append(list, Parameter{name, estimatorOptions[name], name == "process_rewards",
			func(o *Options, name, value string) error { return o.Estimator.Set(name, value) }})
	}
	return list
}

// into returns what reads a value into an option.
func into[T any](read func(field, value string) (T, error), at func(*Options) *T) func(*Options, string, string) error {
	return func(o *Options, name, value string) (err error) {
		*at(o), err = read(name, value)
		return err
	}
}

func readText(_, value string) (string, error) { return value, nil }

func choice(known []string, usual string) string {
	return strings.Join(known, ", ") + " (default " + usual + ")"
}

// estimatorOptions words the options of estimators; see advantage.Options. Where no
// default is stated it is the estimator's own.
var estimatorOptions = map[string]string{
	"reward_scale":    "estimator: `factor` of every reward",
	"invalid_penalty": "spark-*, gigpo: `amount` off the score of a step of invalid format (default 0.1)",
	"epsilon":         "estimator: `amount` added to standard deviations (default 1e-06)",
	"std":             "estimator: `kind` of standard deviation: unbiased, population",
	"process_rewards": "grpo, drgrpo, arpo-hard, spark-*: credit a step with the rewards from there on",
	"discount":        "`gamma` of process rewards, and of gigpo",
	"norm":            "gigpo: `norm`: mean_std_norm, mean_norm",
	"step_weight":     "gigpo: `weight` of the step advantage",
	"value_mode":      "at2po: `mode` of values: child_softmax, child_mean, leaf_mean",
	"advantage_mode":  "at2po: `mode` of advantages: node_value, diff_parent, diff_global, diff_localglobal",
	"leaf_value":      "treerl: `value` of a leaf: rloo, return",
	"weighting":       "treepo: `weighting`: average, size",
}

func readFloat(field, value string) (float64, error) {
	x, err := strconv.ParseFloat(value, 64)
	if err != nil || !sparkd.Finite(x) {
		return 0, sparkd.Invalid(field, "use a finite number", "%q is none", value)
	}
	return x, nil
}

func readInt(field, value string) (int, error) {
	x, err := strconv.Atoi(value)
	if err != nil {
		return 0, sparkd.Invalid(field, "use a whole number", "%q is none", value)
	}
	return x, nil
}

func readBool(field, value string) (bool, error) {
	switch value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, sparkd.Invalid(field, "use true or false", "%q is neither", value)
}
