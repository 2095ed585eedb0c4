package contract

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"sparkd"
)

// remedies say what to look at where a copy is not what it was copied of.
var remedies = map[string]string{
	sparkd.ForkNative: "copy all that step reads and changes, counters and random generators too, and share none of it",
	sparkd.ForkSnapshot: "write down in snapshot all that step reads, counters and random generators too, and set " +
		"all of it in restore",
	sparkd.ForkReplay: drawn,
}

// copied words what a copy was made by.
var copied = map[string]string{sparkd.ForkNative: "a fork", sparkd.ForkSnapshot: "a copy restored from a snapshot",
	sparkd.ForkReplay: "a replay"}

// forks checks, at some states of the walk, that a copy goes on as the walk does up to its end; that one which goes
// another way sees what a fresh copy sees which is led there; that a copy of a copy is as good; and that all of this
// leaves the parent alone.
func (r *run) forks(ref *walk) (string, error) {
	way, remedy := copied[r.info.Fork], remedies[r.info.Fork]
	parent, err := r.open()
	if err == nil {
		err = r.repeat("a parent of copies", drawn, parent, ref, 0)
	}
	at, points := 0, ref.points()
	for _, to := range points {
		if err == nil {
			err = r.follow("a parent of copies", remedy, parent, ref, at, to)
		}
		if at = to; err == nil {
			err = r.closedFrom(1, r.branches(way, remedy, parent, ref, at))
		}
	}
	if err == nil {
		err = r.follow("a parent whose copies went other ways", remedy, parent, ref, at, len(ref.actions))
	}
	return fmt.Sprintf("%s, at %d states of a walk", r.info.Fork, len(points)), err
}

// branches copies the parent, which is at a step of the walk, and follows the copies to their ends.
func (r *run) branches(way, remedy string, parent sparkd.Env, ref *walk, at int) error {
	astray, err := r.copy(parent, ref, at)
	if err != nil {
		return ref.at(at, err)
	}
	twin, err := r.copy(parent, ref, at)
	if err != nil {
		return ref.at(at, err)
	}
	path := ref.upTo(at)
	if err := r.grow(astray, path, r.random(uint64(1000+at)), r.Steps); err != nil {
		return err
	}
	middle := (at + len(ref.actions)) / 2
	if err := r.follow(way+" made at step "+fmt.Sprint(at), remedy, twin, ref, at, middle); err != nil {
		return err
	}
	if middle < len(ref.actions) {
		again, err := r.copy(twin, ref, middle)
		if err != nil {
			return ref.at(middle, err)
		}
		if err := r.follow(way+" of a copy", remedy, again, ref, middle, len(ref.actions)); err != nil {
			return err
		}
	}
	if err := r.follow(way+" made at step "+fmt.Sprint(at), remedy, twin, ref, middle, len(ref.actions)); err != nil {
		return err
	}
	led, err := r.open()
	if err != nil {
		return err
	}
	who := fmt.Sprintf("a fresh copy that was led where %s made at step %d went,", way, at)
	return r.repeat(who, remedy, led, path, len(path.actions))
}

// copy copies e, which is at a step of the walk, in the way that the environment declares.
func (r *run) copy(e sparkd.Env, ref *walk, at int) (sparkd.Env, error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.Limit)
	defer cancel()
	if f, ok := e.(sparkd.Forker); ok {
		c, err := f.Fork(ctx)
		if err != nil {
			return nil, failing(fmt.Sprintf("fork after %d steps", at), err)
		}
		r.copies = append(r.copies, c)
		return c, nil
	}
	c, err := r.open()
	if err != nil {
		return nil, err
	}
	from, ok := e.(sparkd.Snapshotter)
	if !ok {
		return c, r.repeat("a replay", drawn, c, ref, at)
	}
	state, err := from.Snapshot(ctx)
	if err != nil {
		return nil, failing(fmt.Sprintf("snapshot after %d steps", at), err)
	}
	if err := c.(sparkd.Snapshotter).Restore(ctx, ref.task, state); err != nil {
		return nil, failing(fmt.Sprintf("restore after %d steps", at), err)
	}
	clear(state) // nobody may hold on to it
	return c, nil
}

const shared = "keep the state of an episode in its instance: nothing in classes, modules or files that copies share"

