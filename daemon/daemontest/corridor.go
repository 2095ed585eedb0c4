package daemontest

import (
	"context"
	"fmt"

	"sparkd"
)

// Corridor is a small environment for tests that need one to misbehave: five doors in a row, the goal behind the last.
type Corridor struct {
	// BeforeStep is called at the start of every Step and may wait or fail.
	BeforeStep func(ctx context.Context) error
	at         int
}

const doors = 5

func (c *Corridor) observe() sparkd.Observation {
	o := sparkd.Observation{Text: fmt.Sprintf("You are at door %d of %d.", c.at, doors), Goal: "open the last door",
		Admissible: []string{"go back", "go on"}}
	if c.at == doors {
		o.Done, o.Success, o.Reward = true, true, 1
	}
	return o
}

// Reset implements sparkd.Env.
func (c *Corridor) Reset(context.Context, sparkd.Task) (sparkd.Observation, error) {
	c.at = 1
	return c.observe(), nil
}

// Step implements sparkd.Env.
func (c *Corridor) Step(ctx context.Context, action string) (sparkd.Observation, error) {
	if c.BeforeStep != nil {
		if err := c.BeforeStep(ctx); err != nil {
			return sparkd.Observation{}, err
		}
	}
	switch action {
	case "go on":
		c.at++
	case "go back":
		c.at = max(1, c.at-1)
	default:
		return sparkd.Observation{Text: "Nothing happens.", Admissible: []string{"go back", "go on"}}, nil
	}
	return c.observe(), nil
}

// Fork implements sparkd.Forker.
func (c *Corridor) Fork(context.Context) (sparkd.Env, error) {
	copied := *c
	return &copied, nil
}

// Close implements sparkd.Env.
func (c *Corridor) Close() error { return nil }
