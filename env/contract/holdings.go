package contract

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"sparkd"
	"sparkd/internal/supervisor"
)

// holdings is what this process holds at a time, and those that it started. Files and processes are known on Linux
// only.
type holdings struct {
	goroutines int
	files      int
	children   []int // process ids, all generations
}

func take() holdings {
	h := holdings{goroutines: runtime.NumGoroutine(), children: supervisor.Descendants(os.Getpid())}
	files, _ := os.ReadDir("/proc/self/fd") // last: what the runtime opens for a first read is there by now
	h.files = len(files)
	return h
}

// left fails if the process holds more than it did. What is closed may take a moment to be gone: the count is
// repeated for up to five seconds.
func (before holdings) left() error {
	deadline := time.After(5 * time.Second)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		problem := before.exceeded()
		if problem == "" {
			return nil
		}
		select {
		case <-again.C:
		case <-deadline:
			const remedy = "let close end and close all that the environment started and opened"
			return wrong(remedy, "after Close: %s", problem)
		}
	}
}

// exceeded says what there is now that there was not before.
func (before holdings) exceeded() string {
	now := take()
	for _, id := range now.children {
		if !slices.Contains(before.children, id) {
			return fmt.Sprintf("process %d is left: %s", id, commandLine(id))
		}
	}
	if now.files > before.files {
		return fmt.Sprintf("%d open files, %d before", now.files, before.files)
	}
	if now.goroutines > before.goroutines {
		stacks := make([]byte, 1<<20)
		return fmt.Sprintf("%d goroutines, %d before:\n%s", now.goroutines, before.goroutines,
			stacks[:runtime.Stack(stacks, true)])
	}
	return ""
}

func commandLine(pid int) string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strconv.Quote(strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " ")))
}

// The kinds of things that can grow.
const (
	processes = "processes"
	threads   = "threads"
	sockets   = "sockets"
	files     = "open files"
)

// kinds are in the order in which one that grows is named: a process has threads and files, too.
var kinds = []string{processes, threads, sockets, files}

// inventory counts, by kind, what this process and those that it started hold now.
type inventory map[string]*item

type item struct {
	count int
	by    map[string]int // by name
}

// grown returns what there is more of than before, most of all.
func (now *item) grown(before *item) (what string) {
	for target := range now.by {
		if more := now.by[target] - before.by[target]; more > now.by[what]-before.by[what] {
			what = target
		}
	}
	return what
}

// stock takes an inventory.
func stock() inventory {
	v := inventory{}
	for _, kind := range kinds {
		v[kind] = &item{by: map[string]int{}}
	}
	below := supervisor.Descendants(os.Getpid())
	for _, pid := range below {
		v.add(processes, commandLine(pid))
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		for range tasks {
			v.add(threads, "of process "+commandLine(pid))
		}
	}
	for _, pid := range append(below, os.Getpid()) {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, link := range links {
			switch target, _ := os.Readlink(link); {
			case strings.HasPrefix(target, "socket:"):
				v.add(sockets, target)
			case target != "":
				v.add(files, target)
			}
		}
	}
	return v
}

func (v inventory) add(kind, what string) {
	v[kind].count++
	v[kind].by[what]++
}

// rounds are how often a copy is opened, played, copied and closed to see what grows; the first ones may. Where memory
// grows that is done as often twice more.
const (
	rounds  = 16
	warming = 6
)

// grows checks that what the environment holds does not grow with every episode.
func (r *run) grows() (string, error) {
	if r.Quick {
		return "", skip("not asked for")
	}
	if _, err := r.episodes(0, warming); err != nil {
		return "", err
	}
	before := stock()
	sizes, err := r.episodes(warming, rounds)
	if err != nil {
		return "", err
	}
	now := stock()
	for _, kind := range kinds {
		if more := now[kind].count - before[kind].count; more >= rounds-warming {
			return "", wrong("end and close in reset and close what an episode has started and opened",
				"%d more %s after %d episodes, one of them %s", more, kind, rounds-warming,
				now[kind].grown(before[kind]))
		}
	}
	played := rounds
	if steady(sizes) > heavy { // as it may where a runtime has not collected yet what nobody needs
		played = 3 * rounds
		if sizes, err = r.episodes(rounds, played); err != nil {
			return "", err
		}
	}
	if more := steady(sizes); more > heavy {
		return "", wrong("let go in reset and close of what an episode has kept in memory",
			"its processes take %d MiB more with an episode, after %d episodes still", more>>20, played)
	}
	return fmt.Sprintf("%d episodes", played), nil
}

// heavy is how much memory, in bytes, an episode may keep for good without a fault.
const heavy = 10 << 20

// steady is by how much sizes grow at least from one to the next, over any half of them: nothing where they stop once,
// or fall back.
func steady(sizes []int) int {
	half, least := len(sizes)/2, math.MaxInt
	for i := range len(sizes) - half {
		least = min(least, (sizes[i+half]-sizes[i])/half)
	}
	return least
}

// episodes plays the episodes of some rounds and returns the memory of its processes before and after each, in bytes.
func (r *run) episodes(from, to int) ([]int, error) {
	sizes := []int{supervisor.Resident(os.Getpid())}
	for i := from; i < to; i++ {
		if err := r.closed(r.episode(r.tasks[i%len(r.tasks)])); err != nil {
			return nil, err
		}
		sizes = append(sizes, supervisor.Resident(os.Getpid()))
	}
	return sizes, nil
}

// episode plays a few steps of a task and copies their end.
func (r *run) episode(task sparkd.Task) error {
	e, o, err := r.start(task)
	if err != nil || o.Done {
		return err
	}
	w := &walk{task: task, observations: []sparkd.Observation{o}}
	if err := r.grow(e, w, r.random(7), 3); err != nil || w.last().Done {
		return err
	}
	c, err := r.copy(e, w, len(w.actions))
	if err == nil {
		err = r.grow(c, w, r.random(8), 1)
	}
	return err
}
