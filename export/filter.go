package export

import (
	"slices"
	"strconv"
	"strings"

	"sparkd"
)

// Filter keeps trees and trajectories of a kind. Its zero value keeps all. Trajectories
// are filtered once they have been compared with all of their group.
type Filter struct {
	Rollout       string         // of trees
	Env           string         // of trees
	Split         string         // of trees
	Task          string         // of trees: "env/split/index"
	PolicyVersion string         // of trees: it sampled every step
	Mixed         *bool          // of groups: their returns differ
	Outcome       sparkd.Outcome // of trajectories
	Success       *bool          // of trajectories
	MinReward     *float64       // of trajectories: least return, in the environment's unit
}

// filterKey is a key of a condition and where its value is kept: *string, *sparkd.Outcome,
// **bool or **float64.
type filterKey struct {
	name string
	at   func(*Filter) any
}

var filterKeys = []filterKey{
	{"rollout", func(f *Filter) any { return &f.Rollout }},
	{"env", func(f *Filter) any { return &f.Env }},
	{"split", func(f *Filter) any { return &f.Split }},
	{"task", func(f *Filter) any { return &f.Task }},
	{"policy_version", func(f *Filter) any { return &f.PolicyVersion }},
	{"mixed", func(f *Filter) any { return &f.Mixed }},
	{"outcome", func(f *Filter) any { return &f.Outcome }},
	{"success", func(f *Filter) any { return &f.Success }},
	{"min_reward", func(f *Filter) any { return &f.MinReward }},
}

func filterNames() []string {
	names := make([]string, len(filterKeys))
	for i := range filterKeys {
		names[i] = filterKeys[i].name
	}
	return names
}

var outcomes = []string{string(sparkd.OutcomeSuccess), string(sparkd.OutcomeFailure),
	string(sparkd.OutcomeStepLimit), string(sparkd.OutcomeContext), string(sparkd.OutcomeBudget)}

// ParseFilter reads conditions, key=value with commas between them, all of which must
// hold: "split=train,success=true".
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
	i := slices.IndexFunc(filterKeys, func(k filterKey) bool { return k.name == key })
	if i < 0 {
		return sparkd.Invalid(field, "filters are "+strings.Join(filterNames(), ", "), "unknown filter")
	}
	switch at := filterKeys[i].at(f).(type) {
	case *string:
		*at = value
		if key == "task" {
			err = checkTask(field, value)
		}
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
	for _, k := range filterKeys {
		value := ""
		switch at := k.at(f).(type) {
		case *string:
			value = *at
		case *sparkd.Outcome:
			value = string(*at)
		case **bool:
			if *at != nil {
				value = strconv.FormatBool(**at)
			}
		case **float64:
			if *at != nil {
				value = strconv.FormatFloat(**at, 'g', -1, 64)
			}
		}
		if value != "" {
			conditions = append(conditions, k.name+"="+value)
		}
	}
	return strings.Join(conditions, ",")
}

// tree returns the condition that a tree does not meet, "" where it meets all.
func (f *Filter) tree(t *sparkd.Tree) string {
	switch {
	case f.Rollout != "" && t.Rollout != f.Rollout:
		return "rollout"
	case f.Env != "" && t.Task.Env != f.Env:
		return "env"
	case f.Split != "" && t.Task.Split != f.Split:
		return "split"
	case f.Task != "" && t.Task.String() != f.Task:
		return "task"
	}
	for _, n := range t.Nodes {
		if f.PolicyVersion != "" && n.ID > 0 && !n.Failed() && n.PolicyVersion != f.PolicyVersion {
			return "policy_version"
		}
	}
	return ""
}

// trajectory returns the condition that a trajectory does not meet, "" where it meets all.
func (f *Filter) trajectory(outcome sparkd.Outcome, ret float64) string {
	switch {
	case f.Outcome != "" && outcome != f.Outcome:
		return "outcome"
	case f.Success != nil && (outcome == sparkd.OutcomeSuccess) != *f.Success:
		return "success"
	case f.MinReward != nil && ret < *f.MinReward:
		return "min_reward"
	}
	return ""
}
