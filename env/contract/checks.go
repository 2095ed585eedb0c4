package contract

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sparkd"
)

// describes checks that what the source declares is what its copies are.
func (r *run) describes() (string, error) {
	info := r.info
	if info.Name == "" || info.About == "" || info.MaxSteps < 1 || len(info.Splits) == 0 {
		return "", wrong("say all of them", "the description lacks a name, words about it, a step limit or splits: %+v",
			info)
	}
	for split, size := range info.Splits {
		if split == "" || size < 1 && size != sparkd.Unbounded {
			return "", wrong("give every split at least one task", "split %q has %d tasks", split, size)
		}
	}
	for _, task := range r.tasks {
		if size, ok := info.Splits[task.Split]; !ok || task.Env != info.Name ||
			size != sparkd.Unbounded && task.Index >= size {
			return "", wrong("choose another task", "%v is no task of %s with the splits %v", task, info.Name,
				info.Splits)
		}
	}
	e, err := r.open()
	if err != nil {
		return "", err
	}
	if fork := wayOf(e); info.Fork != fork {
		return "", wrong("declare it as it is", "declares fork = %q, but %T means %q", info.Fork, e, fork)
	}
	return info.Fork + ", " + fmt.Sprint(info.MaxSteps) + " steps an episode", nil
}

// wayOf is how a copy's state is copied.
func wayOf(e sparkd.Env) string {
	switch e.(type) {
	case sparkd.Forker:
		return sparkd.ForkNative
	case sparkd.Snapshotter:
		return sparkd.ForkSnapshot
	}
	return sparkd.ForkReplay
}

// lists checks that the ends of every split are tasks, and that what lies behind them is refused.
func (r *run) lists() (note string, err error) {
	e, err := r.open()
	if err != nil {
		return "", err
	}
	if _, err := e.Step(r.ctx, r.Unknown); sparkd.CodeOf(err) != sparkd.CodeEnv {
		return "", wrong("refuse it", "a step before any reset: %v, want an error of code %q", err, sparkd.CodeEnv)
	}
	for _, split := range splitsOf(r.info) {
		size := r.info.Splits[split]
		if note += fmt.Sprintf("%s %d, ", split, size); size == sparkd.Unbounded {
			note = strings.TrimSuffix(note, "-1, ") + "without end, "
		}
		for _, index := range []int{0, size - 1} {
			if _, err := r.reset(e, sparkd.Task{Env: r.info.Name, Split: split, Index: max(index, 0)}); err != nil {
				return "", err
			}
		}
		if size != sparkd.Unbounded {
			err = r.refuses(e, sparkd.Task{Env: r.info.Name, Split: split, Index: size})
		}
		if err != nil {
			return "", err
		}
	}
	if err := r.refuses(e, sparkd.Task{Env: r.info.Name, Split: "no such split"}); err != nil {
		return "", err
	}
	_, err = r.reset(e, r.tasks[0])
	return note[:len(note)-2], err
}

// refuses checks that there is no such task.
func (r *run) refuses(e sparkd.Env, task sparkd.Task) error {
	var typed *sparkd.Error
	_, err := e.Reset(r.ctx, task)
	if !errors.As(err, &typed) || typed.Code != sparkd.CodeInvalid || typed.Remedy == "" {
		return wrong("refuse it, and say which tasks there are",
			"%v, which there is not: %v, want an error of code %q with a remedy", task, err, sparkd.CodeInvalid)
	}
	return nil
}

const drawn = "draw what is random from the task's index, and let no state outlive a reset"

// repeats checks that the same actions give the same observations, in another copy and in the same one once more, and
// that a reset gives the same every time.
func (r *run) repeats(ref *walk) (string, error) {
	e, err := r.open()
	for _, who := range []string{"a second copy", "the same copy, reset,"} {
		if err == nil {
			err = r.repeat(who, drawn, e, ref, len(ref.actions))
		}
	}
	for range 4 {
		if err == nil {
			err = r.repeat("one more reset", drawn, e, ref, 0)
		}
	}
	return fmt.Sprintf("walks of %d steps", len(ref.actions)), err
}

// replays checks that Replay is a reset and the steps, and leaves the copy where they do.
func (r *run) replays(ref *walk) (string, error) {
	e, err := r.open()
	if err != nil {
		return "", err
	}
	p, ok := e.(sparkd.Replayer)
	if !ok {
		return "", skip("it replays step by step")
	}
	for _, n := range []int{0, len(ref.actions) / 2, len(ref.actions)} {
		if err := r.replay(p, ref, n); err != nil {
			return "", err
		}
	}
	if !ref.last().Done {
		return fmt.Sprintf("%d actions", len(ref.actions)), nil
	}
	beyond := append(ref.actions[:len(ref.actions):len(ref.actions)], r.Unknown)
	seen, err := p.Replay(r.ctx, ref.task, beyond)
	if err != nil || len(seen) != len(ref.observations) {
		return "", wrong("end a replay with the episode", "a replay beyond the end gave %d observations, %v; want "+
			"those up to the end, %d", len(seen), err, len(ref.observations))
	}
	return fmt.Sprintf("%d actions, to the end and beyond", len(ref.actions)), nil
}

