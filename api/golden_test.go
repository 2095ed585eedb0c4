package api_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is one request and what the daemon has when it comes.
type golden struct {
	name, method, target, body string
	headers                    []string
	setup                      func(*fake)
	options                    api.Options
}

func withRollout(f *fake) {
	f.rollouts = []sparkd.Rollout{{ID: "night-1", Spec: branching.DefaultSpec(), State: sparkd.RolloutRunning, Trees: []string{"tree-1"}, Created: epoch, Started: epoch}}
	f.rollouts[0].Spec.ID = "night-1"
	f.addTrees("night-1", 2)
	f.publish("night-1", 2)
}

func failing(method string, err error) func(*fake) {
	return func(f *fake) { f.fail(method, err) }
}

var goldens = []golden{
	// Every route.
	{name: "submit", method: "POST", target: "/v1/rollouts", body: `{"id": "night-1", "tasks": {"count": 4}, "policy": {"name": "linear"}}`},
	{name: "submit-again", method: "POST", target: "/v1/rollouts", body: `{}`, headers: []string{"Idempotency-Key", "night-1"}, setup: withRollout},
	{name: "submit-conflict", method: "POST", target: "/v1/rollouts", body: `{"id": "night-1", "seed": 7}`, setup: withRollout},
	{name: "submit-two-ids", method: "POST", target: "/v1/rollouts", body: `{"id": "a"}`, headers: []string{"Idempotency-Key", "b"}},
	{name: "submit-invalid", method: "POST", target: "/v1/rollouts", body: `{"policy": {"roots": 9}}`},
	{name: "submit-unknown-field", method: "POST", target: "/v1/rollouts", body: `{"policy": {"rots": 4}}`},
	{name: "submit-queue-full", method: "POST", target: "/v1/rollouts", body: `{}`,
		setup: failing("Submit", &sparkd.Error{Code: sparkd.CodeQueueFull, Message: "64 rollouts wait", Remedy: "try again later"})},
	{name: "rollouts", method: "GET", target: "/v1/rollouts", setup: withRollout},
	{name: "rollouts-none", method: "GET", target: "/v1/rollouts"},
	{name: "rollouts-page", method: "GET", target: "/v1/rollouts?limit=1&after=night-1", setup: func(f *fake) {
		withRollout(f)
		f.rollouts = append(f.rollouts, sparkd.Rollout{ID: "night-2"}, sparkd.Rollout{ID: "night-3"})
	}},
	{name: "rollout", method: "GET", target: "/v1/rollouts/night-1", setup: withRollout},
	{name: "rollout-missing", method: "GET", target: "/v1/rollouts/night-9"},
	{name: "session", method: "POST", target: "/v1/sessions", body: `{"rollout": {"id": "mine-1", "tasks": {"count": 2}}, "fork": "native"}`},
	{name: "session-other-env", method: "POST", target: "/v1/sessions", body: `{"rollout": {"tasks": {"env": "household"}}}`},
	{name: "session-bad-rollout", method: "POST", target: "/v1/sessions", body: `{"rollout": {"policy": {"roots": 9}}}`},
	{name: "session-bad-timeout", method: "POST", target: "/v1/sessions", body: `{"step_timeout": 0}`},
	{name: "session-calls", method: "GET", target: "/v1/sessions/night-1/calls?wait=0", setup: withRollout},
	{name: "session-calls-none", method: "GET", target: "/v1/sessions/night-1/calls?after=1&wait=0", setup: withRollout},
	{name: "session-calls-missing", method: "GET", target: "/v1/sessions/night-9/calls", setup: withRollout},
	{name: "session-calls-long", method: "GET", target: "/v1/sessions/night-1/calls?wait=61", setup: withRollout},
	{name: "session-answers", method: "POST", target: "/v1/sessions/night-1/answers", setup: withRollout,
		body: `{"answers": [{"id": 1, "observation": {"text": "a room", "admissible": ["look"], "reward": 0.5}}, {"id": 7, "error": "broken"}]}`},
	{name: "session-answers-bad", method: "POST", target: "/v1/sessions/night-1/answers", setup: withRollout, body: `{"answers": [{"id": 1, "observation": {"txt": "a"}}]}`},
	{name: "session-close", method: "DELETE", target: "/v1/sessions/night-1", setup: withRollout},
	{name: "engines", method: "GET", target: "/v1/engines"},
	{name: "weights", method: "POST", target: "/v1/engines/weights", body: `{"path": "/models/step-40.gguf", "version": "step-40"}`},
	{name: "weights-missing", method: "POST", target: "/v1/engines/weights", body: `{"path": "/missing"}`},
	{name: "weights-no-path", method: "POST", target: "/v1/engines/weights", body: `{}`},
	{name: "drain", method: "POST", target: "/v1/engines/drain", body: `{"replica": "http://a:8000"}`},
	{name: "drain-unknown", method: "POST", target: "/v1/engines/drain", body: `{"replica": "http://b:8000", "out": false}`},
	{name: "cancel", method: "DELETE", target: "/v1/rollouts/night-1", setup: withRollout},
	{name: "tree", method: "GET", target: "/v1/trees/tree-1", setup: withRollout},
	{name: "tree-missing", method: "GET", target: "/v1/trees/tree-9"},
	{name: "export-tree", method: "GET", target: "/v1/export?format=tree&advantage=grpo&limit=1", setup: withRollout},
	{name: "export-rows", method: "GET", target: "/v1/export?rollout=night-1&dedupe=unique&advantage=spark-unique&text=true", setup: withRollout},
	{name: "export-cursors", method: "GET", target: "/v1/export?cursors=true&after=1", setup: withRollout},
	{name: "export-nothing", method: "GET", target: "/v1/export?advantage=rloo", setup: withRollout},
	{name: "export-manifest", method: "GET", target: "/v1/export?format=verl&manifest=true&filter=outcome=budget", setup: withRollout},
	{name: "export-bad-filter", method: "GET", target: "/v1/export?filter=color=red", setup: withRollout},
	{name: "export-bad-option", method: "GET", target: "/v1/export?advantage=treerl&weighting=size", setup: withRollout},
	{name: "export-none", method: "GET", target: "/v1/export"},
	{name: "export-bad-cursor", method: "GET", target: "/v1/export?after=x", setup: withRollout},
	{name: "export-bad-format", method: "GET", target: "/v1/export?format=parquet", setup: withRollout},
	{name: "export-bad-dedupe", method: "GET", target: "/v1/export?dedupe=some", setup: withRollout},
	{name: "export-bad-advantage", method: "GET", target: "/v1/export?advantage=ppo", setup: withRollout},
	{name: "export-bad-cursors", method: "GET", target: "/v1/export?cursors=1", setup: withRollout},
	{name: "export-bad-limit", method: "GET", target: "/v1/export?limit=0", setup: withRollout},
	{name: "events-page", method: "GET", target: "/v1/events?stream=false&after=1", setup: withRollout},
	{name: "events-accept", method: "GET", target: "/v1/events?limit=1", headers: []string{"Accept", "application/json"}, setup: withRollout},
	{name: "events-bad-mode", method: "GET", target: "/v1/events?stream=maybe"},
	{name: "events-bad-id", method: "GET", target: "/v1/events", headers: []string{"Last-Event-ID", "-1"}},
	{name: "events-bad-after", method: "GET", target: "/v1/events?after=soon"},
	{name: "info", method: "GET", target: "/v1/info", setup: withRollout},
	{name: "health", method: "GET", target: "/healthz"},
	{name: "ready", method: "GET", target: "/readyz"},
	{name: "ready-not", method: "GET", target: "/readyz",
		setup: failing("Ready", &sparkd.Error{Code: sparkd.CodeStore, Message: "the disk is full", Remedy: "free some space", Err: errors.New("ENOSPC")})},
	{name: "head", method: "HEAD", target: "/v1/info"},

	// What every route can meet.
	{name: "no-route", method: "GET", target: "/v1/rollout"},
	{name: "wrong-method", method: "PUT", target: "/v1/rollouts/night-1", body: "{}"},
	{name: "head-of-stream", method: "HEAD", target: "/v1/export"},
	{name: "unknown-parameter", method: "GET", target: "/v1/rollouts?page=2"},
	{name: "parameter-twice", method: "GET", target: "/v1/rollouts?limit=2&limit=3"},
	{name: "no-parameters", method: "GET", target: "/v1/info?verbose=1"},
	{name: "bad-limit", method: "GET", target: "/v1/rollouts?limit=1001"},
	{name: "body-too-large", method: "POST", target: "/v1/rollouts", body: strings.Repeat(" ", 2048), options: api.Options{MaxBody: 1024}},
	{name: "internal", method: "GET", target: "/v1/rollouts/night-1",
		setup: failing("Rollout", errors.New("secret /var/lib/sparkd"))},
	{name: "store", method: "GET", target: "/v1/rollouts/night-1",
		setup: failing("Rollout", &sparkd.Error{Code: sparkd.CodeStore, Message: "the store cannot be read", Err: errors.New("secret")})},
	{name: "panic", method: "GET", target: "/v1/trees/x",
		setup: func(f *fake) { f.fault("Tree", func(context.Context) error { panic("secret") }) }},
	{name: "foreign-host", method: "GET", target: "/v1/info", headers: []string{"Host", "evil.example"}},
	{name: "foreign-origin", method: "DELETE", target: "/v1/rollouts/night-1", headers: []string{"Origin", "http://evil.example"}, setup: withRollout},
	{name: "no-token", method: "GET", target: "/v1/info", options: api.Options{Token: "secret"}},
	{name: "wrong-token", method: "GET", target: "/v1/info", headers: []string{"Authorization", "Bearer secre"}, options: api.Options{Token: "secret"}},
	{name: "right-token", method: "DELETE", target: "/v1/rollouts/night-1", setup: withRollout, options: api.Options{Token: "secret", Listen: "0.0.0.0:8787"},
		headers: []string{"Authorization", "bearer secret", "Host", "trainer.example", "Origin", "http://trainer.example"}},
}

