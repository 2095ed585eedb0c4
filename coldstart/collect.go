package coldstart

import (
	"context"
	"math"

	"sparkd"
	"sparkd/env/alfworld"
)

// Options say which trajectories are collected.
type Options struct {
	Env, Split string
	From       int     // index of the first task
	Tasks      int     // number of tasks of the split, taken round and round
	Count      int     // trajectories
	OwnShare   float64 // of Count that are of source Own; SPARK: 0.1
	MaxSteps   int
	Slips      float64 // share of steps that are useless, to learn to go on after them; not trained
	Seed       uint64
}

// attempts bounds how often a task is tried that was not solved.
const attempts = 4

// Collect plays tasks of ALFWorld's games, one trajectory each, until it has Count of them, and calls emit for
// each. A task that is not solved is left out; after as many of those as trajectories were asked for it gives up.
func Collect(ctx context.Context, e *alfworld.Env, o Options, emit func(*Trajectory) error) error {
	failed := 0
	for i := 0; i-failed < o.Count; i++ {
		if err := ctx.Err(); err != nil {
			return sparkd.AsError(err)
		}
		n := i - failed
		source := Retro
		if math.Floor(float64(n+1)*o.OwnShare) > math.Floor(float64(n)*o.OwnShare) {
			source = Own
		}
		task := sparkd.Task{Env: o.Env, Split: o.Split, Index: (o.From + i) % o.Tasks}
		t, err := attempt(ctx, e, task, source, &o, i)
		switch {
		case err != nil:
			return err
		case t != nil:
			if err := emit(t); err != nil {
				return err
			}
		default:
			if failed++; failed > o.Count+10 {
				remedy := "allow more steps"
				if o.Slips > 0 {
					remedy += ", or fewer slips"
				}
				return sparkd.Invalid("max-steps", remedy, "%d tasks were not solved in %d steps", failed, o.MaxSteps)
			}
		}
	}
	return nil
}

func attempt(
	ctx context.Context, e *alfworld.Env, t sparkd.Task, source Source, o *Options, round int,
) (*Trajectory, error) {
	for k := range attempts {
		out, err := Play(ctx, e, t, source, o.MaxSteps, o.Slips, o.Seed+uint64(round)<<8+uint64(k))
		if out != nil || err != nil || source == Retro {
			return out, err
		}
	}
	return nil, nil
}
