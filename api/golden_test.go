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
	name, call, body string // the call is "METHOD target"
	headers          []string
	setup            func(*fake)
	options          api.Options
}

func withRollout(f *fake) {
	f.rollouts = []sparkd.Rollout{{
		ID: "night-1", Spec: branching.DefaultSpec(), State: sparkd.RolloutRunning, Trees: []string{"tree-1"},
		Created: epoch, Started: epoch,
	}}
	f.rollouts[0].Spec.ID = "night-1"
	f.addTrees("night-1", 2)
	f.publish("night-1", 2)
}

func failing(method string, err error) func(*fake) {
	return func(f *fake) { f.fail(method, err) }
}

var goldens = []golden{
	// Every route.
	{name: "submit", call: "POST /v1/rollouts",
		body: `{"id": "night-1", "tasks": {"count": 4}, "policy": {"name": "linear"}}`},
	{name: "submit-again", call: "POST /v1/rollouts",
		body: `{}`, headers: []string{"Idempotency-Key", "night-1"}, setup: withRollout},
	{name: "submit-conflict", call: "POST /v1/rollouts", body: `{"id": "night-1", "seed": 7}`, setup: withRollout},
	{name: "submit-two-ids", call: "POST /v1/rollouts", body: `{"id": "a"}`, headers: []string{"Idempotency-Key", "b"}},
	{name: "submit-invalid", call: "POST /v1/rollouts", body: `{"policy": {"roots": 9}}`},
	{name: "submit-unknown-field", call: "POST /v1/rollouts", body: `{"policy": {"rots": 4}}`},
	{name: "submit-queue-full", call: "POST /v1/rollouts", body: `{}`,
		setup: failing("Submit", &sparkd.Error{Code: sparkd.CodeQueueFull,
			Message: "64 rollouts wait", Remedy: "try again later"})},
	{name: "rollouts", call: "GET /v1/rollouts", setup: withRollout},
	{name: "rollouts-none", call: "GET /v1/rollouts"},
	{name: "rollouts-page", call: "GET /v1/rollouts?limit=1&after=night-3", setup: func(f *fake) {
		withRollout(f)
		f.rollouts = append(f.rollouts, sparkd.Rollout{ID: "night-2"}, sparkd.Rollout{ID: "night-3"})
	}},
	{name: "rollouts-state", call: "GET /v1/rollouts?state=queued,done&order=oldest", setup: withRollout},
	{name: "rollouts-bad-state", call: "GET /v1/rollouts?state=running,ended", setup: withRollout},
	{name: "rollouts-bad-order", call: "GET /v1/rollouts?order=id", setup: withRollout},
	{name: "rollout", call: "GET /v1/rollouts/night-1", setup: withRollout},
	{name: "rollout-wait", call: "GET /v1/rollouts/night-1?wait=1ms", setup: withRollout},
	{name: "rollout-wait-missing", call: "GET /v1/rollouts/night-9?wait=30", setup: withRollout},
	{name: "rollout-bad-wait", call: "GET /v1/rollouts/night-1?wait=2m", setup: withRollout},
	{name: "rollout-missing", call: "GET /v1/rollouts/night-9"},
	{name: "session", call: "POST /v1/sessions",
		body: `{"rollout": {"id": "mine-1", "tasks": {"count": 2}}, "fork": "native"}`},
	{name: "session-other-env", call: "POST /v1/sessions", body: `{"rollout": {"tasks": {"env": "household"}}}`},
	{name: "session-bad-rollout", call: "POST /v1/sessions", body: `{"rollout": {"policy": {"roots": 9}}}`},
	{name: "session-bad-timeout", call: "POST /v1/sessions", body: `{"step_timeout": 0}`},
	{name: "session-calls", call: "GET /v1/sessions/night-1/calls?wait=0", setup: withRollout},
	{name: "session-calls-none", call: "GET /v1/sessions/night-1/calls?after=1&wait=0", setup: withRollout},
	{name: "session-calls-missing", call: "GET /v1/sessions/night-9/calls", setup: withRollout},
	{name: "session-calls-long", call: "GET /v1/sessions/night-1/calls?wait=61", setup: withRollout},
	{name: "session-answers", call: "POST /v1/sessions/night-1/answers", setup: withRollout,
		body: `{"answers": [{"id": 1, "observation": {"text": "a room", "admissible": ["look"], "reward": 0.5}},
			{"id": 7, "error": "broken"}]}`},
	{name: "session-answers-bad", call: "POST /v1/sessions/night-1/answers", setup: withRollout,
		body: `{"answers": [{"id": 1, "observation": {"txt": "a"}}]}`},
	{name: "session-answers-no-text", call: "POST /v1/sessions/night-1/answers", setup: withRollout,
		body: `{"answers": [{"id": 1, "observation": {"reward": 1}}]}`},
	{name: "session-answers-null-text", call: "POST /v1/sessions/night-1/answers", setup: withRollout,
		body: `{"answers": [{"id": 1, "observations": [{"text": ""}, {"text": null}]}]}`},
	{name: "session-answers-no-id", call: "POST /v1/sessions/night-1/answers", setup: withRollout,
		body: `{"answers": [{"observation": {"text": ""}}]}`},
	{name: "session-answers-half-pair", call: "POST /v1/sessions/night-1/answers", setup: withRollout,
		body: `{"answers": [{"id": 1, "observation": {"text": "cut \ud83d"}}]}`},
	{name: "session-close", call: "DELETE /v1/sessions/night-1", setup: withRollout},
	{name: "engines", call: "GET /v1/engines"},
	{name: "weights", call: "POST /v1/engines/weights", body: `{"path": "/models/step-40.gguf", "version": "step-40"}`},
	{name: "weights-missing", call: "POST /v1/engines/weights", body: `{"path": "/missing"}`},
	{name: "weights-no-path", call: "POST /v1/engines/weights", body: `{}`},
	{name: "drain", call: "POST /v1/engines/drain", body: `{"replica": "http://a:8000"}`},
	{name: "drain-unknown", call: "POST /v1/engines/drain", body: `{"replica": "http://b:8000", "out": false}`},
	{name: "cancel", call: "DELETE /v1/rollouts/night-1", setup: withRollout},
	{name: "tree", call: "GET /v1/trees/tree-1", setup: withRollout},
	{name: "tree-missing", call: "GET /v1/trees/tree-9"},
	{name: "export-tree", call: "GET /v1/export?format=tree&advantage=grpo&limit=1", setup: withRollout},
	{name: "export-rows", call: "GET /v1/export?rollout=night-1&dedupe=unique&advantage=spark-unique&text=true",
		setup: withRollout},
	{name: "export-cursors", call: "GET /v1/export?cursors=true&after=1", setup: withRollout},
	{name: "export-nothing", call: "GET /v1/export?advantage=rloo", setup: withRollout},
	{name: "export-manifest", call: "GET /v1/export?format=verl&manifest=true&filter=outcome=budget",
		setup: withRollout},
	{name: "export-bad-filter", call: "GET /v1/export?filter=color=red", setup: withRollout},
	{name: "export-bad-option", call: "GET /v1/export?advantage=treerl&weighting=size", setup: withRollout},
	{name: "export-none", call: "GET /v1/export"},
	{name: "export-bad-cursor", call: "GET /v1/export?after=x", setup: withRollout},
	{name: "export-bad-format", call: "GET /v1/export?format=parquet", setup: withRollout},
	{name: "export-bad-dedupe", call: "GET /v1/export?dedupe=some", setup: withRollout},
	{name: "export-bad-advantage", call: "GET /v1/export?advantage=ppo", setup: withRollout},
	{name: "export-bad-cursors", call: "GET /v1/export?cursors=1", setup: withRollout},
	{name: "export-bad-limit", call: "GET /v1/export?limit=0", setup: withRollout},
	{name: "events-page", call: "GET /v1/events?stream=false&after=1", setup: withRollout},
	{name: "events-accept", call: "GET /v1/events?limit=1",
		headers: []string{"Accept", "application/json"}, setup: withRollout},
	{name: "events-bad-mode", call: "GET /v1/events?stream=maybe"},
	{name: "events-bad-id", call: "GET /v1/events", headers: []string{"Last-Event-ID", "-1"}},
	{name: "events-bad-after", call: "GET /v1/events?after=soon"},
	{name: "events-foreign", call: "GET /v1/events?after=3", setup: withRollout},
	{name: "events-foreign-id", call: "GET /v1/events", headers: []string{"Last-Event-ID", "3"}, setup: withRollout},
	{name: "info", call: "GET /v1/info", setup: withRollout},
	{name: "health", call: "GET /healthz"},
	{name: "ready", call: "GET /readyz"},
	{name: "ready-not", call: "GET /readyz",
		setup: failing("Ready", &sparkd.Error{Code: sparkd.CodeStore,
			Message: "the disk is full", Remedy: "free some space", Err: errors.New("ENOSPC")})},
	{name: "head", call: "HEAD /v1/info"},

	// What every route can meet.
	{name: "no-route", call: "GET /v1/rollout"},
	{name: "wrong-method", call: "PUT /v1/rollouts/night-1", body: "{}"},
	{name: "head-of-stream", call: "HEAD /v1/export"},
	{name: "unknown-parameter", call: "GET /v1/rollouts?page=2"},
	{name: "parameter-twice", call: "GET /v1/rollouts?limit=2&limit=3"},
	{name: "no-parameters", call: "GET /v1/info?verbose=1"},
	{name: "bad-limit", call: "GET /v1/rollouts?limit=1001"},
	{name: "body-too-large", call: "POST /v1/rollouts",
		body: strings.Repeat(" ", 2048), options: api.Options{MaxBody: 1024}},
	{name: "internal", call: "GET /v1/rollouts/night-1",
		setup: failing("Rollout", errors.New("secret /var/lib/sparkd"))},
	{name: "store", call: "GET /v1/rollouts/night-1",
		setup: failing("Rollout", &sparkd.Error{Code: sparkd.CodeStore,
			Message: "the store cannot be read", Err: errors.New("secret")})},
	{name: "panic", call: "GET /v1/trees/x",
		setup: func(f *fake) { f.fault("Tree", func(context.Context) error { panic("secret") }) }},
	{name: "foreign-host", call: "GET /v1/info", headers: []string{"Host", "evil.example"}},
	{name: "foreign-origin", call: "DELETE /v1/rollouts/night-1",
		headers: []string{"Origin", "http://evil.example"}, setup: withRollout},
	{name: "no-token", call: "GET /v1/info", options: api.Options{Token: "secret"}},
	{name: "wrong-token", call: "GET /v1/info",
		headers: []string{"Authorization", "Bearer secre"}, options: api.Options{Token: "secret"}},
	{name: "right-token", call: "DELETE /v1/rollouts/night-1",
		setup: withRollout, options: api.Options{Token: "secret", Listen: "0.0.0.0:8787"},
		headers: []string{"Authorization", "bearer secret", "Host", "trainer.example",
			"Origin", "http://trainer.example"}},
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
			method, target, _ := strings.Cut(g.call, " ")
			got := render(t, s.do(method, target, g.body, g.headers...))
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
