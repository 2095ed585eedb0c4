package worker_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/env/envtest"
	"sparkd/env/worker"
)

// python returns the interpreter, with sparkd_env on its path.
func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT RUN: the tests of the Python package need python3 on PATH")
	}
	withPackage(t)
	return path
}

func withPackage(t *testing.T) {
	t.Helper()
	folder, err := filepath.Abs("../../python")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHONPATH", folder)
}

// unitTests runs python/tests.
func unitTests(t *testing.T, python string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python, "-m", "unittest", "discover", "--buffer", "--start-directory",
		"../../python/tests").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestPython(t *testing.T) { unitTests(t, python(t)) }

// The class of the documentation is an environment.
func TestDocumentedClass(t *testing.T) {
	page, err := os.ReadFile("../../docs/environments.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(page), "```python\n")
	code, _, found := strings.Cut(code, "```")
	if !found {
		t.Fatal("no Python in the documentation")
	}
	file := filepath.Join(t.TempDir(), "guess.py")
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	command := []string{python(t), file}
	envtest.Run(t, envtest.Options{
		Source: source("guess", worker.Options{Command: command, Workers: 2}),
		Tasks:  []sparkd.Task{{Env: "guess", Split: "train", Index: 3}},
		Finish: func(*testing.T, sparkd.Task) []string { return []string{"look", "4"} },
	})
}

func source(name string, o worker.Options) func(t *testing.T) envtest.Source {
	return func(t *testing.T) envtest.Source {
		s, err := worker.Open(t.Context(), name, o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// textWorlds returns an interpreter that has the real packages.
func textWorlds(t *testing.T) string {
	t.Helper()
	if os.Getenv("SPARKD_TEST_ENVS") == "" {
		t.Skip("NOT RUN: the tests on the real TextWorld and TextWorldExpress need SPARKD_TEST_ENVS=1 and Java " +
			"(they install both with pip)")
	}
	withPackage(t)
	venv, err := exec.CommandContext(t.Context(), "../../scripts/venv", "textworld", "textworld==1.7.0",
		"textworld-express==1.1.0").Output()
	if err != nil {
		t.Fatalf("scripts/venv: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(venv)), "bin", "python")
}

// games returns a folder with three games, which tw-make makes once.
func games(t *testing.T, python string) string {
	t.Helper()
	bin := filepath.Dir(python)
	folder := filepath.Join(bin, "..", "games")
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	making := filepath.Join(bin, "..", "games.making")
	for name, arguments := range map[string]string{
		"train/q1":     "custom --world-size 3 --nb-objects 6 --quest-length 4 --seed 1",
		"train/simple": "tw-simple --rewards dense --goal detailed --seed 7",
		"test/q3":      "custom --world-size 2 --nb-objects 4 --quest-length 2 --seed 3",
	} {
		file := filepath.Join(making, name+".z8")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		make := exec.CommandContext(t.Context(), python,
			append([]string{filepath.Join(bin, "tw-make")},
				append(strings.Fields(arguments), "--force", "--output", file)...)...)
		if out, err := make.CombinedOutput(); err != nil {
			t.Fatalf("tw-make: %v\n%s", err, out)
		}
	}
	if err := os.Rename(making, folder); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestTextWorld(t *testing.T) {
	python := textWorlds(t)
	folder := games(t, python)
	t.Run("beside the package", func(t *testing.T) {
		t.Setenv("SPARKD_TEST_GAMES", folder)
		unitTests(t, python)
	})
	o := worker.Options{Command: []string{python, "-m", "sparkd_env.textworld"}, Workers: 2, Memory: 600,
		Options: map[string]string{"games": folder}}
	open := source("textworld", o)
	envtest.Run(t, envtest.Options{
		Source: open,
		Tasks: []sparkd.Task{
			{Env: "textworld", Split: "train", Index: 0}, {Env: "textworld", Split: "train", Index: 1},
			{Env: "textworld", Split: "test", Index: 0},
		},
		Steps: 30,
		Finish: func(t *testing.T, task sparkd.Task) []string {
			name := map[string][]string{"train": {"q1", "simple"}, "test": {"q3"}}[task.Split][task.Index]
			return walkthrough(t, filepath.Join(folder, task.Split, name+".json"))
		},
	})
	figures(t, open(t).(*worker.Source), sparkd.Task{Env: "textworld", Split: "train", Index: 1})
}

// walkthrough returns the solution that tw-make wrote beside a game.
func walkthrough(t *testing.T, file string) []string {
	t.Helper()
	var game struct {
		Metadata struct{ Walkthrough []string }
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &game); err != nil {
		t.Fatal(err)
	}
	return game.Metadata.Walkthrough
}

func TestTextWorldExpress(t *testing.T) {
	o := worker.Options{Command: []string{textWorlds(t), "-m", "sparkd_env.textworld_express"},
		Workers: 2, Memory: 1000}
	for game, c := range map[string]struct {
		params string
		finish []string // of train/0
	}{
		"coin": {"numLocations=4,numDistractorItems=0,includeDoors=0",
			[]string{"look around", "move north", "take coin"}},
		"cookingworld": {"numLocations=3, numIngredients=2", nil},
		"mapreader": {"", []string{"look around", "task", "read map", "move north", "take coin",
			"move south", "put coin in box"}},
	} {
		t.Run(game, func(t *testing.T) {
			o.Options = map[string]string{"game": game, "params": c.params}
			run := envtest.Options{
				Source: source("twx", o),
				Tasks:  []sparkd.Task{{Env: "twx", Split: "train", Index: 0}},
				Steps:  30,
			}
			if c.finish != nil {
				run.Finish = func(*testing.T, sparkd.Task) []string { return c.finish }
			} else {
				run.Tasks = append(run.Tasks, sparkd.Task{Env: "twx", Split: "dev", Index: 999},
					sparkd.Task{Env: "twx", Split: "test", Index: 5})
			}
			envtest.Run(t, run)
		})
	}
	o.Options = map[string]string{"game": "cookingworld"}
	figures(t, source("twx", o)(t).(*worker.Source), sparkd.Task{Env: "twx", Split: "train", Index: 3})
	o.Options = map[string]string{"game": "chess"}
	_, err := worker.Open(t.Context(), "twx", o)
	if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeInvalid || e.Field != "env.twx.options.game" {
		t.Errorf("game = chess: %v", err)
	}
}

// figures logs what calls cost through the protocol.
func figures(t *testing.T, s *worker.Source, task sparkd.Task) {
	t.Helper()
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	each := func(what string, n int, f func() error) {
		began := time.Now()
		for range n {
			if err := f(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		t.Logf("%s: %.2f ms", what, time.Since(began).Seconds()*1000/float64(n))
	}
	each("reset", 20, func() error { _, err := e.Reset(t.Context(), task); return err })
	each("step", 100, func() error { _, err := e.Step(t.Context(), "look around"); return err })
	actions := strings.Split(strings.Repeat("look around\n", 20), "\n")[:20]
	each("replay of 20 steps", 10,
		func() error { _, err := e.(sparkd.Replayer).Replay(t.Context(), task, actions); return err })
	if from, ok := e.(sparkd.Snapshotter); ok {
		var state []byte
		each("snapshot, after a step", 50, func() error {
			if _, err := e.Step(t.Context(), "look"); err != nil {
				return err
			}
			state, err = from.Snapshot(t.Context())
			return err
		})
		each("restore", 50, func() error { return from.Restore(t.Context(), task, state) })
	}
}