func TestGolden(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			if g.setup != nil {
				g.setup(f)
			}
			s := serve(t, f, g.options)
			got := render(t, s.do(g.method, g.target, g.body, g.headers...))
			if strings.Contains(got, "secret") {
				t.Errorf("the answer shows a secret:\n%s", got)
			}
			compare(t, g.name, got)
		})
	}
}

// render writes an answer as text, without what changes from run to run.
func render(t *testing.T, resp *http.Response) string {
	var b bytes.Buffer
	fmt.Fprintln(&b, resp.Status)
	var names []string
	for name := range resp.Header {
		if name != "Date" && name != "Content-Length" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(resp.Header[name], "; "))
	}
	// What the lines of an export hold is tested where they are made.
	fmt.Fprintf(&b, "\n%s", exportLine.ReplaceAllString(text(t, resp), "$1 …"))
	return b.String()
}

var exportLine = regexp.MustCompile(`(?m)^(\{"tree":"[^"]*",).*$`)

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./api -update writes it anew)\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// TestGoldenFilesAreUsed finds golden files that no test reads.
func TestGoldenFilesAreUsed(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".golden")
		if !slices.ContainsFunc(goldens, func(g golden) bool { return g.name == name }) {
			t.Errorf("%s belongs to no test", path)
		}
	}
}
