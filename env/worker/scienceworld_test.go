package worker_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/env/envtest"
	"sparkd/env/worker"
)

// scienceWorld opens the real package. Its splits begin with one task of each of the 30
// types: train/0 to train/29.
func scienceWorld(t *testing.T, workers int, options map[string]string) *worker.Source {
	t.Helper()
	if os.Getenv("SPARKD_TEST_ENVS") == "" {
		t.Skip("NOT RUN: the tests on the real ScienceWorld need SPARKD_TEST_ENVS=1 and Java 11 or newer (they " +
			"install scienceworld with pip)")
	}
	venv, err := exec.CommandContext(t.Context(), "../../scripts/venv", "scienceworld", "scienceworld==1.2.3").Output()
	if err != nil {
		t.Fatalf("scripts/venv: %v", err)
	}
	adapter, err := filepath.Abs("../../python")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHONPATH", adapter)
	options["simplification"] = "easy"
	s, err := worker.Open(t.Context(), "scienceworld", worker.Options{
		Command: []string{strings.TrimSpace(string(venv)) + "/bin/python", "-m", "sparkd_env.scienceworld"},
		Workers: workers, Memory: 900, Options: options, Log: func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeSource(t *testing.T, s *worker.Source) {
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func copyOf(t *testing.T, s *worker.Source) sparkd.Env {
	t.Helper()
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// gold returns solutions of train/0 to train/29, played with simplification = "easy":
// recorded from the package's planner, which `python -m sparkd_env.scienceworld --gold` asks.
func gold(t *testing.T, s *worker.Source) [][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/scienceworld_gold.json")
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string][]string{}
	if err := json.Unmarshal(text, &byName); err != nil {
		t.Fatal(err)
	}
	out := make([][]string, len(byName))
	for name, actions := range byName {
		i, near, ok := s.Lookup("train", name)
		if !ok || i >= len(out) {
			t.Fatalf("train has no %s among its first %d tasks; near it: %v", name, len(out), near)
		}
		out[i] = actions
	}
	return out
}

func scienceTask(i int) sparkd.Task {
	return sparkd.Task{Env: "scienceworld", Split: "train", Index: i}
}

// harmless draws a valid action that cannot end the episode: to focus on a wrong object
// fails the task at once, and then there is nothing left to fork.
func harmless(rng *rand.Rand, o sparkd.Observation) string {
	actions := slices.DeleteFunc(slices.Clone(o.Admissible), func(a string) bool {
		return strings.HasPrefix(a, "focus") || a == "reset task"
	})
	return actions[rng.IntN(len(actions))]
}

// counts are the figures of a test.
type counts struct {
	tasks, steps, forks, replayed, diverged int
	walking, replaying                      time.Duration
}

func (c *counts) log(t *testing.T, what string) {
	t.Logf("%s: %d tasks, %d steps, %d forks, %d replayed steps, %d divergences; %.0f steps/s, %.1f ms a replayed step",
		what, c.tasks, c.steps, c.forks, c.replayed, c.diverged,
		float64(c.steps)/c.walking.Seconds(), 1e3*c.replaying.Seconds()/float64(c.replayed))
}

// walk plays a task and then forks the path by replay at every 5th of its first 20 steps and
// at its end, in another JVM; a fork goes on as the path did, for 5 steps.
func (c *counts) walk(t *testing.T, s *worker.Source, task sparkd.Task,
	next func(o sparkd.Observation, step int) (string, bool)) []sparkd.Observation {
	t.Helper()
	parent, child := copyOf(t, s), copyOf(t, s)
	defer parent.Close()
	defer child.Close()
	o, err := parent.Reset(t.Context(), task)
	seen, actions := []sparkd.Observation{o}, []string(nil)
	began := time.Now()
	for err == nil && !o.Done {
		action, ok := next(o, len(actions))
		if !ok {
			break
		}
		o, err = parent.Step(t.Context(), action)
		seen, actions = append(seen, o), append(actions, action)
	}
	if err != nil {
		t.Fatalf("%v, after %q: %v", task, actions, err)
	}
	c.walking += time.Since(began)
	c.steps += len(actions)
	c.tasks++
	for at := 5; at <= min(20, len(actions)); at += 5 {
		c.fork(t, child.(sparkd.Replayer), task, actions, seen, at)
	}
	c.fork(t, child.(sparkd.Replayer), task, actions, seen, len(actions))
	return seen
}

// fork brings child to step at of a path, on from there, and compares what it sees.
func (c *counts) fork(t *testing.T, child sparkd.Replayer, task sparkd.Task, actions []string,
	seen []sparkd.Observation, at int) {
	t.Helper()
	began := time.Now()
	again, err := child.Replay(t.Context(), task, actions[:at])
	c.replaying += time.Since(began)
	c.forks++
	c.replayed += at
	for i := at; err == nil && i < min(at+5, len(actions)); i++ {
		var o sparkd.Observation
		o, err = child.Step(t.Context(), actions[i])
		again = append(again, o)
	}
	if err != nil {
		t.Fatalf("%v, forked after %q: %v", task, actions[:at], err)
	}
	for i := range again {
		if again[i].Hash() != seen[i].Hash() {
			c.diverged++
			return
		}
	}
}

// TestScienceWorldForks forks random walks. Every observation lists the valid actions,
// hundreds of sentences about all objects in sight: equal lists are nearly equal states.
func TestScienceWorldForks(t *testing.T) {
	s := scienceWorld(t, 2, map[string]string{"admissible": "true"})
	defer closeSource(t, s)
	var c counts
	for i := range 30 {
		const seed = 7
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		before := c.diverged
		c.walk(t, s, scienceTask(i), func(o sparkd.Observation, step int) (string, bool) {
			return harmless(rng, o), step < 20
		})
		if c.diverged > before {
			t.Errorf("%v, seed %d: %d forks were other states", scienceTask(i), seed, c.diverged-before)
		}
	}
	c.log(t, "random walks")
}

// TestScienceWorldSolutions forks solutions, which reach what random walks do not: circuits,
// flames, plants that grow. They end in success with rewards that add up to 1.
func TestScienceWorldSolutions(t *testing.T) {
	s := scienceWorld(t, 2, map[string]string{})
	defer closeSource(t, s)
	var c counts
	for i, actions := range gold(t, s) {
		seen := c.walk(t, s, scienceTask(i), func(_ sparkd.Observation, step int) (string, bool) {
			if step == len(actions) {
				return "", false
			}
			return actions[step], true
		})
		score := 0.0
		for _, o := range seen {
			score += o.Reward
		}
		last := seen[len(seen)-1]
		if !last.Done || !last.Success || len(seen) != len(actions)+1 || math.Abs(score-1) > 1e-9 {
			t.Errorf("%v: after %d of %d actions done = %v, success = %v, rewards add up to %v", scienceTask(i),
				len(seen)-1, len(actions), last.Done, last.Success, score)
		}
	}
	if c.diverged > 0 {
		t.Errorf("%d of %d forks were other states", c.diverged, c.forks)
	}
	c.log(t, "solutions")
}

func TestScienceWorldConformance(t *testing.T) {
	var solutions [][]string
	envtest.Run(t, envtest.Options{
		Source: func(t *testing.T) envtest.Source {
			s := scienceWorld(t, 3, map[string]string{"admissible": "true"})
			solutions = gold(t, s)
			return s
		},
		Tasks:   []sparkd.Task{scienceTask(8), scienceTask(25)}, // find-plant/0, power-component/0
		Actions: harmless,
		Steps:   10,
		Finish:  func(_ *testing.T, task sparkd.Task) []string { return solutions[task.Index] },
		Seed:    1,
	})
}
