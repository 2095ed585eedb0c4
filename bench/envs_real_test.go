package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sparkd/bench"
)

// real is a package that testdata/real.py drives.
type real struct {
	world, label  string // its figures are WORLD_LABEL_…
	driver        string // class of testdata/real.py
	python        string // interpreter that has it
	path          string // further folder of modules
	tasks         []any  // the first tasks of a world, as the package calls them
	steps         int    // of every walk that are played
	rounds, forks int
	copies        int
	same          bool // its texts must be those that sparkd saw
}

// measured is what testdata/real.py writes.
type measured struct {
	Resets []float64  `json:"reset_s"`
	Steps  []float64  `json:"steps_s"`
	CPU    []float64  `json:"cpu_s"`
	Forks  []float64  `json:"fork_s"`
	Fork   string     `json:"fork"`
	State  float64    `json:"state_bytes"`
	Texts  [][]string `json:"texts"`
}

// driving is the longest that a package may take.
const driving = 5 * time.Minute

// beside plays the walks of w on a real package and prints its figures, and how many
// times better those of sparkd are.
func beside(t *testing.T, w *world, ours cost, r *real) cost {
	t.Helper()
	walks := make([][]string, len(r.tasks))
	for i := range walks {
		walks[i] = w.walks[i][:min(r.steps, len(w.walks[i]))]
	}
	a := r.drive(t, walks)
	if r.same {
		compare(t, w, r, a.Texts)
	}
	count := played(walks)
	theirs := cost{steps: float64(count) / slices.Min(a.Steps),
		reset: 1e3 * slices.Min(a.Resets) / float64(len(r.tasks)),
		fork:  1e6 * slices.Min(a.Forks), state: a.State / 1e3}
	theirs.print(r.name(), map[string]any{"tasks": len(r.tasks), "steps": count, "runs_s": few(a.Steps),
		"reset_runs_s":      few(a.Resets),
		"python_cpu_runs_s": few(a.CPU), "same_texts": r.same},
		map[string]any{"by": a.Fork, "runs_s": few(a.Forks)}, map[string]any{"copies": r.copies})
	ratios(w.name, r.label, ours, theirs)
	return theirs
}

func (r *real) name() string { return r.world + "_" + r.label }

// ratios prints how many times better sparkd's world is than a real one.
func ratios(name, label string, ours, theirs cost) {
	name += "_to_" + label
	bench.Print(name+"_steps_ratio", ours.steps/theirs.steps, "x", nil)
	bench.Print(name+"_reset_ratio", theirs.reset/ours.reset, "x", nil)
	bench.Print(name+"_fork_ratio", theirs.fork/ours.fork, "x", nil)
	if ours.state > 0 {
		bench.Print(name+"_state_ratio", theirs.state/ours.state, "x", nil)
	}
}

func (r *real) drive(t *testing.T, walks [][]string) (a measured) {
	t.Helper()
	request, err := json.Marshal(map[string]any{"tasks": r.tasks, "walks": walks, "rounds": r.rounds, "depth": depth,
		"forks": r.forks, "copies": r.copies})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), driving)
	defer cancel()
	c := osexec.CommandContext(ctx, r.python, "testdata/real.py", r.driver)
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH="+r.path)
	c.Stdin = bytes.NewReader(request)
	var complaints bytes.Buffer
	c.Stderr, c.WaitDelay = &complaints, time.Second
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", r.name(), err, complaints.Bytes()[max(0, complaints.Len()-2000):])
	}
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%s: %v", r.name(), err)
	}
	return a
}

// compare makes sure that both played the same game.
func compare(t *testing.T, w *world, r *real, texts [][]string) {
	t.Helper()
	for i := range texts {
		for step, text := range texts[i] {
			if ours := w.seen[i][step].Text; ours != text {
				t.Fatalf("%s: walk %d, step %d: the package says %q, sparkd %q", r.name(), i, step, text, ours)
			}
		}
	}
}

// resident returns the bytes that the processes below this one hold in memory.
func resident(t *testing.T) (bytes int64, known bool) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, false
	}
	parents, pages := map[int]int{}, map[int]int64{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[bytesAfterName(stat):]))
		parents[pid], _ = strconv.Atoi(fields[1])
		pages[pid], _ = strconv.ParseInt(fields[21], 10, 64)
	}
	for pid := range parents {
		for up := parents[pid]; up != 0; up = parents[up] {
			if up == os.Getpid() {
				bytes += pages[pid] * int64(os.Getpagesize())
				break
			}
		}
	}
	return bytes, true
}

// bytesAfterName is where the fields behind a process's name begin (proc_pid_stat(5)):
// the name itself may hold anything.
func bytesAfterName(stat []byte) int { return bytes.LastIndexByte(stat, ')') + 1 }
