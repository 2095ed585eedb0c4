// Package contract checks an environment against what the sampler takes for granted about a sparkd.Env and about the
// ways to copy its state: [Run] plays tasks of it and returns a [Report]. Package envtest makes a test of that.
package contract

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"sparkd"
)

// Source opens copies of the environment; env.Source is one.
type Source interface {
	Info() sparkd.EnvInfo
	Open(ctx context.Context) (sparkd.Env, error)
	Close() error
}

// Options say what is checked and how it is played.
type Options struct {
	// Source opens the environment. Run closes it and then counts what is left.
	Source func(ctx context.Context) (Source, error)
	// Tasks returns the tasks that are played, at least one. nil: three, of different splits where there are some.
	Tasks func(info sparkd.EnvInfo) []sparkd.Task
	// Actions draws the next action of a walk. nil: one of the admissible actions, or where there is no list one of
	// Words, or a word of the texts.
	Actions func(rng *rand.Rand, o sparkd.Observation) string
	Words   []string
	// Steps is the length of a walk; 0: that of an episode, 50 at most. A walk ends before where the episode does.
	Steps int
	// Finish returns actions that end a task. nil: the end of an episode is checked where a walk runs into one.
	Finish func(ctx context.Context, task sparkd.Task) ([]string, error)
	// Unknown is text that is no action here; "" is "frobnicate the xyzzy".
	Unknown string
	// Seed makes the walks.
	Seed uint64
	// Limit bounds one call; 0 is a minute.
	Limit time.Duration
	// Progress is told what is checked next, and how much of all is done, from 0 to 1. nil: nobody.
	Progress func(done float64, what string)
	// Quick leaves out the measurements of speed and the search for leaks that grow.
	Quick bool
}

// Longest and usual walks.
const (
	usualSteps = 50
	forkPoints = 5 // states of a walk that are copied
)

func (o Options) withDefaults(info sparkd.EnvInfo) Options {
	if o.Steps == 0 {
		o.Steps = cmp.Or(min(info.MaxSteps, usualSteps), usualSteps)
	}
	o.Unknown = cmp.Or(o.Unknown, "frobnicate the xyzzy")
	o.Limit = cmp.Or(o.Limit, time.Minute)
	if o.Actions == nil {
		o.Actions = draw(o.Words, info.Examples)
	}
	if o.Tasks == nil {
		o.Tasks = func(info sparkd.EnvInfo) []sparkd.Task { return Draw(info, 3, o.Seed) }
	}
	if o.Progress == nil {
		o.Progress = func(float64, string) {}
	}
	return o
}

// Run checks one environment. It counts goroutines, open files and child processes before and after, so nothing else
// may run beside it. An error is that of opening the environment, or the end of ctx, which comes with a report of what
// was found until then; whatever the environment does wrong is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	before := take()
	source, err := o.Source(ctx)
	if err != nil {
		return nil, err
	}
	info := source.Info()
	r := &run{Options: o.withDefaults(info), ctx: ctx, source: source, info: info}
	r.tasks = r.Tasks(info)
	r.report = &Report{Env: info.Name, Fork: info.Fork, Seed: o.Seed, Steps: r.Steps}
	for _, t := range r.tasks {
		r.report.Tasks = append(r.report.Tasks, t.String())
	}
	r.all()
	closing := source.Close()
	r.note("leaves nothing behind", func() (string, error) {
		switch {
		case ctx.Err() != nil:
			return "", nil
		case closing != nil:
			return "", failing("closing the environment", closing)
		}
		return "", before.left()
	})
	return r.report, ctx.Err()
}

// Draw returns n tasks of an environment, of all its splits in turn: the first of each, and then any by the seed.
func Draw(info sparkd.EnvInfo, n int, seed uint64) []sparkd.Task {
	rng := rand.New(rand.NewPCG(seed, 1))
	splits := splitsOf(info)
	var tasks []sparkd.Task
	seen := map[sparkd.Task]bool{}
	for try := 0; len(tasks) < n && try < 100*n; try++ {
		t := sparkd.Task{Env: info.Name, Split: splits[try%len(splits)]}
		if try >= len(splits) {
			most := info.Splits[t.Split]
			if most == sparkd.Unbounded {
				most = 1 << 20
			}
			t.Index = rng.IntN(most)
		}
		if !seen[t] {
			seen[t] = true
			tasks = append(tasks, t)
		}
	}
	return tasks
}
