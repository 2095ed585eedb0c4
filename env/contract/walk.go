package contract

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"

	"sparkd"
)

// walk is a path through a task: observations[0] is that of the reset, observations[i] the answer to actions[i-1].
type walk struct {
	task         sparkd.Task
	actions      []string
	observations []sparkd.Observation
}

func (w *walk) last() *sparkd.Observation { return &w.observations[len(w.observations)-1] }

// upTo is the walk up to step n.
func (w *walk) upTo(n int) *walk {
	return &walk{w.task, w.actions[:n:n], w.observations[: n+1 : n+1]}
}

// reference walks a task once; all later walks are compared with it.
func (r *run) reference(task sparkd.Task) (*walk, error) {
	e, o, err := r.start(task)
	switch {
	case err != nil:
		return nil, err
	case o.Text == "":
		return nil, wrong("tell the agent something", "the first observation has no text")
	case o.Done:
		return nil, wrong("let a reset begin an episode, or leave the task out",
			"the first observation says done: there is nothing to do (success %v, reward %v)", o.Success, o.Reward)
	}
	w := &walk{task: task, observations: []sparkd.Observation{o}}
	return w, r.grow(e, w, r.random(uint64(task.Index)), r.Steps)
}

func (r *run) random(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(r.Seed, stream)) }

// grow walks on from the end of w, to the end of the episode or so many steps.
func (r *run) grow(e sparkd.Env, w *walk, rng *rand.Rand, steps int) error {
	for i := 0; i < steps && !w.last().Done; i++ {
		action := r.Actions(rng, *w.last())
		o, err := r.step(e, action)
		if err != nil {
			return w.at(len(w.actions), err)
		}
		r.steps++
		w.actions, w.observations = append(w.actions, action), append(w.observations, o)
	}
	return nil
}

// at adds the actions before step i to a fault.
func (w *walk) at(i int, err error) error {
	if f, ok := err.(*Fault); ok && f.Actions == nil {
		f.Actions = append([]string{}, w.actions[:i]...)
	}
	return err
}

// follow repeats the actions of w from step on to another and compares every answer.
func (r *run) follow(who, remedy string, e sparkd.Env, w *walk, from, to int) error {
	for i := from; i < to; i++ {
		o, err := r.step(e, w.actions[i])
		if err != nil {
			return w.at(i, err)
		}
		if err := w.same(who, remedy, i+1, &o); err != nil {
			return err
		}
	}
	return nil
}

// same compares an observation with that of step i.
func (w *walk) same(who, remedy string, i int, o *sparkd.Observation) error {
	field, want, got, differs := difference(&w.observations[i], o)
	if !differs {
		return nil
	}
	return &Fault{Message: fmt.Sprintf("%s gave another observation at step %d", who, i), Field: field, Want: want,
		Got: got, Actions: append([]string{}, w.actions[:i]...), Remedy: remedy}
}

// repeat resets a copy and walks w up to step n, comparing everything.
func (r *run) repeat(who, remedy string, e sparkd.Env, w *walk, n int) error {
	o, err := r.reset(e, w.task)
	if err == nil {
		err = w.same(who, remedy, 0, &o)
	}
	if err == nil {
		err = r.follow(who, remedy, e, w, 0, n)
	}
	return err
}

// points are the steps at which a walk's states are copied: its ends and some between, never behind the end.
func (w *walk) points() (at []int) {
	n := len(w.actions)
	if w.last().Done {
		n--
	}
	for i := range forkPoints {
		if p := n * i / (forkPoints - 1); len(at) == 0 || p > at[len(at)-1] {
			at = append(at, p)
		}
	}
	return at
}

var words = regexp.MustCompile(`[\pL\pN][\pL\pN_-]*`)

// draw returns what draws actions: of the list, and where there is none of the given ones, or else of what texts and
// examples hold.
func draw(given []string, examples []sparkd.Example) func(*rand.Rand, sparkd.Observation) string {
	plain := []string{"look", "help", "wait", "inventory", "north", "go on", "yes", "no", "submit"}
	for i := range 11 {
		plain = append(plain, strconv.Itoa(i))
	}
	for _, e := range examples {
		plain = append(plain, e.Action)
	}
	return func(rng *rand.Rand, o sparkd.Observation) string {
		from := o.Admissible
		switch {
		case len(from) > 0:
		case len(given) > 0:
			from = given
		default:
			from = append(words.FindAllString(o.Goal+" "+o.Text, 100), plain...)
		}
		return from[rng.IntN(len(from))]
	}
}
