package bench_test

import (
	"context"
	"net"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd/env/worker"
)

// notRun skips the figures that need what is not there.
func notRun(t *testing.T, what string, err error) {
	t.Helper()
	t.Skipf("NOT RUN: %s: %v", what, err)
}

// output runs a program that prepares something, its complaints in the error.
func output(t *testing.T, limit time.Duration, env []string, program string, arguments ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := osexec.CommandContext(ctx, program, arguments...)
	c.Env, c.Stderr = append(os.Environ(), env...), os.Stderr
	out, err := c.Output()
	return strings.TrimSpace(string(out)), err
}

// installing is the longest that pip may take, once.
const installing = 15 * time.Minute

// venv returns an interpreter that has the packages, and lets it find sparkd_env.
func venv(t *testing.T, name string, packages ...string) string {
	t.Helper()
	folder, err := output(t, installing, nil, "../scripts/venv", append([]string{name}, packages...)...)
	if err != nil {
		notRun(t, "Python with "+strings.Join(packages, " "), err)
	}
	adapter, err := filepath.Abs("../python")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHONPATH", adapter)
	return filepath.Join(folder, "bin", "python")
}

func alfworldPython(t *testing.T) string {
	t.Helper()
	python, err := output(t, installing, nil, "../env/alfworld/testdata/real/python")
	if err != nil {
		notRun(t, "Python with alfworld", err)
	}
	return python
}

// alfworldFolder returns a folder with a game of each of the six task types.
func alfworldFolder(t *testing.T, python string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "games")
	env := []string{"PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0", "PYTHONPATH=../env/alfworld/testdata/real"}
	if _, err := output(t, time.Minute, env, python, "testdata/alfworld_games.py", folder); err != nil {
		t.Fatal(err)
	}
	return folder
}

// textWorldGame returns a folder with one small game.
func textWorldGame(t *testing.T, python string) string {
	t.Helper()
	folder := t.TempDir()
	make := filepath.Join(filepath.Dir(python), "tw-make")
	arguments := strings.Fields("tw-simple --rewards dense --goal detailed --seed 7 --output")
	if _, err := output(t, 2*time.Minute, nil, python,
		append(append([]string{make}, arguments...), filepath.Join(folder, "simple.z8"))...); err != nil {
		t.Fatal(err)
	}
	return folder
}

// openExec starts workers; without Java, for example, there are none.
func openExec(t *testing.T, o worker.Options) *worker.Source {
	t.Helper()
	s, err := worker.Open(t.Context(), "bench", o)
	if err != nil {
		notRun(t, strings.Join(o.Command, " "), err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// uvicorn serves the OpenEnv environment of that package's tests until the test ends, and
// returns its address.
func uvicorn(t *testing.T, python string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	listener.Close() // the server has it as its file 3
	address := "http://" + listener.Addr().String()
	c := osexec.Command(python, "-m", "uvicorn", "--fd", "3", "--log-level", "warning", "hunt:app")
	c.Dir, c.ExtraFiles = "../env/openenv/testdata", []*os.File{file}
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	c.Stderr = os.Stderr
	err = c.Start()
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	// The socket listens already: the request waits until the server is up.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	up, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("the server does not start: %v", err)
	}
	up.Body.Close()
	return address
}
