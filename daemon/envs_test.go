package daemon_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
)

const guess = `
import random
import sparkd_env

class Guess(sparkd_env.Env):
    """Find a number between 1 and 4."""
    splits = {"train": 20, "test": sparkd_env.UNBOUNDED}
    names = {"train": ["number-%d" % i for i in range(20)]}

    def reset(self, split, index):
        self.number = random.Random(index).randint(1, 4)
        return sparkd_env.Observation("Guess.", goal="Find the number.", admissible=["1", "2", "3", "4"])

    def step(self, action):
        if action == str(self.number):
            return sparkd_env.Observation("Right.", reward=1.0, done=True, success=True)
        return sparkd_env.Observation("No.", admissible=["1", "2", "3", "4"])

sparkd_env.serve(Guess)
`

// withGuess starts a daemon with the environment guess, a program in Python.
func withGuess(t *testing.T, program, section string, settings map[string]string) *running {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: there is no python3, so no configured environment is played")
	}
	dir := t.TempDir()
	python, err := filepath.Abs("../python")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHONPATH", python)
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	script, file := filepath.Join(dir, "guess.py"), filepath.Join(dir, "sparkd.toml")
	toml := "[env.guess]\nkind = \"exec\"\ncommand = [\"python3\", '" + script + "']\n" + section
	for name, text := range map[string]string{script: program, file: toml} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]string{"daemon.data": filepath.Join(dir, "data"), "api.listen": "127.0.0.1:0"}
	maps.Copy(all, settings)
	l, err := daemon.Load(file, nil, all)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, l.Config, daemon.Parts{Engine: &daemontest.Engine{}})
}

// An environment of the configuration, a program in Python, plays a rollout that forks;
// its tasks have names.
func TestConfiguredEnvironment(t *testing.T) {
	r := withGuess(t, guess, "workers = 2\n", nil)
	s := spec(1)
	s.Tasks = sparkd.Tasks{Env: "guess", Split: "train", Names: []string{"number-3", "number-11"}}
	got := r.wait(r.submit(s).ID)
	if got.State != sparkd.RolloutDone || got.Stats.Forks == 0 || got.Stats.Failed != 0 ||
		got.Stats.ReplaySteps == 0 || got.Stats.Successes == 0 {
		t.Fatalf("%s, %+v", got.State, got.Stats)
	}
	if got.Spec.Tasks.Names != nil || len(got.Spec.Tasks.Indices) != 2 || got.Spec.Tasks.Indices[1] != 11 {
		t.Errorf("names became %+v", got.Spec.Tasks)
	}
	for field, tasks := range map[string]sparkd.Tasks{
		"tasks.names[0]": {Env: "guess", Split: "train", Names: []string{"number-33"}},
		"tasks.names":    {Env: "household", Split: "train", Names: []string{"x"}},
		"tasks.count":    {Env: "guess", Split: "train", Count: 21},
		"tasks.split":    {Env: "guess", Split: "valid", Count: 1},
	} {
		bad := spec(1)
		bad.Tasks = tasks
		_, _, err := r.Client.Submit(t.Context(), bad)
		if e := sparkd.AsError(err); err == nil || e.Field != field || e.Remedy == "" {
			t.Errorf("%+v: %v, want field %s", tasks, err, field)
		}
	}
	far := spec(1)
	far.Tasks = sparkd.Tasks{Env: "guess", Split: "test", Indices: []int{123456789}}
	if got := r.wait(r.submit(far).ID); got.State != sparkd.RolloutDone {
		t.Errorf("a seed far away: %+v", got)
	}
}

// One call that hangs is one failed branch: those whose calls wait for the same worker go
// on in the next one.
func TestWorkerThatHangs(t *testing.T) {
	once := filepath.Join(t.TempDir(), "once")
	program := strings.Replace(guess, "    def step(self, action):\n", `    sessions = 8

    def step(self, action):
        import os, sys, time
        if not os.path.exists("`+once+`"):
            open("`+once+`", "w").close()
            print("lost in thought", file=sys.stderr, flush=True)
            time.sleep(1000)
`, 1)
	r := withGuess(t, program, "workers = 1\n", map[string]string{"sampler.env_timeout": "6s"})
	s := spec(1)
	s.Tasks = sparkd.Tasks{Env: "guess", Split: "train", Count: 2}
	got := r.wait(r.submit(s).ID)
	if got.State != sparkd.RolloutDone || got.Stats.Failed != 1 || got.Stats.Successes == 0 {
		t.Fatalf("%s, %+v", got.State, got.Stats)
	}
	const says = "no answer to step within 3s; its last words: lost in thought"
	for _, id := range got.Trees {
		tree, err := r.Client.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range tree.Nodes {
			if n.Failed() && (n.Error.Code != sparkd.CodeDeadline || !strings.Contains(n.Error.Message, says) ||
				n.Reward != 0) {
				t.Errorf("%v, reward %v", n.Error, n.Reward)
			}
		}
	}
}

// With one place for all leaves, every step of another leaf is a replay in the worker; the
// trees are those of as many places as leaves.
func TestFewWorkers(t *testing.T) {
	type step struct {
		parent                int
		action, seen, outcome string
		reward                float64
	}
	grow := func(section string) (steps []step, stats sparkd.Stats, metrics map[string]float64) {
		r := withGuess(t, guess, section, nil)
		s := spec(1)
		s.Tasks = sparkd.Tasks{Env: "guess", Split: "train", Count: 2}
		got := r.wait(r.submit(s).ID)
		for _, id := range got.Trees {
			tree, err := r.Client.Tree(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range tree.Nodes {
				steps = append(steps, step{n.Parent, n.Action, n.ObsHash, string(n.Outcome), n.Reward})
			}
		}
		return steps, got.Stats, values(t, r.Gatherer())
	}
	many, want, _ := grow("workers = 16\n")
	few, got, metrics := grow("workers = 1\n")
	if got != want || !slices.Equal(few, many) || want.Forks == 0 {
		t.Errorf("one worker: %+v\n%v\n16: %+v\n%v", got, few, want, many)
	}
	if metrics["sparkd_env_workers_started_total/guess"] != 1 ||
		metrics["sparkd_env_evictions_total/guess"] == 0 ||
		metrics["sparkd_env_rebuilt_steps_total/guess"] == 0 ||
		metrics["sparkd_env_rebuilds_diverged_total/guess"] != 0 {
		t.Errorf("%v", metrics)
	}
}

// A configuration whose environment cannot be opened is refused at start, with the key.
func TestEnvironmentThatDoesNotStart(t *testing.T) {
	for field, settings := range map[string]map[string]string{
		"env.x.kind":    {"env.x.kind": "chess"},
		"env.x.command": {"env.x.kind": "exec", "env.x.command": "/nonexistent/program"},
		"env.x.data":    {"env.x.kind": "alfworld", "env.x.data": t.TempDir()},
	} {
		settings["daemon.data"], settings["api.listen"] = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0"
		l, err := daemon.Load("", nil, settings)
		if err == nil {
			_, err = daemon.New(t.Context(), l.Config, zerolog.Nop(), daemon.Parts{Engine: &daemontest.Engine{}})
		}
		if e := sparkd.AsError(err); err == nil || e.Field != field || e.Remedy == "" {
			t.Errorf("%v: %v, want field %s", settings, err, field)
		}
	}
}
