//go:build cgo

package daemon_test

import (
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"sparkd"
	"sparkd/api/client"
	"sparkd/daemon"
	"sparkd/store/storetest"
)

// exported is everything that a daemon exports in a format, as storetest's stores have it.
func exported(t *testing.T, r *running, format string) []byte {
	t.Helper()
	var out bytes.Buffer
	o := client.ExportOptions{Options: map[string]string{"format": format, "text": "true", "entropies": "true"}}
	if _, err := r.Client.Export(t.Context(), &out, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// differ fails the test where the exports are not the same, and shows the first difference.
func differ(t *testing.T, name string, got, want []byte) {
	t.Helper()
	a, b := bytes.SplitAfter(got, []byte("\n")), bytes.SplitAfter(want, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			t.Fatalf("%s: line %d is\n%.2000s\nwant\n%.2000s", name, i+1, a[i], b[i])
		}
	}
	if len(a) != len(b) {
		t.Fatalf("%s: %d lines, want %d", name, len(a), len(b))
	}
}

// treesOf returns the trees of a rollout that have begun.
func treesOf(t *testing.T, r *running, id string) (trees []*sparkd.Tree) {
	t.Helper()
	got, err := r.Client.Rollout(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range got.Trees {
		tree, err := r.Client.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if tree.State == sparkd.TreeQueued {
			continue
		}
		trees = append(trees, tree)
	}
	return trees
}

// A store that a version before this one left exports what it exported there, but for
// how numbers are written, and the rollout that grew when that version was killed is grown to its end by the
// same model: behind the steps that are stored, which stay as they are.
func TestFormat1GrowsOn(t *testing.T) {
	old := storetest.Format1(t)
	c := config(t, old.Data)
	offline := start(t, c, daemon.Parts{Offline: true})
	before := exported(t, offline, "rows")
	differ(t, "rows", storetest.Rounded(before), storetest.Rounded(old.Rows))
	differ(t, "tree", storetest.Rounded(exported(t, offline, "tree")), storetest.Rounded(old.Tree))
	begun := treesOf(t, offline, storetest.Growing)
	if len(begun) != 3 || begun[0].State != sparkd.TreeGrowing || begun[0].Round < 4 {
		t.Fatalf("%d trees of %s have begun", len(begun), storetest.Growing)
	}
	if err := offline.stop(); err != nil {
		t.Fatal(err)
	}

	c.Engine.Model, c.Embedded.Threads = "bundled", 1
	r := start(t, c, daemon.Parts{})
	got := r.wait(storetest.Growing)
	trees := treesOf(t, r, storetest.Growing)
	if got.State != sparkd.RolloutDone || got.Done != 4 || len(trees) != 4 {
		t.Fatalf("%+v", got)
	}
	for i, b := range begun {
		grown := trees[i]
		if len(grown.Nodes) <= len(b.Nodes) || !reflect.DeepEqual(grown.Nodes[:len(b.Nodes)], b.Nodes) {
			t.Errorf("tree %d: %d nodes became %d others", i, len(b.Nodes), len(grown.Nodes))
		}
	}
	after := exported(t, r, "rows")
	if !bytes.HasPrefix(after, before) {
		t.Error("what was finished before is exported otherwise")
	}
	if n := bytes.Count(after[len(before):], []byte(storetest.Growing)); n == 0 {
		t.Error("what was grown on is not exported")
	}
}

// A request that the version before was sent is the same request: sent again it is answered
// with what is stored.
func TestFormat1Requests(t *testing.T) {
	r := start(t, config(t, storetest.Format1(t).Data), daemon.Parts{Resume: func(string) bool { return false }})
	url := "http://" + r.Addr().String() + "/v1/rollouts"
	for id, sent := range map[string]string{ // as in store/storetest/testdata/make.py
		"spark":  `"policy": {"name": "spark", "roots": 2}, "budget": {"leaves": 4}, "tasks": {"count": 2}`,
		"chains": `"policy": {"name": "linear"}, "budget": {"leaves": 3}, "tasks": {"count": 2, "from": 4}`,
		"random": `"policy": {"name": "random", "roots": 2, "probability": 0.7}, "budget": {"leaves": 4},
			"sampling": {"max_tokens": 24, "temperature": 0.7, "top_p": 0.9},
			"context": {"mode": "window", "window": 2}`,
		"late": `"policy": {"roots": 2}, "budget": {"leaves": 2}, "tasks": {"count": 1, "from": 7}`,
	} {
		body := `{"id": "` + id + `", "max_steps": 6, "seed": 7, ` + sent
		if !strings.Contains(sent, "sampling") {
			body += `, "sampling": {"max_tokens": 24}`
		}
		answer, err := http.Post(url, "application/json", strings.NewReader(body+"}"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !bytes.Contains(text, []byte(`"state":"done"`)) {
			t.Errorf("%s: %s %s %v", id, answer.Status, text, err)
		}
	}
}
