package alfworld

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"sparkd"
)

// Env plays one game. It implements sparkd.Forker: its state is a few hundred words, the
// rest is shared and never changes.
type Env struct {
	open  func(t sparkd.Task) (*world, error)
	world *world
	state state
	menu  menu
	done  bool
	table table
}

// New returns an Env of generated houses that waits for Reset.
func New() *Env { return &Env{open: generated} }

// generated makes the world of a task of the splits in [Household.Info].
func generated(t sparkd.Task) (*world, error) {
	p, err := ProblemOf(t)
	if err != nil {
		return nil, err
	}
	return newWorld(p)
}

// Reset starts a task.
func (e *Env) Reset(ctx context.Context, t sparkd.Task) (sparkd.Observation, error) {
	if err := ctx.Err(); err != nil {
		return sparkd.Observation{}, err
	}
	w, err := e.open(t)
	if err != nil {
		return sparkd.Observation{}, err
	}
	return e.start(w), nil
}

func (e *Env) start(w *world) sparkd.Observation {
	e.world = w
	e.state = slices.Clone(w.first)
	e.menu = w.applicable(e.state)
	e.done = w.won(e.state)
	o := e.observe(w.intro)
	o.Goal = w.phrasing.sentence
	return o
}

// Step applies an action. Text that is none of the admissible actions is answered by
// "Nothing happens." The observation's Admissible is shared and must not be changed.
func (e *Env) Step(ctx context.Context, text string) (sparkd.Observation, error) {
	switch {
	case ctx.Err() != nil:
		return sparkd.Observation{}, ctx.Err()
	case e.world == nil:
		return sparkd.Observation{}, errNotStarted
	case e.done:
		return sparkd.Observation{}, errOver
	}
	return e.step(text), nil
}

var (
	errNotStarted = sparkd.NewError(sparkd.CodeEnv, "", "call Reset first", "no game has been started")
	errOver       = sparkd.NewError(sparkd.CodeEnv, "", "call Reset to start another", "the game is over")
)

// step applies an action, also after a win: the rules of ALFWorld know no end.
func (e *Env) step(text string) sparkd.Observation {
	i, ok := slices.BinarySearch(e.menu.commands, strings.TrimFunc(text, isSpace))
	if !ok {
		return e.observe(nothingHappens)
	}
	a := e.act(i)
	return e.observe(e.world.describe(e.state, a, &e.table))
}

// act carries out the i-th action of the menu.
func (e *Env) act(i int) action {
	a := e.menu.actions[i]
	if e.world.apply(e.state, a) {
		e.menu = e.world.applicable(e.state)
		e.done = e.world.won(e.state)
	}
	return a
}

func (e *Env) observe(text string) sparkd.Observation {
	o := sparkd.Observation{Text: text, Admissible: e.menu.commands, Done: e.done, Success: e.done}
	if e.done {
		o.Reward = 1
	}
	return o
}

// Fork returns an independent copy of the current state.
func (e *Env) Fork(ctx context.Context) (sparkd.Env, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.fork(), nil
}

func (e *Env) fork() *Env {
	c := *e
	c.state, c.table = slices.Clone(e.state), table{}
	return &c
}

// Close does nothing: an Env holds memory alone.
func (e *Env) Close() error { return nil }

// isSpace is what Python's str.strip removes, which is what TextWorld does to a command.
func isSpace(r rune) bool { return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f' }
