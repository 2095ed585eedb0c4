package worker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"sparkd/internal/jsonlines"
)

// The test binary is its own worker: a walk on a line of numbers, which fails on demand.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit((&line{out: os.Stdout}).run())
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // of workers under the race detector
	os.Exit(m.Run())
}

// line is the worker. Its options: fork, sessions, replay, goal (number to reach) and
// fault (what goes wrong at hello). Actions other than numbers are faults.
type line struct {
	out     *os.File
	options map[string]string
	walks   map[string]*walk
	resets  int
}

type walk struct{ Index, At, Steps int }

func (l *line) run() int {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, maxLine)
	l.walks = map[string]*walk{}
	for in.Scan() {
		var r request
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		ok, err := l.answer(&r)
		a := map[string]any{"id": r.ID, "ok": ok}
		if err != nil {
			a = map[string]any{"id": r.ID, "error": map[string]string{"code": "env",
				"message": err.Error(), "remedy": "mend it"}}
		}
		b, _ := json.Marshal(a)
		fmt.Fprintf(l.out, "%s\n", b)
		if r.Action != nil && *r.Action == "chatter" {
			fmt.Fprintln(l.out, "by the way")
		}
		if r.Action != nil && *r.Action == "twice" {
			fmt.Fprintf(l.out, "%s\n", b)
		}
	}
	if l.options["fault"] == "deaf" {
		hang()
	}
	return 0
}

func (l *line) answer(r *request) (any, error) {
	w := l.walks[r.Session]
	switch r.Op {
	case "hello":
		return l.hello(r.Options), nil
	case "reset":
		if r.Task.Split != "all" {
			return nil, fmt.Errorf("no split %s", r.Task.Split)
		}
		l.resets++
		w = &walk{Index: r.Task.Index, At: r.Task.Index}
		l.walks[r.Session] = w
		return l.see(w), nil
	case "step":
		return l.step(w, *r.Action)
	case "replay":
		seen := []any{}
		w = &walk{Index: r.Task.Index, At: r.Task.Index}
		l.walks[r.Session] = w
		seen = append(seen, l.see(w))
		for _, a := range r.Actions {
			if l.done(w) {
				break
			}
			o, err := l.step(w, a)
			if err != nil {
				return nil, err
			}
			seen = append(seen, o)
		}
		return map[string]any{"observations": seen}, nil
	case "fork":
		c := *w
		l.walks[r.To] = &c
	case "snapshot":
		b, _ := json.Marshal(w)
		return map[string]any{"state": b}, nil
	case "restore":
		l.walks[r.Session] = &walk{}
		return map[string]any{}, json.Unmarshal(r.State, l.walks[r.Session])
	case "close":
		delete(l.walks, r.Session)
	}
	return map[string]any{}, nil
}

func (l *line) hello(options map[string]string) any {
	l.options = options
	l.fault(options["fault"])
	sessions, _ := strconv.Atoi(options["sessions"])
	h := hello{Protocol: version, Name: "line", Version: "1", About: "a walk on a line",
		Splits: map[string]int{"all": -1}, MaxSteps: 50,
		Fork: options["fork"], Replay: options["replay"] == "yes", Sessions: max(1, sessions)}
	switch options["fault"] {
	case "protocol 2":
		h.Protocol = 2
	case "no splits":
		h.Splits = nil
	case "names":
		h.Names = map[string][]string{"all": {"a"}}
	case "changes":
		h.Version = strconv.Itoa(os.Getpid())
	}
	return h
}

func (l *line) done(w *walk) bool { return strconv.Itoa(w.At) == l.options["goal"] }

func (l *line) see(w *walk) any {
	text := fmt.Sprintf("at %d of walk %d after %d steps", w.At, w.Index, w.Steps)
	if l.options["fault"] == "drift" {
		text += " in " + strconv.Itoa(os.Getpid())
	}
	done := l.done(w)
	reward := 0.0
	if done {
		reward = 1
	}
	goal := "go to " + l.options["goal"]
	if l.options["fault"] == "another goal" {
		goal += fmt.Sprintf(" or %d", l.resets)
	}
	return map[string]any{"text": text, "goal": goal, "admissible": []string{"1", "-1", "2"},
		"reward": reward, "done": done, "success": done}
}

func (l *line) step(w *walk, action string) (any, error) {
	if action == "fail" {
		return nil, fmt.Errorf("it broke")
	}
	if action == "no text" {
		return map[string]any{"reward": 1}, nil
	}
	l.fault(action)
	if shape, dir, ok := strings.Cut(action, " in "); ok {
		return l.see(w), family(shape, dir)
	}
	w.Steps++
	if n, err := strconv.Atoi(action); err == nil {
		w.At += n
	}
	return l.see(w), nil
}

// fault goes wrong, if name is that of a fault, before anything is answered.
func (l *line) fault(name string) {
	switch name {
	case "garbage":
		fmt.Fprintln(l.out, "Welcome to the line!")
	case "empty line":
		fmt.Fprintln(l.out)
	case "wrong id":
		fmt.Fprintln(l.out, `{"id":77777,"ok":{}}`)
	case "array":
		fmt.Fprintln(l.out, `[]`)
	case "long line":
		_, _ = l.out.WriteString(strings.Repeat("x", maxLine+1) + "\n")
	case "hang":
		hang()
	case "exit 3":
		fmt.Fprintln(os.Stderr, "cannot go on")
		os.Exit(3)
	case "exit 0":
		os.Exit(0)
	case "killed":
		kill(os.Getpid())
		hang()
	case "hang with child":
		child := exec.Command("sleep", "1000")
		detach(child)
		child.Stdout = l.out
		if err := child.Start(); err != nil {
			panic(err)
		}
		hang()
	case "child":
		child := exec.Command("sleep", "1000")
		detach(child)
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, child.Process.Pid)
	case "grow":
		grow(80)
	case "explode":
		grow(512)
		hang()
	case "shout":
		fmt.Fprintln(os.Stderr, strings.Repeat("a", 3*jsonlines.MaxLogLine))
		fmt.Fprintln(os.Stderr, "b\xff")
	}
}

func kill(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

// hang is longer than any test. To wait for nothing at all would be a deadlock that Go notices.
func hang() { <-time.After(time.Hour) }
