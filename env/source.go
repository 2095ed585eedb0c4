package env

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sparkd"
)

// Source is one environment that tasks can name. Its methods are safe for concurrent use.
type Source interface {
	// Info describes the environment. It does not block.
	Info() sparkd.EnvInfo
	// Open returns a fresh copy, which belongs to one goroutine.
	Open(ctx context.Context) (sparkd.Env, error)
	// Close ends what the copies share; no copy is open any more.
	Close() error
}

// Namer is a Source whose tasks have names of their own.
type Namer interface {
	// Lookup returns the index of a task of a split. Where there is none it returns false, and the names nearest to it.
	Lookup(split, name string) (index int, near []string, ok bool)
}

// Resolve checks a selection of tasks against a source and turns names into indices.
func Resolve(s Source, t sparkd.Tasks) (sparkd.Tasks, error) {
	about := s.Info()
	size, ok := about.Splits[t.Split]
	if !ok {
		return t, sparkd.Invalid("tasks.split", "one of "+strings.Join(slices.Sorted(maps.Keys(about.Splits)), ", "),
			"%s has no split %q", t.Env, t.Split)
	}
	if len(t.Names) > 0 {
		return byName(s, t)
	}
	if size == sparkd.Unbounded {
		return t, nil
	}
	return t, inRange(&t, size)
}

func inRange(t *sparkd.Tasks, size int) error {
	remedy := fmt.Sprintf("%s/%s has the tasks 0 to %d", t.Env, t.Split, size-1)
	for i, x := range t.Indices {
		if x >= size {
			return sparkd.Invalid(fmt.Sprintf("tasks.indices[%d]", i), remedy, "there is no task %d", x)
		}
	}
	switch {
	case len(t.Indices) > 0:
		return nil
	case t.From >= size:
		return sparkd.Invalid("tasks.from", remedy, "there is no task %d", t.From)
	case t.Count > size-t.From:
		return sparkd.Invalid("tasks.count", remedy, "there are %d tasks from %d on, not %d",
			size-t.From, t.From, t.Count)
	}
	return nil
}

func byName(s Source, t sparkd.Tasks) (sparkd.Tasks, error) {
	n, ok := s.(Namer)
	if !ok {
		return t, sparkd.Invalid("tasks.names", "use tasks.indices", "the tasks of %s have no names", t.Env)
	}
	seen := map[int]bool{}
	indices := make([]int, len(t.Names))
	for i, name := range t.Names {
		field := fmt.Sprintf("tasks.names[%d]", i)
		index, near, ok := n.Lookup(t.Split, name)
		switch {
		case !ok && len(near) > 0:
			return t, sparkd.Invalid(field, "near it: "+strings.Join(near, ", "),
				"%s/%s has no task %q", t.Env, t.Split, name)
		case !ok:
			return t, sparkd.Invalid(field, "use tasks.indices", "%s/%s has no task %q", t.Env, t.Split, name)
		case seen[index]:
			return t, sparkd.Invalid(field, "name each task once; more trajectories of a task are more roots or leaves",
				"task %q is listed twice", name)
		}
		seen[index], indices[i] = true, index
	}
	t.Names, t.Indices = nil, indices
	return t, nil
}
