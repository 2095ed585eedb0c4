package coldstart

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

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

// Play lets the planner of ALFWorld's games play a task: on the shortest way, for which it
// gives reasons as if it had not known it (Retro), or seeking its own (Own). A share slips
// of its steps are useless. It returns nil where the goal is not reached in maxSteps.
func Play(
	ctx context.Context, e *alfworld.Env, t sparkd.Task, source Source, maxSteps int, slips float64, seed uint64,
) (*Trajectory, error) {
	o, err := e.Reset(ctx, t)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(seed, uint64(t.Index)))
	s, err := alfworld.NewSeeker(e, rng)
	if err != nil {
		return nil, err
	}
	out := &Trajectory{Task: t, Source: source, Goal: o.Goal}
	for range maxSteps {
		step := Step{Observation: o, Slip: slips > 0 && rng.Float64() < slips}
		var reason alfworld.Reason
		if step.Slip {
			step.Action, reason = s.Slip()
		} else if step.Action, err = next(e, s, source); err != nil {
			return nil, err
		} else {
			reason = s.Reason(step.Action)
		}
		step.Reason = tagged(reason)
		out.Steps = append(out.Steps, step)
		s.Tell(step.Action)
		if o, err = e.Step(ctx, step.Action); err != nil {
			return nil, err
		}
		if o.Done {
			return out, nil
		}
	}
	return nil, nil
}

// next is what the planner does now.
func next(e *alfworld.Env, s *alfworld.Seeker, source Source) (string, error) {
	if source == Own {
		return s.Next(), nil
	}
	plan, err := alfworld.Expert(e)
	if err != nil {
		return "", err
	}
	return plan[0], nil
}

func tagged(r alfworld.Reason) string {
	tag := "think"
	if r.Open {
		tag = "explore"
	}
	return fmt.Sprintf("<%s>%s</%s>", tag, r.Text, tag)
}
