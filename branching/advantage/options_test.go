package advantage

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"sparkd"
)

func TestNewEstimatorRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		edit  func(*Options)
		field string
	}{
		{"ppo", func(*Options) {}, "advantage"},
		{"grpo", func(o *Options) { o.RewardScale = -1 }, "reward_scale"},
		{"grpo", func(o *Options) { o.RewardScale = math.Inf(1) }, "reward_scale"},
		{"spark-rows", func(o *Options) { o.InvalidPenalty = -1 }, "invalid_penalty"},
		{"spark-rows", func(o *Options) { o.Std = "sample" }, "std"},
		{"spark-rows", func(o *Options) { o.Epsilon = math.NaN() }, "epsilon"},
		{"rloo", func(o *Options) { o.Std = "population" }, "std"},
		{"rloo", func(o *Options) { o.ProcessRewards = true }, "process_rewards"},
		{"grpo", func(o *Options) { o.Discount = .9 }, "discount"}, // without process rewards
		{"gigpo", func(o *Options) { o.Discount = 1.1 }, "discount"},
		{"gigpo", func(o *Options) { o.Discount = math.NaN() }, "discount"},
		{"gigpo", func(o *Options) { o.StepWeight = -1 }, "step_weight"},
		{"gigpo", func(o *Options) { o.Norm = "std" }, "norm"},
		{"grpo", func(o *Options) { o.ValueMode = "leaf_mean" }, "value_mode"},
		{"at2po", func(o *Options) { o.ValueMode = "max" }, "value_mode"},
		{"at2po", func(o *Options) { o.AdvantageMode = "vanilla" }, "advantage_mode"},
		{"treerl", func(o *Options) { o.LeafValue = "z" }, "leaf_value"},
		{"treepo", func(o *Options) { o.Weighting = "sum" }, "weighting"},
	} {
		o := DefaultOptions()
		tt.edit(&o)
		_, err := New(tt.name, o)
		if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeInvalid || e.Field != tt.field || e.Remedy == "" {
			t.Errorf("%s %+v: %v, want an invalid %s with a remedy", tt.name, o, err, tt.field)
		}
	}
}

// TestOptionsInUse: what is left out becomes the estimator's own.
func TestOptionsInUse(t *testing.T) {
	for name, want := range map[string]Options{
		"grpo": {RewardScale: 10, InvalidPenalty: .1, Epsilon: 1e-6, Std: "unbiased"},
		"rloo": {RewardScale: 1, InvalidPenalty: .1, Epsilon: 1e-6},
		"gigpo": {RewardScale: 10, InvalidPenalty: .1, Epsilon: 1e-6, Std: "unbiased",
			Discount: .95, Norm: "mean_std_norm", StepWeight: 1},
		"at2po": {RewardScale: 1, InvalidPenalty: .1, Epsilon: 1e-6, Std: "population",
			ValueMode: "child_softmax", AdvantageMode: "node_value"},
	} {
		e, err := New(name, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() != name || e.Options() != want {
			t.Errorf("%s uses %+v, want %+v", e.Name(), e.Options(), want)
		}
	}
}

// TestOptionNames: every field of Options can be set by the name that JSON gives it.
func TestOptionNames(t *testing.T) {
	fields := reflect.TypeFor[Options]()
	if len(OptionNames()) != fields.NumField() {
		t.Fatalf("%d names for %d fields", len(OptionNames()), fields.NumField())
	}
	values := map[reflect.Kind]string{reflect.Float64: "0.25", reflect.Bool: "true", reflect.String: "word"}
	for i, name := range OptionNames() {
		value := values[field(t, name).Kind()]
		var o Options
		if err := o.Set(name, value); err != nil {
			t.Fatal(err)
		}
		text := value
		if field(t, name).Kind() == reflect.String {
			text = `"word"`
		}
		var decoded Options
		err := json.Unmarshal([]byte(`{"`+name+`":`+text+`}`), &decoded)
		if err != nil || decoded != o || o == (Options{}) {
			t.Errorf("%d %s: set %+v, decoded %+v, %v", i, name, o, decoded, err)
		}
	}
}

// TestSetRefuses: what would be taken for something else is refused.
func TestSetRefuses(t *testing.T) {
	for name, value := range map[string]string{
		"reward_scale": "0", "discount": "0.0", "step_weight": "-0", "epsilon": "",
		"process_rewards": "1", "gamma": "1",
	} {
		o := DefaultOptions()
		if e := sparkd.AsError(o.Set(name, value)); e == nil || e.Field != name || e.Remedy == "" {
			t.Errorf("%s=%s: %v, want it refused with a remedy", name, value, e)
		}
	}
	for _, name := range []string{"invalid_penalty", "epsilon"} {
		if o := DefaultOptions(); o.Set(name, "0") != nil {
			t.Errorf("%s: 0 is refused", name)
		}
	}
}

func field(t *testing.T, name string) reflect.Value {
	t.Helper()
	return reflect.ValueOf(new(Options).field(name)).Elem()
}

func FuzzOptionsSet(f *testing.F) {
	f.Add("discount", "0.9")
	f.Add("std", "population")
	f.Add("process_rewards", "maybe")
	f.Add("epsilon", "1e999")
	f.Add("gamma", "1")
	f.Fuzz(func(t *testing.T, name, value string) {
		o := DefaultOptions()
		if err := o.Set(name, value); err != nil {
			if e := sparkd.AsError(err); e.Code != sparkd.CodeInvalid || e.Field != name || e.Remedy == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, estimator := range Names() {
			e, err := New(estimator, o)
			if err == nil {
				_, err = e.Estimate([]*sparkd.Tree{toy()})
			}
			if err != nil && sparkd.CodeOf(err) != sparkd.CodeInvalid {
				t.Fatal(err)
			}
		}
	})
}
