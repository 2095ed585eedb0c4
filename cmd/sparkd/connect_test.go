package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd/daemon"
	"sparkd/daemon/daemontest"
	"sparkd/store"
)

// Of two daemons the one that uses the folder answers, whatever listens at api.listen, and
// nobody answers for a folder whose daemon cannot be told.
func TestFolderInUse(t *testing.T) {
	mine, other := newSession(t), newSession(t)
	mine.job("mine")
	other.job("theirs")
	address, stop := mine.serve(&daemontest.Engine{})
	elsewhere, stopOther := other.serve(&daemontest.Engine{})
	defer stopOther()
	list := func(s *session) result { return s.run("rollouts", "--data", s.data, "--set", "api.listen="+elsewhere) }
	if r := list(mine); r.code != exitOK || !strings.HasPrefix(r.stdout, "mine ") {
		t.Errorf("beside its daemon: %+v", r)
	}
	for name, a := range map[string]daemon.Announcement{
		"another daemon": {Address: elsewhere, Started: time.Unix(1, 0)}, // took the port of one that was killed
		"nobody":         {Address: "127.0.0.1:1"},
		"nothing":        {},
	} {
		text, err := json.Marshal(a)
		if err == nil {
			err = os.WriteFile(filepath.Join(mine.data, "address.json"), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if r := list(mine); r.code != exitFailure || r.stdout != "" ||
			!strings.Contains(r.stderr, "a running sparkd uses "+mine.data) || !strings.Contains(r.stderr, "--addr") {
			t.Errorf("the folder names %s: %+v", name, r)
		}
	}
	if r := mine.must("rollouts", "--addr", address); !strings.HasPrefix(r.stdout, "mine ") {
		t.Errorf("--addr: %q", r.stdout)
	}
	stop()
	if _, err := daemon.Announced(mine.data); !os.IsNotExist(err) {
		t.Errorf("a daemon that has ended is still announced: %v", err)
	}
	st, err := store.Open(mine.data, daemon.Default().Store)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if r := list(mine); r.code != exitFailure || !strings.Contains(r.stderr, "a running sparkd uses "+mine.data) {
		t.Errorf("one that serves nobody uses the folder: %+v", r)
	}
}

// What decides a process of one's own is refused beside the address of a daemon.
func TestSettingsBesideAnAddress(t *testing.T) {
	s := newSession(t)
	for _, c := range []struct{ args, says string }{
		{"run --addr 127.0.0.1:1 --model x.gguf",
			"--model is for a process of its own, and the daemon at 127.0.0.1:1 has its own settings"},
		{"run --addr 127.0.0.1:1 --data x", "--data is for"},
		{"run --addr 127.0.0.1:1 --set engine.threads=1", "--set engine.threads is for"},
		{"run --addr 127.0.0.1:1 --alfworld-data x", "--alfworld-data is for"},
		{"compare --addr 127.0.0.1:1 --model x.gguf", "--model is for"},
		{"export --addr 127.0.0.1:1 --data x", "--data is for"},
		{"tree --addr 127.0.0.1:1 --data x y", "--data is for"},
		{"engines --addr 127.0.0.1:1 --set engine.threads=1", "--set engine.threads is for"},
	} {
		if r := s.run(strings.Fields(c.args)...); r.code != exitUsage || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%s: %+v", c.args, r)
		}
	}
	if r := s.run("rollouts", "--addr", "127.0.0.1:1", "--set", "api.token=x"); r.code != exitFailure ||
		!strings.Contains(r.stderr, "no daemon at 127.0.0.1:1") {
		t.Errorf("the client's token: %+v", r)
	}
}
