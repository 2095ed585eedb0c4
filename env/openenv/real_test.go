//go:build unix

package openenv

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sparkd"
	"sparkd/env/envtest"
)

// venv returns the folder of a Python environment with openenv.
func venv(t *testing.T) string {
	t.Helper()
	if os.Getenv("SPARKD_TEST_ENVS") == "" {
		t.Skip("NOT RUN: the test against a real OpenEnv server needs SPARKD_TEST_ENVS=1 (it installs openenv " +
			"with pip)")
	}
	out, err := exec.CommandContext(t.Context(), "../../scripts/venv", "openenv", "openenv==0.10.0").Output()
	if err != nil {
		t.Fatalf("scripts/venv: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// uvicorn serves app from a folder until the test ends, and returns its address.
func uvicorn(t *testing.T, venv, folder, app string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	listener.Close() // the server has it as its file 3
	c := exec.Command(filepath.Join(venv, "bin/python"), "-m", "uvicorn", "--fd", "3", "--log-level", "warning", app)
	c.Dir, c.Env, c.ExtraFiles = folder, append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), []*os.File{file}
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
	})
	// The socket listens already: the request waits until the server is up.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("the server does not start: %v", err)
	}
	answer.Body.Close()
	return address
}

// bisect finds the hidden number.
func bisect(t *testing.T, s *Source, task sparkd.Task) []string {
	t.Helper()
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Reset(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	low, high := 1, 100
	var actions []string
	for {
		guess := (low + high) / 2
		actions = append(actions, fmt.Sprint(guess))
		o, err := e.Step(t.Context(), fmt.Sprint(guess))
		switch {
		case err != nil:
			t.Fatal(err)
		case o.Done:
			return actions
		case strings.Contains(o.Text, "more"):
			low = guess + 1
		default:
			high = guess - 1
		}
	}
}

func TestRealServer(t *testing.T) {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	address := uvicorn(t, venv(t), dir, "hunt:app")
	options := map[string]string{"action": "guess", "admissible": "moves", "text": "text,tries"}
	source := open(t, address, 0, options)
	defer source.Close()

	t.Run("conformance", func(t *testing.T) {
		envtest.Run(t, envtest.Options{
			Source: func(t *testing.T) envtest.Source { return open(t, address, 0, options) },
			Tasks: []sparkd.Task{{Env: "count", Split: "train", Index: 1},
				{Env: "count", Split: "train", Index: 12345}},
			Finish: func(t *testing.T, task sparkd.Task) []string { return bisect(t, source, task) },
		})
	})
	t.Run("an action that the schema refuses", func(t *testing.T) {
		e, err := begin(t, open(t, address, 1, map[string]string{"action_json": "true"}))
		if err != nil {
			t.Fatal(err)
		}
		if o, err := e.Step(t.Context(), `{"say": "hello"}`); err != nil ||
			!strings.Contains(o.Text, "guess: Field required") {
			t.Errorf("%q, %v", o.Text, err)
		}
		if state, err := e.(*Env).State(t.Context()); err != nil || fmt.Sprint(state["step_count"]) != "0" {
			t.Errorf("state: %v, %v", state, err)
		}
	})
	t.Run("an exception", func(t *testing.T) {
		e, err := begin(t, source)
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Step(t.Context(), "crash")
		wantError(t, err, sparkd.CodeEnv, "", "the hunter fell over")
	})
}

// The template of `openenv init`, as it comes, holds one session.
func TestRealTemplate(t *testing.T) {
	python, dir := venv(t), t.TempDir()
	c := exec.CommandContext(t.Context(), filepath.Join(python, "bin/openenv"), "init", "echo_room")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("openenv init: %v\n%s", err, out)
	}
	source := open(t, uvicorn(t, python, filepath.Join(dir, "echo_room"), "server.app:app"), 2,
		map[string]string{"text": "echoed_message"})
	defer source.Close()
	for range 3 { // the place of a session is free as soon as Close returns
		e, err := begin(t, source)
		if err != nil {
			t.Fatal(err)
		}
		o, err := e.Step(t.Context(), "hi there")
		if err != nil || o.Text != "hi there" || o.Reward != 0.8 || o.Done {
			t.Errorf("echo: %+v, %v", o, err)
		}
		second, err := begin(t, source)
		wantError(t, err, sparkd.CodeUnavailable, "env.count.workers", "max_concurrent_envs")
		for _, e := range []sparkd.Env{second, e} {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
