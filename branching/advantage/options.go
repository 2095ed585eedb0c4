package advantage

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sparkd"
)

// Options are the parameters of an estimator; start from DefaultOptions. A zero value,
// except of Epsilon and InvalidPenalty, asks for what the estimator was published with;
// one that the estimator does not have must be left zero.
type Options struct {
	// Multiplies every reward; own: 10 (spark-*, gigpo, grpo, arpo-hard), else 1.
	RewardScale float64 `json:"reward_scale"`
	// spark-*, gigpo: taken off the score of a step whose output has not the required format.
	InvalidPenalty float64 `json:"invalid_penalty"`
	Epsilon        float64 `json:"epsilon"` // added to every standard deviation
	// "unbiased" (n−1, as torch.std) or "population" (n, as numpy.std); own: population for at2po, else unbiased.
	Std string `json:"std,omitempty"`

	// grpo, drgrpo, arpo-hard, spark-*: credit a step with the rewards from there on.
	ProcessRewards bool    `json:"process_rewards,omitempty"`
	Discount       float64 `json:"discount,omitempty"` // γ of those rewards, in (0, 1]; own: 0.95 for gigpo, else 1

	Norm       string  `json:"norm,omitempty"`        // gigpo: "mean_std_norm" (own); "mean_norm" divides by nothing
	StepWeight float64 `json:"step_weight,omitempty"` // gigpo: ω of the step advantage; own: 1
	ValueMode  string  `json:"value_mode,omitempty"`  // at2po: "child_softmax" (own), "child_mean" or "leaf_mean"
	// at2po: "node_value" (own), "diff_parent", "diff_global" or "diff_localglobal".
	AdvantageMode string `json:"advantage_mode,omitempty"`
	LeafValue     string `json:"leaf_value,omitempty"` // treerl: "rloo" (own) or "return"
	Weighting     string `json:"weighting,omitempty"`  // treepo: "average" (own) or "size"
}

// DefaultOptions ask for every estimator as published. The penalty is that of SPARK's and GiGPO's released code.
func DefaultOptions() Options { return Options{InvalidPenalty: 0.1, Epsilon: 1e-6} }

// OptionNames lists the options that Set knows, as JSON has them.
func OptionNames() []string {
	var names []string
	for f := range reflect.TypeFor[Options]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// Set sets the option called name from text, as a command line or a query has it. What it means is checked by New.
func (o *Options) Set(name, value string) error {
	var err error
	switch field := o.field(name).(type) {
	case *float64:
		if *field, err = strconv.ParseFloat(value, 64); err != nil {
			return sparkd.Invalid(name, "use a number, for example 0.5", "cannot read %q", value)
		}
		if *field == 0 && slices.Contains(positive, name) { // which New would take for left out
			return sparkd.Invalid(name, "use a number above 0, or leave it out", "0 is out of range")
		}
	case *bool:
		if value != "true" && value != "false" {
			return sparkd.Invalid(name, "use true or false", "cannot read %q", value)
		}
		*field = value == "true"
	case *string:
		*field = value
	default:
		return sparkd.Invalid(name, "one of "+strings.Join(OptionNames(), ", "), "estimators have no option %q", name)
	}
	return nil
}

// field returns a pointer to the option called name, or nil.
func (o *Options) field(name string) any {
	i := slices.Index(OptionNames(), name)
	if i < 0 {
		return nil
	}
	return reflect.ValueOf(o).Elem().Field(i).Addr().Interface()
}

// positive are the options whose zero value asks for the estimator's own.
var positive = []string{"reward_scale", "discount", "step_weight"}

// shared are the options that every estimator takes.
var shared = []string{"reward_scale", "invalid_penalty", "epsilon"}

// words are the options that are one of a few words, the usual one first.
var words = []struct {
	name  string
	known []string
}{
	{"std", []string{"unbiased", "population"}},
	{"norm", []string{"mean_std_norm", "mean_norm"}},
	{"value_mode", []string{"child_softmax", "child_mean", "leaf_mean"}},
	{"advantage_mode", []string{"node_value", "diff_parent", "diff_global", "diff_localglobal"}},
	{"leaf_value", []string{"rloo", "return"}},
	{"weighting", []string{"average", "size"}},
}

// unused names an option that is set and that m does not have, or returns "".
func (o *Options) unused(m *method) string {
	for _, name := range OptionNames() {
		if slices.Contains(shared, name) || slices.Contains(m.options, name) {
			continue
		}
		if !reflect.ValueOf(o.field(name)).Elem().IsZero() {
			return name
		}
	}
	return ""
}

// complete fills in what m was published with.
func (o *Options) complete(m *method) {
	o.RewardScale = cmp.Or(o.RewardScale, m.scale)
	switch {
	case m.name == "gigpo":
		o.Discount = cmp.Or(o.Discount, 0.95)
		o.StepWeight = cmp.Or(o.StepWeight, 1)
	case m.name == "at2po":
		o.Std = cmp.Or(o.Std, "population")
	case o.ProcessRewards:
		o.Discount = cmp.Or(o.Discount, 1)
	}
	for _, w := range words {
		if field := o.field(w.name).(*string); slices.Contains(m.options, w.name) {
			*field = cmp.Or(*field, w.known[0])
		}
	}
}

// validate names the first option at fault, after complete.
func (o *Options) validate() error {
	switch {
	case !sparkd.Finite(o.RewardScale) || o.RewardScale <= 0:
		return sparkd.Invalid("reward_scale", "use a number above 0; 1 keeps the environment's rewards",
			"%v cannot scale rewards", o.RewardScale)
	case !sparkd.Finite(o.InvalidPenalty) || o.InvalidPenalty < 0:
		return sparkd.Invalid("invalid_penalty", "use 0 (none) or the amount to take off, for example 0.1",
			"%v is not a penalty", o.InvalidPenalty)
	case !sparkd.Finite(o.Epsilon) || o.Epsilon < 0:
		return sparkd.Invalid("epsilon", "use 0 or a small positive number, for example 1e-6",
			"%v is out of range", o.Epsilon)
	case !(o.Discount >= 0 && o.Discount <= 1):
		return sparkd.Invalid("discount", "use a number above 0 and up to 1, for example 0.95",
			"%v is not a discount", o.Discount)
	case !sparkd.Finite(o.StepWeight) || o.StepWeight < 0:
		return sparkd.Invalid("step_weight", "use a positive number, for example 1", "%v is out of range", o.StepWeight)
	}
	for _, w := range words {
		if value := *o.field(w.name).(*string); value != "" && !slices.Contains(w.known, value) {
			return sparkd.Invalid(w.name, "one of "+strings.Join(w.known, ", "), "unknown %s %q", w.name, value)
		}
	}
	return nil
}
