package coldstart

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"
	"time"

	"sparkd"
	"sparkd/env/alfworld"
)

// Path is a golden path: actions that solve a task.
type Path struct {
	Task    sparkd.Task
	Actions []string
}

// Limits of a file of golden paths.
const (
	maxPathLine = 1 << 20 // bytes
	maxPaths    = 100_000
)

// ReadPaths reads golden paths of one environment, an object a line:
//
//	{"task": "env/split/index", "actions": ["…"]}
//
// Fields that it does not know are left alone. There is one path for a task.
func ReadPaths(r io.Reader, env string) ([]Path, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxPathLine)
	var paths []Path
	at := map[sparkd.Task]int{}
	n := 1
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		p, err := parsePath(lines.Bytes())
		switch {
		case err != nil:
			return nil, badGolden(n, "%v", err)
		case p.Task.Env != env:
			return nil, badGolden(n, "%s is a task of %s, not of %s (--env)", p.Task, p.Task.Env, env)
		case at[p.Task] > 0:
			return nil, badGolden(n, "a second path for %s, after that of line %d", p.Task, at[p.Task])
		case len(paths) == maxPaths:
			return nil, badGolden(n, "more than %d paths", maxPaths)
		}
		at[p.Task] = n
		paths = append(paths, p)
	}
	if err := lines.Err(); err != nil {
		return nil, badGolden(n, "%v", lineError(err, maxPathLine))
	}
	if len(paths) == 0 {
		return nil, sparkd.Invalid("golden", goldenRemedy, "there is no path")
	}
	return paths, nil
}

// lineError says why a line of at most so many bytes cannot be read.
func lineError(err error, most int) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("longer than %d bytes", most)
	}
	return err
}

const goldenRemedy = `write one {"task": "env/split/index", "actions": ["…"]} a line, ` +
	"of one environment, one for a task"

func badGolden(line int, format string, args ...any) error {
	return sparkd.Invalid("golden", goldenRemedy, "line %d: "+format, append([]any{line}, args...)...)
}

func parsePath(line []byte) (Path, error) {
	var in struct {
		Task    string
		Actions []string
	}
	if err := json.Unmarshal(line, &in); err != nil {
		return Path{}, err
	}
	task, err := sparkd.ParseTask(in.Task)
	if err != nil {
		return Path{}, errors.New(sparkd.AsError(err).Message)
	}
	if len(in.Actions) == 0 {
		return Path{}, errors.New("no actions")
	}
	for i, a := range in.Actions {
		in.Actions[i] = strings.TrimSpace(a)
		if in.Actions[i] == "" || strings.Contains(strings.ToLower(a), "action>") {
			return Path{}, errors.New("an action is empty, or holds the tag of actions")
		}
	}
	return Path{task, in.Actions}, nil
}

// Golden returns the shortest paths that the planner of ALFWorld's games knows, in the order
// of tasks, or for a task why there is none.
func Golden(ctx context.Context, e *alfworld.Env, o Options) iter.Seq2[Path, error] {
	return func(yield func(Path, error) bool) {
		for i := range o.Count {
			p := Path{Task: sparkd.Task{Env: o.Env, Split: o.Split, Index: o.From + i}}
			_, err := e.Reset(ctx, p.Task)
			if err == nil {
				p.Actions, err = alfworld.Expert(e)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// Replay carries out the path in e and returns what was observed, without reasons. A path
// that does not end in success with its last action is invalid; a limit of 0 is none.
func (p *Path) Replay(ctx context.Context, e sparkd.Env, maxSteps int, limit time.Duration) (*Trajectory, error) {
	if len(p.Actions) > maxSteps {
		return nil, sparkd.Invalid("golden", "allow more with --max-steps",
			"the path has %d steps, more than %d", len(p.Actions), maxSteps)
	}
	limit = cmp.Or(limit, math.MaxInt64)
	call := func(f func(context.Context) (sparkd.Observation, error)) (sparkd.Observation, error) {
		limited, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return f(limited)
	}
	o, err := call(func(ctx context.Context) (sparkd.Observation, error) { return e.Reset(ctx, p.Task) })
	if err != nil {
		return nil, err
	}
	t := &Trajectory{Task: p.Task, Source: Retro, Goal: o.Goal}
	for i, action := range p.Actions {
		if o.Done {
			return nil, sparkd.Invalid("golden", "", "the episode ends after %d of %d actions", i, len(p.Actions))
		}
		t.Steps = append(t.Steps, Step{Observation: o, Action: action})
		o, err = call(func(ctx context.Context) (sparkd.Observation, error) { return e.Step(ctx, action) })
		if err != nil {
			return nil, err
		}
	}
	if !o.Done || !o.Success {
		return nil, sparkd.Invalid("golden", "", "the path does not reach the goal in its %d actions", len(p.Actions))
	}
	return t, nil
}
