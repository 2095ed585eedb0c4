package bench_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"sparkd"
	"sparkd/bench"
	"sparkd/env/alfworld"
)

// figureHousehold: steps a second on one core, each answered by text and the sorted
// admissible actions, and the time of a fork. Episodes of 50 random admissible actions
// go round 512 tasks; starting them again, by a fork, is part of the time.
func figureHousehold(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const tasks, episodes, episode = 512, 8, 50
	games, first := make([]*alfworld.Env, tasks), make([]sparkd.Observation, tasks)
	for i := range games {
		games[i] = alfworld.New()
		var err error
		if first[i], err = games[i].Reset(t.Context(),
			sparkd.Task{Env: alfworld.Name, Split: "train", Index: i}); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	steps, actions, text := 0, 0, 0
	best, all := bench.Best(5, func() {
		steps, actions, text = 0, 0, 0
		for i := range tasks * episodes {
			e := fork(t, games[i%tasks])
			for n, o := 0, first[i%tasks]; n < episode && !o.Done; n++ {
				var err error
				if o, err = e.Step(t.Context(), o.Admissible[rng.IntN(len(o.Admissible))]); err != nil {
					t.Fatal(err)
				}
				steps, actions, text = steps+1, actions+len(o.Admissible), text+len(o.Text)
			}
		}
	})
	bench.Print("env_steps_s", float64(steps)/best.Seconds(), "steps/s", map[string]any{"tasks": tasks, "steps": steps,
		"actions_per_step": float64(actions) / float64(steps), "text_bytes_per_step": float64(text) / float64(steps),
		"cores": 1, "runs_s": all})

	const rounds = 200
	best, all = bench.Best(5, func() {
		for range rounds {
			for _, g := range games {
				fork(t, g)
			}
		}
	})
	bench.Print("env_fork_ns", float64(best)/float64(time.Nanosecond)/(rounds*tasks), "ns",
		map[string]any{"tasks": tasks, "cores": 1, "runs_s": all})
}

func fork(t *testing.T, e *alfworld.Env) sparkd.Env {
	c, err := e.Fork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}
