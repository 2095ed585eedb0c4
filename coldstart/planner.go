package coldstart

import (
	"context"
	"fmt"
	"math/rand/v2"

	"sparkd"
	"sparkd/env/alfworld"
)

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
