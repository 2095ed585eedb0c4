package export

import (
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

var filterKeys = []string{"rollout", "env", "split", "task", "policy_version", "mixed", "outcome", "success", "min_reward"}

var outcomes = []string{string(sparkd.OutcomeSuccess), string(sparkd.OutcomeFailure), string(sparkd.OutcomeStepLimit),
	string(sparkd.OutcomeContext), string(sparkd.OutcomeBudget)}

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
			return f, sparkd.Invalid("filter", "write key=value, with commas between conditions", "cannot read %q", condition)
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
	switch key {
	case "rollout":
		f.Rollout = value
	case "env":
		f.Env = value
	case "split":
		f.Split = value
	case "task":
		if _, err := sparkd.ParseTask(value); err != nil {
			e := *sparkd.AsError(err)
			e.Field = field
			return &e
		}
		f.Task = value
	case "policy_version":
		f.PolicyVersion = value
	case "mixed":
		var b bool
		b, err = readBool(field, value)
		f.Mixed = &b
	case "outcome":
		f.Outcome = sparkd.Outcome(value)
		err = oneOf(field, value, outcomes)
	case "success":
		var b bool
		b, err = readBool(field, value)
		f.Success = &b
	case "min_reward":
		var x float64
		x, err = readFloat(field, value)
		f.MinReward = &x
	default:
		return sparkd.Invalid(field, "filters are "+strings.Join(filterKeys, ", "), "unknown filter")
	}
	return err
}

// String is what ParseFilter reads.
func (f *Filter) String() string {
	var text []string
	add := func(key, value string) {
		if value != "" {
			text = append(text, key+"="+value)
		}
	}
	add("rollout", f.Rollout)
	add("env", f.Env)
	add("split", f.Split)
	add("task", f.Task)
	add("policy_version", f.PolicyVersion)
	if f.Mixed != nil {
		add("mixed", strconv.FormatBool(*f.Mixed))
	}
	add("outcome", string(f.Outcome))
	if f.Success != nil {
		add("success", strconv.FormatBool(*f.Success))
	}
	if f.MinReward != nil {
		add("min_reward", strconv.FormatFloat(*f.MinReward, 'g', -1, 64))
	}
	return strings.Join(text, ",")
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
