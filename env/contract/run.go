package contract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"sparkd"
)

// run is one run over one source.
type run struct {
	Options
	ctx    context.Context
	source Source
	info   sparkd.EnvInfo
	tasks  []sparkd.Task
	report *Report
	copies []sparkd.Env // that the check under way has opened
	steps  int          // taken so far
	late   int          // faults that are calls without an answer
}

// patience is how many calls without an answer are waited for; what comes then is left out.
const (
	patience = 2
	hasty    = skip("left out, for calls are not answered")
)

// A check of the whole environment, and one of each task, along the task's reference walk. They return a note, and
// as an error a *Fault or a skip.
type (
	once    func(*run) (string, error)
	eachOne func(*run, *walk) (string, error)
)

// once and each are the parts of the contract in the order of the report, but for the last, which Run adds.
var (
	first = []struct {
		name string
		run  once
	}{{"describes itself", (*run).describes}, {"has the tasks that it lists", (*run).lists}}

	each = []struct {
		name string
		run  eachOne
	}{
		{"repeats itself", (*run).repeats},
		{"copies its state", (*run).forks},
		{"replays in one call", (*run).replays},
		{"keeps copies apart", (*run).apart},
		{"accepts the actions that it lists", (*run).accepts},
		{"answers text that is no action", (*run).unknown},
		{"ends an episode once", (*run).ends},
	}

	last = []struct {
		name string
		run  once
	}{
		{"survives calls that are cut off", (*run).cancellation},
		{"does not grow", (*run).grows},
		{"speed", (*run).measure},
	}
)

// all runs all checks.
func (r *run) all() {
	for _, c := range first {
		r.note(c.name, func() (string, error) { return c.run(r) })
	}
	for i, task := range r.tasks {
		if r.late >= patience {
			break
		}
		ref, err := r.reference(task)
		r.enter("walks", r.closed(err), fmt.Sprintf("%d steps", r.steps), task)
		for j, c := range each {
			r.Progress((float64(i)+float64(j)/float64(len(each)))/float64(len(r.tasks)+1), task.String()+" "+c.name)
			note, err := "", error(skip("there is no walk"))
			switch {
			case r.late >= patience:
				err = hasty
			case ref != nil:
				note, err = c.run(r, ref)
			}
			r.enter(c.name, r.closed(err), note, task)
		}
	}
	for i, c := range last {
		part := float64(i) / float64(len(last))
		r.Progress((float64(len(r.tasks))+part)/float64(len(r.tasks)+1), c.name)
		r.note(c.name, func() (string, error) {
			if r.late >= patience {
				return "", hasty
			}
			return c.run(r)
		})
	}
}

// note runs a check of the whole environment.
func (r *run) note(name string, check func() (string, error)) {
	note, err := check()
	r.enter(name, r.closed(err), note, sparkd.Task{})
}

// enter notes the outcome of a check, of one task where it is named.
func (r *run) enter(name string, err error, note string, task sparkd.Task) {
	i := slices.IndexFunc(r.report.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		i = len(r.report.Checks)
		r.report.Checks = append(r.report.Checks, Check{Name: name, State: Skipped, Faults: []Fault{}})
	}
	about := ""
	if task.Env != "" {
		about = task.String()
	}
	if r.ctx.Err() != nil { // nothing is known
		r.report.Interrupted = cmp.Or(r.report.Interrupted, strings.TrimSpace(about+" "+name))
		return
	}
	c := &r.report.Checks[i]
	var why skip
	var f *Fault
	switch {
	case errors.As(err, &why):
		if c.State == Skipped {
			c.Note = string(why)
		}
		return
	case errors.As(err, &f):
		found := *f
		if f.late {
			r.late++
		}
		found.Task = about
		c.State, c.Faults = Failed, append(c.Faults, found)
	case c.State == Skipped:
		c.State, c.Note = OK, note
	default:
		c.Note = note
	}
}

// closed closes the copies of a check that ended with err.
func (r *run) closed(err error) error { return r.closedFrom(0, err) }

// closedFrom closes those that were opened after the first n.
func (r *run) closedFrom(n int, err error) error {
	for _, e := range r.copies[n:] {
		if closing := e.Close(); closing != nil && err == nil {
			err = failing("closing a copy", closing)
		}
	}
	r.copies = r.copies[:n]
	return err
}

// open returns a fresh copy, which is closed when the check ends.
func (r *run) open() (sparkd.Env, error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.Limit)
	defer cancel()
	e, err := r.source.Open(ctx)
	if err != nil {
		return nil, failing("opening a copy", err)
	}
	r.copies = append(r.copies, e)
	return e, nil
}

// reset starts a task in a copy.
func (r *run) reset(e sparkd.Env, task sparkd.Task) (o sparkd.Observation, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.Limit)
	defer cancel()
	if o, err = e.Reset(ctx, task); err != nil {
		return o, failing(fmt.Sprintf("reset to %v", task), err)
	}
	return o, wellFormed(&o)
}

// start is a fresh copy in which a task is started.
func (r *run) start(task sparkd.Task) (e sparkd.Env, o sparkd.Observation, err error) {
	if e, err = r.open(); err == nil {
		o, err = r.reset(e, task)
	}
	return e, o, err
}

// step takes an action in a copy.
func (r *run) step(e sparkd.Env, action string) (o sparkd.Observation, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.Limit)
	defer cancel()
	if o, err = e.Step(ctx, action); err != nil {
		return o, failing(fmt.Sprintf("step %q", action), err)
	}
	return o, wellFormed(&o)
}

// wellFormed checks one observation by itself.
func wellFormed(o *sparkd.Observation) error {
	switch {
	case math.IsNaN(o.Reward) || math.IsInf(o.Reward, 0):
		return wrong("let every reward be a finite number", "a reward of %v", o.Reward)
	case !slices.IsSorted(o.Admissible):
		return wrong("sort them", "admissible actions are not sorted: %q", o.Admissible)
	case slices.ContainsFunc(o.Admissible, func(a string) bool { return a == "" }):
		return wrong("list what an agent can write", "one of the admissible actions is empty: %q", o.Admissible)
	case o.Success && !o.Done:
		return wrong("say success together with done", "success without the end of the episode")
	}
	return nil
}
