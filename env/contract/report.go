package contract

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sparkd"
)

// Report is what came of a run.
type Report struct {
	Env    string   `json:"env"`
	Fork   string   `json:"fork"` // how a state is copied
	Tasks  []string `json:"tasks"`
	Seed   uint64   `json:"seed"`
	Steps  int      `json:"steps"` // of a walk, at most
	Checks []Check  `json:"checks"`
	Speed  *Speed   `json:"speed"` // null: not measured
	// Interrupted is the check, and its task, that the end of the context broke off; what it and those behind it would
	// have found is not known.
	Interrupted string `json:"interrupted,omitempty"`
}

// Faults counts what is wrong.
func (r *Report) Faults() (n int) {
	for i := range r.Checks {
		n += len(r.Checks[i].Faults)
	}
	return n
}

// State is the outcome of a check.
type State string

// States of a check.
const (
	OK      State = "ok"
	Failed  State = "failed"
	Skipped State = "skipped" // nothing of the kind was there to check
)

// Check is one part of the contract.
type Check struct {
	Name   string  `json:"name"`
	State  State   `json:"state"`
	Note   string  `json:"note"` // what was checked, or why nothing was
	Faults []Fault `json:"faults"`
}

// Fault is the first thing that was wrong in one check of one task.
type Fault struct {
	Task    string   `json:"task,omitempty"`
	Message string   `json:"message"`
	Field   string   `json:"field,omitempty"`   // of the observation that is another one
	Want    string   `json:"want,omitempty"`    // its value where it was seen first
	Got     string   `json:"got,omitempty"`     // and here
	Actions []string `json:"actions,omitempty"` // from the reset on, up to there
	Remedy  string   `json:"remedy"`

	late bool // a call was not answered in time
}

// Error implements error.
func (f *Fault) Error() string {
	text := f.Message
	if f.Field != "" {
		text += fmt.Sprintf(": %s is %s, and was %s", f.Field, f.Got, f.Want)
	}
	if len(f.Actions) > 0 {
		text += fmt.Sprintf(", after the actions %q", f.Actions)
	}
	if f.Task != "" {
		text = f.Task + ": " + text
	}
	return text
}

// failing is the fault of a call that returned an error.
func failing(what string, err error) error {
	f := &Fault{Message: fmt.Sprintf("%s: %v", what, err), Remedy: "see what the environment wrote to its log",
		late: sparkd.CodeOf(err) == sparkd.CodeDeadline}
	var e *sparkd.Error
	if errors.As(err, &e) && e.Remedy != "" {
		f.Message, f.Remedy = what+": "+e.Message, e.Remedy
		if e.Field != "" {
			f.Remedy = e.Field + ": " + f.Remedy
		}
	}
	return f
}

// wrong is a fault in words.
func wrong(remedy, format string, args ...any) error {
	return &Fault{Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// skip is why there was nothing to check. It is an error so that checks can return it.
type skip string

func (s skip) Error() string { return string(s) }

// difference finds the first field in which an observation is another one than that seen before.
func difference(was, is *sparkd.Observation) (field, want, got string, differs bool) {
	if reflect.DeepEqual(was, is) { // megabytes, perhaps
		return "", "", "", false
	}
	list := func(actions []string) string {
		if actions == nil {
			return "not known"
		}
		return fmt.Sprintf("%q", actions)
	}
	for _, f := range []struct{ name, want, got string }{
		{"text", strconv.Quote(was.Text), strconv.Quote(is.Text)},
		{"goal", strconv.Quote(was.Goal), strconv.Quote(is.Goal)},
		{"reward", fmt.Sprint(was.Reward), fmt.Sprint(is.Reward)},
		{"done", fmt.Sprint(was.Done), fmt.Sprint(is.Done)},
		{"success", fmt.Sprint(was.Success), fmt.Sprint(is.Success)},
		{"admissible", list(was.Admissible), list(is.Admissible)},
	} {
		if f.want != f.got {
			want, got = around(f.want, f.got)
			return f.name, want, got, true
		}
	}
	return "", "", "", false
}

// differ reports whether two observations are not the same.
func differ(a, b *sparkd.Observation) bool {
	_, _, _, differs := difference(a, b)
	return differs
}

// Bytes of two values that a fault shows before and behind the first byte in which they differ.
const (
	lead = 80
	tail = 240
)

// around cuts two values to what is around their first difference.
func around(a, b string) (string, string) {
	first := 0
	for first < min(len(a), len(b)) && a[first] == b[first] {
		first++
	}
	cut := func(s string) string {
		from, to, before, behind := max(0, first-lead), min(len(s), first+tail), "…", "…"
		if from == 0 {
			before = ""
		}
		if to == len(s) {
			behind = ""
		}
		return before + strings.ToValidUTF8(s[from:to], "") + behind
	}
	return cut(a), cut(b)
}

// splitsOf lists the splits of an environment, train first: it is what most tasks are of.
func splitsOf(info sparkd.EnvInfo) []string {
	var splits []string
	for split := range info.Splits {
		splits = append(splits, split)
	}
	slices.SortFunc(splits, func(a, b string) int {
		if (a == "train") != (b == "train") {
			return map[bool]int{true: -1, false: 1}[a == "train"]
		}
		return strings.Compare(a, b)
	})
	return splits
}
