package daemon_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/daemon"
	"sparkd/store"
)

// post sends a request and returns the rollout or the error that it is answered with.
func (r *running) post(path, body string) (got sparkd.Rollout, e sparkd.Error, status int) {
	r.t.Helper()
	resp, err := http.Post("http://"+r.Daemon.Addr().String()+path, "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var to any = &got
	if resp.StatusCode >= 300 {
		to = &e
	}
	if err := json.NewDecoder(resp.Body).Decode(to); err != nil {
		r.t.Fatal(err)
	}
	return got, e, resp.StatusCode
}

// A policy means the same in a rollout and in a session: papers' names are known, what is
// given counts, zero included, null is absence, and what the policy does not take is refused.
func TestPolicyOfARequest(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	for _, c := range []struct{ asked, answered, field string }{
		{`{"name":"grpo"}`, `{"name":"linear","roots":8}`, ""},
		{`{"name":"tree-grpo"}`, `{"name":"expand-random","roots":2,"picks":2,"iterations":1}`, ""},
		{`{"name":"AT2PO","penalty":0}`, `{"name":"topk-entropy","roots":10,"penalty":0,"picks":6,"iterations":2}`, ""},
		{`{"name":"random","probability":0,"branch":null}`, `{"name":"random","roots":4,"branch":2,"probability":0}`,
			""},
		{`{"name":"linear","branch":2}`, "", "policy.branch"},
		{`{"name":"grpo","branch":1}`, "", "policy.branch"},
		{`{"name":"spark","probability":0}`, "", "policy.probability"},
		{`{"name":"spark","roots":0}`, "", "policy.roots"},
		{`{"name":"mcts"}`, "", "policy.name"},
	} {
		for path, body := range map[string]string{
			"/v1/rollouts": `{"policy":` + c.asked + `}`,
			"/v1/sessions": `{"rollout":{"policy":` + c.asked + `}}`,
		} {
			got, e, status := r.post(path, body)
			field := c.field
			if field != "" && path == "/v1/sessions" {
				field = "rollout." + field
			}
			if text, _ := json.Marshal(got.Spec.Policy); c.field == "" && string(text) != c.answered {
				t.Errorf("%s %s: %s, %+v; want %s", path, c.asked, text, e, c.answered)
			}
			if refused := c.field != ""; refused != (status == http.StatusBadRequest) || e.Field != field {
				t.Errorf("%s %s: status %d, %+v, want an error in %q", path, c.asked, status, e, field)
			}
		}
	}
}

// A rollout that an earlier version stored, with parameters that its policy does not take,
// grows to its end, and is the same request whether it is repeated word for word or as one
// writes it today.
func TestEarlierRequestsGrowOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	st, err := store.Open(dir, daemon.Default().Store)
	if err != nil {
		t.Fatal(err)
	}
	requests := map[string][2]string{ // as it was stored, and as one asks for it now
		"chains": {`{"name":"linear","roots":3,"branch":1,"penalty":0.1}`, `{"name":"grpo","roots":3}`},
		"trees": {`{"name":"tree-grpo","roots":2,"branch":1,"picks":1,"iterations":1}`,
			`{"name":"expand-random","picks":1}`},
		"probe": {`{"name":"width-split","roots":0,"branch":2,"tag":"doubt"}`, `{"name":"treepo","tag":"doubt"}`},
	}
	stored := map[string]sparkd.Spec{}
	policy := func(text string) (p sparkd.Policy) {
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for id, text := range requests {
		s := spec(1)
		s.ID, s.Policy, s.Budget.Leaves = id, policy(text[0]), 4
		r := sparkd.Rollout{ID: id, Spec: s, State: sparkd.RolloutQueued,
			Trees: []string{id + "-0"}, Created: time.Now()}
		if _, _, err := st.CreateRollout(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		stored[id] = s
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	r := start(t, config(t, dir), daemon.Parts{})
	for id, text := range requests {
		if got := r.wait(id); got.State != sparkd.RolloutDone || got.Stats.Leaves == 0 {
			t.Errorf("%s: %+v", id, got)
		}
		now := stored[id]
		now.Policy = policy(text[1])
		for _, s := range []sparkd.Spec{stored[id], now} {
			got, created, err := r.Client.Submit(t.Context(), s)
			if err != nil || created || !reflect.DeepEqual(got.Spec, stored[id]) {
				t.Errorf("%s: created %v, %v, %+v", id, created, err, got)
			}
		}
		now.Seed++
		if _, _, err := r.Client.Submit(t.Context(), now); sparkd.CodeOf(err) != sparkd.CodeConflict {
			t.Errorf("%s: another request with the id: %v", id, err)
		}
	}
}