// apart checks that copies which play beside each other do not meet: two on the walk's task, step by step with one
// that goes another way, and one on another task; then as many at the same time.
func (r *run) apart(ref *walk) (string, error) {
	const beside = "a copy beside others"
	var on [2]sparkd.Env
	for i := range on {
		e, err := r.open()
		if err == nil {
			err = r.repeat(beside, shared, e, ref, 0)
		}
		if err != nil {
			return "", err
		}
		on[i] = e
	}
	other, o, err := r.start(r.tasks[(slices.Index(r.tasks, ref.task)+1)%len(r.tasks)])
	astray := &walk{observations: []sparkd.Observation{o}}
	for i := range ref.actions {
		if err == nil && !astray.last().Done {
			err = r.grow(other, astray, r.random(uint64(i)), 1)
		}
		for _, e := range on {
			if err == nil {
				err = r.follow(beside, shared, e, ref, i, i+1)
			}
		}
	}
	if err == nil {
		err = r.atOnce(ref, append(on[:], other))
	}
	return fmt.Sprintf("%d beside each other", len(on)+1), err
}

// atOnce walks the walk in several copies at the same time.
func (r *run) atOnce(ref *walk, on []sparkd.Env) error {
	errs := make([]error, len(on))
	var all sync.WaitGroup
	for i, e := range on {
		all.Go(func() { errs[i] = r.repeat("a copy at the same time as others", shared, e, ref, len(ref.actions)) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// most is how many of a state's listed actions are tried.
const most = 8

// accepts checks, at some states, that actions of the list are answered, and in another way than text that is none.
func (r *run) accepts(ref *walk) (string, error) {
	var all answers
	for _, at := range ref.points() {
		if len(ref.observations[at].Admissible) == 0 {
			continue
		}
		if err := r.listed(ref, at, &all); err != nil {
			return "", err
		}
	}
	return all.verdict(r.Unknown)
}

// answers counts how actions of a list were answered beside text that is no action.
type answers struct {
	tried, other, alike int
	moves               bool // what is no action changes the state, or ends the episode
	first               error
}

// listed tries actions that are listed after a step of the walk.
func (r *run) listed(ref *walk, at int, all *answers) error {
	state := &ref.observations[at]
	nonsense, err := r.tried(ref, at, r.Unknown)
	if err != nil {
		return err
	}
	if all.moves = all.moves || nonsense.Done; !all.moves {
		again, err := r.tried(ref, at, r.Unknown, r.Unknown)
		if err != nil {
			return err
		}
		all.moves = differ(&nonsense, &again)
	}
	for _, action := range r.some(state.Admissible, uint64(at)) {
		o, err := r.tried(ref, at, action)
		if err != nil {
			return err
		}
		all.tried++
		switch {
		case differ(&nonsense, &o):
			all.other++
		case o.Text == state.Text: // who tells the state again after nonsense may do so where an action changes nothing
		default:
			all.alike++
			if all.first == nil {
				all.first = ref.at(at, wrong("list in admissible what step accepts in this state",
					"the action %q is listed and answered as %q is, by %q", action, r.Unknown, o.Text))
			}
		}
	}
	return nil
}

// verdict is a fault where the environment knows what is no action. It does not seem to where it answers most of the
// list like that and the rest not, or goes on after it: a wrong guess and what is no guess may have one answer.
func (a *answers) verdict(unknown string) (string, error) {
	switch {
	case a.tried == 0:
		return "", skip("it lists no actions")
	case a.other > 0 && a.alike > a.other, a.moves && a.alike > 0 && a.alike >= a.other:
		return "", skip(fmt.Sprintf("it answers %d of %d as it answers %q", a.alike, a.tried, unknown))
	}
	return fmt.Sprintf("%d tried", a.tried), a.first
}

// some are a few actions of a list, by the seed.
func (r *run) some(list []string, stream uint64) []string {
	list, rng := slices.Clone(list), r.random(stream)
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(most, len(list))]
}

// tried is what a copy of the state at a step answers to the last of some actions.
func (r *run) tried(ref *walk, at int, actions ...string) (o sparkd.Observation, err error) {
	e, err := r.open()
	if err == nil {
		err = r.repeat("a second copy", drawn, e, ref, at)
	}
	for _, action := range actions {
		if err == nil {
			o, err = r.step(e, action)
		}
	}
	err = ref.at(at, err)
	return o, r.closed(err)
}
