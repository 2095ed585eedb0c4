package sparkd

import (
	"fmt"
	"strconv"
	"strings"
)

// Task names one problem of an environment: the Index-th of a split. The same
// task is the same world, goal and first observation, on every machine.
type Task struct {
	Env   string `json:"env"`
	Split string `json:"split"`
	Index int    `json:"index"`
}

// String returns "env/split/index", the form that ParseTask reads. Exports put the
// rollout's id in front to name the group of the task's trajectories.
func (t Task) String() string { return fmt.Sprintf("%s/%s/%d", t.Env, t.Split, t.Index) }

// ParseTask reads "env/split/index".
func ParseTask(s string) (Task, error) {
	p := strings.Split(s, "/")
	if len(p) != 3 || p[0] == "" || p[1] == "" {
		return Task{}, Invalid("task", `write it as env/split/index, for example "household/train/17"`,
			"cannot read task %q", s)
	}
	i, err := strconv.Atoi(p[2])
	if err != nil || i < 0 {
		return Task{}, Invalid("task", "the index is a whole number from 0", "cannot read the index of task %q", s)
	}
	return Task{Env: p[0], Split: p[1], Index: i}, nil
}
