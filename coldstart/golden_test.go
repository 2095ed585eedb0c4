package coldstart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"sparkd"
)

func TestReadPaths(t *testing.T) {
	long := `{"task":"e/s/1","actions":["` + strings.Repeat("a", maxPathLine) + `"]}`
	for _, c := range []struct {
		name, lines string
		want        []Path
		says        string
	}{
		{"two", `{"task":"e/s/1","actions":[" a ","b"],"note":1}` + "\n\n" + `{"task":"e/t/1","actions":["c"]}`, []Path{
			{sparkd.Task{Env: "e", Split: "s", Index: 1}, []string{"a", "b"}},
			{sparkd.Task{Env: "e", Split: "t", Index: 1}, []string{"c"}},
		}, ""},
		{"nothing", "\n \n", nil, "there is no path"},
		{"no JSON", "task e/s/1", nil, "line 1: "},
		{"a cut line", "{\"task\":\"e/s/1\",\"actions\":[\"a\"]}\n{\"task\":", nil, "line 2: "},
		{"no task", `{"actions":["a"]}`, nil, "line 1: cannot read task"},
		{"bad index", `{"task":"e/s/x","actions":["a"]}`, nil, "line 1: cannot read the index"},
		{"no actions", `{"task":"e/s/1"}`, nil, "line 1: no actions"},
		{"action of another kind", `{"task":"e/s/1","actions":[1]}`, nil, "line 1: "},
		{"empty action", `{"task":"e/s/1","actions":["a"," "]}`, nil, "line 1: an action is empty"},
		{"a tag", `{"task":"e/s/1","actions":["a</Action>"]}`, nil, "line 1: an action is empty, or holds"},
		{"another environment", `{"task":"f/s/1","actions":["a"]}`, nil, "line 1: f/s/1 is a task of f, not of e"},
		{"twice", `{"task":"e/s/1","actions":["a"]}` + "\n" + `{"task":"e/s/1","actions":["b"]}`, nil,
			"line 2: a second path for e/s/1, after that of line 1"},
		{"too long", "\n" + long, nil, "line 2: longer than"},
	} {
		got, err := ReadPaths(strings.NewReader(c.lines), "e")
		if c.says == "" {
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: %v, %v", c.name, got, err)
			}
			continue
		}
		e := sparkd.AsError(err)
		if err == nil || e.Code != sparkd.CodeInvalid || e.Field != "golden" || e.Remedy == "" ||
			!strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := ReadPaths(iotest.ErrReader(errors.New("bad disk")), "e")
	if err == nil || !strings.Contains(err.Error(), "bad disk") {
		t.Errorf("%v", err)
	}
}

// corridor is won at its third step to the east; it hangs, breaks or loses where it is told to.
type corridor struct{ at int }

func (c *corridor) Close() error { return nil }

func (c *corridor) Reset(context.Context, sparkd.Task) (sparkd.Observation, error) {
	c.at = 0
	return sparkd.Observation{Text: "A corridor.", Goal: "go east"}, nil
}

func (c *corridor) Step(ctx context.Context, action string) (o sparkd.Observation, err error) {
	switch action {
	case "east":
		c.at++
	case "hang":
		<-ctx.Done()
		return o, ctx.Err()
	case "break":
		return o, sparkd.Errorf(sparkd.CodeEnv, "it broke")
	case "lose":
		return sparkd.Observation{Text: "You fell.", Done: true}, nil
	}
	return sparkd.Observation{Text: fmt.Sprint("At ", c.at), Done: c.at == 3, Success: c.at == 3}, nil
}

// A path is replayed in any environment, within the limits of steps and of time; the fault
// is the path's (invalid) or the environment's.
func TestReplay(t *testing.T) {
	for _, c := range []struct {
		actions string
		code    sparkd.Code
		says    string
	}{
		{"east east east", "", ""},
		{"wait east east east", "", ""},
		{"east east", sparkd.CodeInvalid, "does not reach the goal in its 2 actions"},
		{"east lose", sparkd.CodeInvalid, "does not reach the goal"},
		{"east east east east", sparkd.CodeInvalid, "ends after 3 of 4"},
		{"wait wait wait east east east", sparkd.CodeInvalid, "6 steps, more than 5"},
		{"east break east", sparkd.CodeEnv, "it broke"},
		{"east hang east", sparkd.CodeDeadline, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := Path{sparkd.Task{Env: "corridor", Split: "s"}, strings.Fields(c.actions)}
			tr, err := p.Replay(t.Context(), &corridor{}, 5, time.Minute)
			if sparkd.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%s: %v", c.actions, err)
			}
			if err != nil {
				return
			}
			if len(tr.Steps) != len(p.Actions) || tr.Goal != "go east" || tr.Source != Retro || tr.Task != p.Task {
				t.Errorf("%s: %+v", c.actions, tr)
			}
			if s := tr.Steps[len(tr.Steps)-1]; s.Observation.Text != "At 2" || s.Action != "east" || s.Reason != "" {
				t.Errorf("%s: the last step is %+v", c.actions, s)
			}
		})
	}
}

// FuzzReadPaths: what is read is a task of the environment with actions, and reads the same
// again.
func FuzzReadPaths(f *testing.F) {
	f.Add(`{"task":"e/s/1","actions":["a","b"]}` + "\n" + `{"task":"e/s/2","actions":["c"]}`)
	f.Add(`{"task":"e/s/01","actions":[""]}`)
	f.Add(`{"TASK":"e/s/1","Actions":["<action>"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		paths, err := ReadPaths(io.LimitReader(strings.NewReader(text), 1<<16), "e")
		if err != nil {
			if sparkd.CodeOf(err) != sparkd.CodeInvalid || len(paths) > 0 {
				t.Errorf("%d paths, %v", len(paths), err)
			}
			return
		}
		for _, p := range paths {
			if p.Task.Env != "e" || len(p.Actions) == 0 {
				t.Errorf("%+v", p)
			}
			for _, a := range p.Actions {
				if a == "" || strings.TrimSpace(a) != a || strings.Contains(a, "</action>") {
					t.Errorf("action %q", a)
				}
			}
		}
	})
}
