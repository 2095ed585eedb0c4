package bench_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"sparkd"
	"sparkd/bench"
	"sparkd/env/alfworld"
	"sparkd/env/openenv"
	"sparkd/env/worker"
)

// TestEnvironments measures every kind of environment, one copy at a time and Go on one
// core, and beside it the real package, driven from Python through the same walks.
func TestEnvironments(t *testing.T) {
	bench.Wanted(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	bench.Print("machine", float64(runtime.NumCPU()), "cores", bench.Machine())
	t.Run("household", household)
	t.Run("session", overHTTP)
	t.Run("alfworld", alfworldGames)
	t.Run("scienceworld", scienceWorld)
	t.Run("textworld", textWorld)
	t.Run("textworld-express", textWorldExpress)
	t.Run("openenv", openEnv)
}

// numbered are the tasks 0 to n-1 of a split train.
func numbered(n int) []sparkd.Task {
	tasks := make([]sparkd.Task, n)
	for i := range tasks {
		tasks[i] = sparkd.Task{Env: "bench", Split: "train", Index: i}
	}
	return tasks
}

// wander draws admissible actions.
func wander() func(sparkd.Observation, int, int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	return func(o sparkd.Observation, _, _ int) string { return o.Admissible[rng.IntN(len(o.Admissible))] }
}

func household(t *testing.T) {
	measure(t, &world{name: "household", open: alfworld.Household{}.Open, tasks: numbered(64), next: wander(),
		steps: 40, rounds: 20, forks: 2000, copies: 2000})
}

func alfworldGames(t *testing.T) {
	python := alfworldPython(t)
	folder := alfworldFolder(t, python)
	source, err := alfworld.Open(t.Context(), "bench", alfworld.Options{Data: folder})
	if err != nil {
		t.Fatal(err)
	}
	reading(t, folder)
	w := &world{name: "alfworld", open: source.Open, tasks: numbered(6), next: wander(), steps: 40, rounds: 50,
		forks: 2000, copies: 2000}
	ours := measure(t, w)
	var files []any
	for _, name := range []string{"0", "1", "2", "3", "4", "5"} {
		files = append(files, filepath.Join(folder, "train", name, "game.tw-pddl"))
	}
	path := "../env/alfworld/testdata/real"
	beside(t, w, ours, &real{world: "alfworld", label: "memoised", driver: "alfworld_memoised", python: python,
		path: path, tasks: files, steps: 40, rounds: 3, forks: 2, copies: 3, same: true})
	beside(t, w, ours, &real{world: "alfworld", label: "as_shipped", driver: "alfworld", python: python, path: path,
		tasks: files[:3], steps: 20, rounds: 2, forks: 1, copies: 3, same: true})
}

// reading measures what the first reset of a game adds: its file is read and made ready.
func reading(t *testing.T, folder string) {
	tasks := numbered(6)
	best, all := bench.Best(5, func() {
		source, err := alfworld.Open(t.Context(), "bench", alfworld.Options{Data: folder})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{name: "alfworld", open: source.Open, tasks: tasks}
		e := w.fresh(t)
		for i := range tasks {
			w.reset(t, e, i)
		}
	})
	bench.Print("alfworld_first_reset_ms", 1e3*best.Seconds()/float64(len(tasks)), "ms",
		map[string]any{"tasks": len(tasks), "runs_s": all})
}

func scienceWorld(t *testing.T) {
	python := venv(t, "scienceworld", "scienceworld==1.2.3")
	text, err := os.ReadFile("../env/worker/testdata/scienceworld_gold.json")
	if err != nil {
		t.Fatal(err)
	}
	var gold map[string][]string
	if err := json.Unmarshal(text, &gold); err != nil {
		t.Fatal(err)
	}
	options := worker.Options{Command: []string{python, "-m", "sparkd_env.scienceworld"}, Workers: 2, Memory: 900}
	run := func(name string, rounds int, admissible string) (*world, cost) {
		options.Options = map[string]string{"simplification": "easy", "admissible": admissible}
		source := openExec(t, options)
		w := &world{name: name, open: source.Open, steps: 25, rounds: rounds, forks: 3, copies: 2}
		names := []string{"boil/0", "grow-fruit/0", "power-component/0"}
		for _, name := range names {
			i, near, ok := source.Lookup("train", name)
			if !ok {
				t.Fatalf("no task %s; near it: %v", name, near)
			}
			w.tasks = append(w.tasks, sparkd.Task{Env: "bench", Split: "train", Index: i})
		}
		w.next = func(_ sparkd.Observation, task, step int) string { return gold[names[task]][step] }
		return w, measure(t, w)
	}
	w, ours := run("scienceworld", 3, "false")
	_, listing := run("scienceworld_listing", 2, "true")
	tasks := []any{[]any{"boil", 0}, []any{"grow-fruit", 0}, []any{"power-component", 0}}
	r := &real{world: "scienceworld", label: "as_shipped", driver: "scienceworld", python: python, tasks: tasks,
		steps: 25, rounds: 2, forks: 2, copies: 2}
	theirs := beside(t, w, ours, r)
	ratios("scienceworld_listing", r.label, listing, theirs)
}

func textWorld(t *testing.T) {
	python := venv(t, "textworld", "textworld==1.7.0", "textworld-express==1.1.0")
	folder := textWorldGame(t, python)
	source := openExec(t, worker.Options{Command: []string{python, "-m", "sparkd_env.textworld"}, Workers: 1,
		Options: map[string]string{"games": folder}})
	w := &world{name: "textworld", open: source.Open, tasks: numbered(1), next: wander(), steps: 40, rounds: 20,
		forks: 50, copies: 8}
	beside(t, w, measure(t, w), &real{world: "textworld", label: "as_shipped", driver: "textworld", python: python,
		tasks: []any{filepath.Join(folder, "simple.z8")},
		steps: 40, rounds: 20, forks: 10, copies: 8, same: true})
}

func textWorldExpress(t *testing.T) {
	python := venv(t, "textworld", "textworld==1.7.0", "textworld-express==1.1.0")
	source := openExec(t, worker.Options{Command: []string{python, "-m", "sparkd_env.textworld_express"}, Workers: 2,
		Options: map[string]string{"game": "cookingworld", "params": "numLocations=3, numIngredients=2"}})
	w := &world{name: "textworld_express", open: source.Open, tasks: numbered(4), next: wander(), steps: 40,
		rounds: 10, forks: 10, copies: 2}
	beside(t, w, measure(t, w), &real{world: "textworld_express", label: "as_shipped", driver: "textworld_express",
		python: python, tasks: []any{0, 1, 2, 3},
		steps: 40, rounds: 10, forks: 10, copies: 2, same: true})
}

func openEnv(t *testing.T) {
	python := venv(t, "openenv", "openenv==0.10.0")
	source, err := openenv.Open(t.Context(), "bench", openenv.Options{URL: uvicorn(t, python), Workers: 32,
		Options: map[string]string{"action": "guess", "admissible": "moves", "text": "text,tries"}})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	wrong := func(sparkd.Observation, int, int) string { return "0" }
	measure(t, &world{name: "openenv", open: source.Open, tasks: numbered(4), next: wrong, steps: 40, rounds: 10,
		forks: 10, copies: 32})
}
