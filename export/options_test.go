package export

import (
	"bytes"
	"strings"
	"testing"

	"sparkd"
	"sparkd/branching/advantage"
)

func TestOptionsRefused(t *testing.T) {
	for _, tt := range []struct {
		edit  func(*Options)
		field string
		known []string
	}{
		{func(o *Options) { o.Format = "parquet" }, "format", Formats()},
		{func(o *Options) { o.Format = "" }, "format", Formats()},
		{func(o *Options) { o.Dedupe = "some" }, "dedupe", Dedupes()},
		{func(o *Options) { o.Advantage = "ppo" }, "advantage", advantage.Names()},
		{func(o *Options) { o.Estimator.Std = "x" }, "std", []string{"unbiased", "population"}},
	} {
		o := DefaultOptions()
		tt.edit(&o)
		_, err := NewWriter(&bytes.Buffer{}, o)
		e := sparkd.AsError(err)
		if e == nil || e.Code != sparkd.CodeInvalid || e.Field != tt.field {
			t.Errorf("%+v: %v, want an invalid %s", o, err, tt.field)
			continue
		}
		for _, name := range tt.known {
			if !strings.Contains(e.Remedy, name) {
				t.Errorf("%s: %q does not list %s", tt.field, e.Remedy, name)
			}
		}
	}
}

func TestParameters(t *testing.T) {
	for name, bad := range map[string]string{"filter": "x", "pairs_margin": "wide", "pairs_most": "1.5",
		"entropies": "1", "text": "yes", "reward_scale": "ten", "process_rewards": "maybe"} {
		for _, p := range Parameters() {
			if p.Name != name {
				continue
			}
			o := DefaultOptions()
			e := sparkd.AsError(p.Set(&o, bad))
			if e == nil || e.Code != sparkd.CodeInvalid || !strings.HasPrefix(e.Field, name) {
				t.Errorf("%s=%s: %+v", name, bad, e)
			}
		}
	}
	for _, c := range []struct {
		field  string
		change func(*Options)
	}{
		{"format", func(o *Options) { o.Format = "csv" }},
		{"dedupe", func(o *Options) { o.Dedupe = "" }},
		{"advantage", func(o *Options) { o.Advantage = "ppo" }},
		{"pairs", func(o *Options) { o.Pairs.By = "cousin" }},
		{"pairs_margin", func(o *Options) { o.Pairs.Margin = -1 }},
		{"pairs_most", func(o *Options) { o.Pairs.Most = -1 }},
		{"std", func(o *Options) { o.Estimator.Std = "n-2" }},
	} {
		o := DefaultOptions()
		c.change(&o)
		if e := sparkd.AsError(o.Validate()); e == nil || e.Field != c.field || e.Remedy == "" {
			t.Errorf("want an error about %s, got %+v", c.field, e)
		}
	}
}
