package coldstart

import (
	"context"
	"fmt"
	"math/rand/v2"

	"sparkd"
	"sparkd/sampler/env/alfworld"
)

// Play lets the planner of ALFWorld's games play a task: on the shortest way, for which it
// gives reasons as if it had not known it (Retro), or seeking its own (Own). It returns nil
// where the goal is not reached in maxSteps.
func Play(ctx context.Context, e *alfworld.Env, t sparkd.Task, source Source, maxSteps int, seed uint64) (*Trajectory, error) {
	o, err := e.Reset(ctx, t)
	if err != nil {
		return nil, err
	}
	s, err := alfworld.NewSeeker(e, rand.New(rand.NewPCG(seed, uint64(t.Index))))
	if err != nil {
		return nil, err
	}
	next := s.Next
	if source == Retro {
		plan, err := alfworld.Expert(e)
		if err != nil {
			return nil, err
		}
		next = func() (action string) {
			action, plan = plan[0], plan[1:]
			return action
		}
	}
	out := &Trajectory{Task: t, Source: source, Goal: o.Goal}
	for range maxSteps {
		action := next()
		out.Steps = append(out.Steps, Step{o, tagged(s.Reason(action)), action})
		if o, err = e.Step(ctx, action); err != nil {
			return nil, err
		}
		if o.Done {
			return out, nil
		}
		s.Look()
	}
	return nil, nil
}

func tagged(r alfworld.Reason) string {
	tag := "think"
	if r.Open {
		tag = "explore"
	}
	return fmt.Sprintf("<%s>%s</%s>", tag, r.Text, tag)
}