// replay replays the first n actions in one call and walks on.
func (r *run) replay(p sparkd.Replayer, ref *walk, n int) error {
	const remedy = "let replay do what a reset and the steps do"
	seen, err := p.Replay(r.ctx, ref.task, ref.actions[:n])
	switch {
	case err != nil:
		return failing(fmt.Sprintf("replay of %d actions", n), err)
	case len(seen) != n+1:
		return wrong(remedy, "replay of %d actions gave %d observations", n, len(seen))
	}
	for i := range seen {
		err := wellFormed(&seen[i])
		if err == nil {
			err = ref.same("a replay in one call", remedy, i, &seen[i])
		}
		if err != nil {
			return err
		}
	}
	return r.follow("a copy after a replay", remedy, p, ref, n, len(ref.actions))
}

// unknown checks that text that is no action is answered.
func (r *run) unknown(ref *walk) (string, error) {
	e, _, err := r.start(ref.task)
	if err != nil {
		return "", err
	}
	for _, text := range []string{r.Unknown, "", "LOOK\x00\n\t\"'\\ ünïcödé 🦊", "{\"op\":\"close\"}"} {
		o, err := e.Step(r.ctx, text)
		if err != nil {
			return "", wrong("answer what is no action with words for the agent; an error fails the branch",
				"step %q: %v; want an observation", text, err)
		}
		if err := wellFormed(&o); err != nil || o.Done {
			return "it ended the episode", err
		}
	}
	return "", nil
}

// Walks that look for an end, and for how long.
const (
	moreWalks = 30
	moreTime  = 10 * time.Second
)

// finished is a walk to an end of the task.
func (r *run) finished(ref *walk) (*walk, error) {
	if r.Finish != nil {
		actions, err := r.Finish(r.ctx, ref.task)
		if err != nil {
			return nil, failing("finishing the task", err)
		}
		return &walk{task: ref.task, actions: actions}, nil
	}
	if ref.last().Done {
		return ref, nil
	}
	e, err := r.open()
	began := time.Now()
	for try := uint64(0); err == nil && try < moreWalks && time.Since(began) < moreTime; try++ {
		w := ref.upTo(0)
		if _, err = r.reset(e, ref.task); err == nil {
			err = r.grow(e, w, r.random(1<<32+try), r.Steps)
		}
		if w.last().Done {
			return w, err
		}
	}
	if err == nil {
		err = skip(fmt.Sprintf("no walk of %d steps reached an end", r.Steps))
	}
	return nil, err
}

// ends checks the end of an episode: it is final for steps, and not for a reset.
func (r *run) ends(ref *walk) (string, error) {
	w, err := r.finished(ref)
	if err != nil {
		return "", err
	}
	e, _, err := r.start(w.task)
	if err != nil {
		return "", err
	}
	for i, action := range w.actions {
		o, err := r.step(e, action)
		if err != nil {
			return "", err
		}
		if o.Done != (i == len(w.actions)-1) {
			return "", wrong("say done at the end and not before", "step %d of %d, %q: done is %v", i+1, len(w.actions),
				action, o.Done)
		}
	}
	if _, err = e.Step(r.ctx, r.Unknown); sparkd.CodeOf(err) != sparkd.CodeEnv {
		return "", wrong("refuse it", "a step after the end: %v, want an error of code %q", err, sparkd.CodeEnv)
	}
	o, err := r.reset(e, w.task)
	if err == nil {
		err = ref.same("a reset after the end", drawn, 0, &o)
	}
	return fmt.Sprintf("after %d steps", len(w.actions)), err
}

// cancellation checks that a call whose context has ended fails, and hurts nobody.
func (r *run) cancellation() (string, error) {
	canceled, cancel := context.WithCancel(r.ctx)
	cancel()
	e, err := r.open()
	if err != nil {
		return "", err
	}
	other, first, err := r.start(r.tasks[0])
	if err != nil {
		return "", err
	}
	refused := func(what string, err error) error {
		if sparkd.CodeOf(err) == sparkd.CodeCanceled {
			return nil
		}
		return wrong("end calls with their context", "a %s that is cut off: %v, want an error of code %q", what, err,
			sparkd.CodeCanceled)
	}
	_, err = e.Reset(canceled, r.tasks[0])
	if err := refused("reset", err); err != nil {
		return "", err
	}
	if _, err := r.reset(e, r.tasks[0]); err != nil {
		return "", err
	}
	_, err = e.Step(canceled, r.Unknown)
	if err := refused("step", err); err != nil {
		return "", err
	}
	o, err := r.reset(e, r.tasks[0])
	if err == nil {
		w := walk{task: r.tasks[0], observations: []sparkd.Observation{first}}
		err = w.same("a reset after a step that was cut off", drawn, 0, &o)
	}
	if err == nil {
		_, err = r.step(other, r.Unknown)
	}
	return "", err
}
