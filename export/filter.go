package export

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"sparkd"
)

// Filter says what of an export is written. Its zero value keeps all. It changes no number: trees and trajectories are
// left out once they have been compared with all of their group. Tags name the keys of conditions.
type Filter struct {
	Tree          trees          `filter:"tree"`           // of trees: ids, with | between them
	Except        trees          `filter:"except"`         // of trees: ids of those to leave out
	Rollout       string         `filter:"rollout"`        // of trees
	Env           string         `filter:"env"`            // of trees
	Split         string         `filter:"split"`          // of trees
	Task          string         `filter:"task"`           // of trees: "env/split/index"
	PolicyVersion string         `filter:"policy_version"` // of trees: it sampled every step
	Mixed         *bool          `filter:"mixed"`          // of groups: their returns differ
	Outcome       sparkd.Outcome `filter:"outcome"`        // of trajectories
	Success       *bool          `filter:"success"`        // of trajectories
	MinReward     *float64       `filter:"min_reward"`     // of trajectories: least return, in the environment's unit
}

// trees are ids of trees.
type trees []string

func (t trees) String() string { return strings.Join(t, "|") }

// conditions returns the keys and, in the same order, where their values are.
func (f *Filter) conditions() (keys []string, values []reflect.Value) {
	for field, at := range reflect.ValueOf(f).Elem().Fields() {
		keys, values = append(keys, field.Tag.Get("filter")), append(values, at)
	}
	return keys, values
}

func filterKeys() []string {
	keys, _ := new(Filter).conditions()
	return keys
}

var outcomes = []string{string(sparkd.OutcomeSuccess), string(sparkd.OutcomeFailure),
	string(sparkd.OutcomeStepLimit), string(sparkd.OutcomeContext), string(sparkd.OutcomeBudget)}

// ParseFilter reads conditions, key=value with commas between them, all of which must hold: "split=train,success=true".
func ParseFilter(text string) (Filter, error) {
	var f Filter
	if text == "" {
		return f, nil
	}
	seen := map[string]bool{}
	for _, condition := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(condition, "=")
		if !ok || value == "" {
			return f, sparkd.Invalid("filter", "write key=value, with commas between conditions",
				"cannot read %q", condition)
		}
		if seen[key] {
			return f, sparkd.Invalid("filter."+key, "give it once", "given twice")
		}
		seen[key] = true
		if err := f.set(key, value); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *Filter) set(key, value string) (err error) {
	field := "filter." + key
	keys, values := f.conditions()
	i := slices.Index(keys, key)
	if i < 0 {
		return sparkd.Invalid(field, "filters are "+strings.Join(keys, ", "), "unknown filter")
	}
	switch at := values[i].Addr().Interface().(type) {
	case *string:
		*at = value
		if key == "task" {
			err = checkTask(field, value)
		}
	case *trees:
		*at = strings.Split(value, "|")
	case *sparkd.Outcome:
		*at = sparkd.Outcome(value)
		err = oneOf(field, value, outcomes)
	case **bool:
		*at = new(bool)
		**at, err = readBool(field, value)
	case **float64:
		*at = new(float64)
		**at, err = readFloat(field, value)
	}
	return err
}

func checkTask(field, value string) error {
	_, err := sparkd.ParseTask(value)
	if err == nil {
		return nil
	}
	e := *sparkd.AsError(err)
	e.Field = field
	return &e
}

// String is what ParseFilter reads.
func (f *Filter) String() string {
	var conditions []string
	keys, values := f.conditions()
	for i, key := range keys {
		if !values[i].IsZero() {
			conditions = append(conditions, fmt.Sprintf("%s=%v", key, reflect.Indirect(values[i])))
		}
	}
	return strings.Join(conditions, ",")
}

// named returns the condition that the names of a tree do not meet, "" where they meet all.
func (f *Filter) named(t *sparkd.Tree) string {
	switch {
	case f.Tree != nil && !slices.Contains(f.Tree, t.ID):
		return "tree"
	case slices.Contains(f.Except, t.ID):
		return "except"
	case f.Rollout != "" && t.Rollout != f.Rollout:
		return "rollout"
	case f.Env != "" && t.Task.Env != f.Env:
		return "env"
	case f.Split != "" && t.Task.Split != f.Split:
		return "split"
	case f.Task != "" && t.Task.String() != f.Task:
		return "task"
	}
	return ""
}

// sampled returns the condition that the steps of a tree do not meet.
func (f *Filter) sampled(t *sparkd.Tree) string {
	for _, n := range t.Nodes {
		if f.PolicyVersion != "" && n.ID > 0 && !n.Failed() && n.PolicyVersion != f.PolicyVersion {
			return "policy_version"
		}
	}
	return ""
}

// trajectory returns the condition that a trajectory does not meet, "" where it meets all.
func (f *Filter) trajectory(outcome sparkd.Outcome, ret sparkd.Amount) string {
	switch {
	case f.Outcome != "" && outcome != f.Outcome:
		return "outcome"
	case f.Success != nil && (outcome == sparkd.OutcomeSuccess) != *f.Success:
		return "success"
	case f.MinReward != nil && ret.Compare(sparkd.Given(*f.MinReward)) < 0:
		return "min_reward"
	}
	return ""
}
