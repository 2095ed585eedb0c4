package agentgym

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sparkd"
)

// answering is a server that gives fixed answers, by route.
func answering(t *testing.T, answers map[string]string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, answers[r.URL.Path[1:]])
	}))
	t.Cleanup(server.Close)
	return server
}

// What servers answer with status 200 when something went wrong is no observation, whatever its shape; the server's
// words are kept.
func TestErrorsAreNoObservations(t *testing.T) {
	for body, words := range map[string]string{
		`{"error": ""}`:                                                                `{"error": ""}`,
		`{"error": {"message": "no java"}}`:                                            "no java",
		`{"error": {"code": 7, "detail": ["a", "b"]}}`:                                 "a; b",
		`{"error": ["first", {"msg": "second"}]}`:                                      "first; second",
		`{"error": null}`:                                                              `{"error": null}`,
		`{"ERROR": "loud"}`:                                                            "loud",
		`{"Error": {"Message": "mixed"}}`:                                              "mixed",
		`{"errors": [{"detail": "many"}]}`:                                             "many",
		`{"detail": "Not Found"}`:                                                      "Not Found",
		`{"detail": [{"loc": ["body"], "msg": "field"}]}`:                              "field",
		`[{"loc": ["body", "id"], "msg": "required"}]`:                                 "required",
		`[{"error": "in a list"}, null]`:                                               "in a list",
		`{"message": "Internal Server Error"}`:                                         "Internal Server Error",
		`{"status": "error", "reason": "full"}`:                                        "full",
		`{"success": false}`:                                                           `{"success": false}`,
		`{"code": 500, "data": null}`:                                                  `{"code": 500`,
		`{"error": "boom", "reward": 0, "done": false}`:                                "boom",
		`{"observation": null, "reward": 1, "done": true, "detail": "died"}`:           "died",
		`{"observation": {"error": "boom"}, "reward": 1, "done": false}`:               "boom",
		`{"error": "boom", "observation": "You are lost.", "reward": 1, "done": true}`: "boom",
		`<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>`:   "502 Bad Gateway",
		`Traceback (most recent call last):`:                                           "Traceback",
		"":                                                                             "not JSON",
		"{}":                                                                           "",
		"true":                                                                         "true",
		"[]":                                                                           "[]",
	} {
		for _, route := range []string{"reset", "step"} {
			answers := map[string]string{"create": `{"id": 1}`, "reset": `{"observation": "a"}`, "close": "true"}
			answers[route] = body
			e, _, err := begin(t, open(t, answering(t, answers).URL, 1, nil), 1)
			if route == "step" && err == nil {
				_, err = e.Step(t.Context(), "look")
			}
			if sparkd.CodeOf(err) != sparkd.CodeEnv || !strings.Contains(err.Error(), words) ||
				sparkd.AsError(err).Remedy == "" {
				t.Errorf("%s to %s: %v, want a failure with %q", body, route, err, words)
			}
		}
	}
}

// What only looks like an error is an observation: no server sends these keys for one.
func TestObservationsThatLookLikeErrors(t *testing.T) {
	for body, text := range map[string]string{
		`{"observation": "a", "Error": "none so far", "reward": 1, "done": false}`:        "a",
		`{"observation": "a", "ERRORS": ["x"], "reward": 1, "done": false}`:               "a",
		`{"observation": "a", "error": null, "reward": 1, "done": false}`:                 "a",
		`{"observation": "a", "error": false, "reward": 1, "done": false}`:                "a",
		`{"observation": "a", "error": 0, "reward": 1, "done": false}`:                    "a",
		`{"observation": "a", "error": "", "reward": 1, "done": false}`:                   "a",
		`{"observation": "a", "error": [], "reward": 1, "done": false}`:                   "a",
		`{"observation": "a", "error": {}, "reward": 1, "done": false}`:                   "a",
		`{"observation": "a", "detail": "hi", "message": "b", "reward": 1, "done":false}`: "a",
		`{"observation": "Error: no such door", "reward": 1, "done": false}`:              "Error: no such door",
		`{"observation": "{\"error\": \"x\"}", "reward": 1, "done": false}`:               `{"error": "x"}`,
		`{"observation": "", "reward": 1, "done": false}`:                                 "",
		`{"state": "a", "reward": 1, "done": false, "info": {"error": "x"}}`:              "a",
	} {
		answers := map[string]string{"create": "1", "reset": `{"observation": "a"}`, "step": body, "close": "true"}
		e, _, err := begin(t, open(t, answering(t, answers).URL, 1, nil), 1)
		if err != nil {
			t.Fatal(err)
		}
		if o, err := e.Step(t.Context(), "look"); err != nil || o.Text != text || o.Reward != 1 {
			t.Errorf("%s: %+v, %v", body, o, err)
		}
	}
	answers := map[string]string{"create": "1", "reset": `{"error": "the door is locked"}`, "close": "true"}
	source := open(t, answering(t, answers).URL, 1, map[string]string{"text": "error"})
	if _, o, err := begin(t, source, 1); err != nil || o.Text != "the door is locked" {
		t.Errorf("where option text names the field: %+v, %v", o, err)
	}
}

// A server that gives one id to two copies would let them step one environment.
func TestOneIDTwice(t *testing.T) {
	for name, second := range map[string]string{"number": "7", "text": `"7"`, "object": `{"id": 7}`} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			created, closed := 0, 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				answer := `{"observation": "a"}`
				switch r.URL.Path {
				case "/create":
					created++
					if answer = "7"; created > 1 {
						answer = second
					}
				case "/close":
					closed++
				}
				_, _ = io.WriteString(w, answer)
			}))
			defer server.Close()
			source := open(t, server.URL, 4, nil)
			e, _, err := begin(t, source, 0)
			if err != nil {
				t.Fatal(err)
			}
			other, _, err := begin(t, source, 0)
			wantError(t, err, sparkd.CodeEnv, "env.count.workers", "7")
			if err := other.Close(); err != nil || closed != 0 {
				t.Errorf("the refused copy closed the other's environment: %v, %d", err, closed)
			}
			if err := e.Close(); err != nil || closed != 1 {
				t.Errorf("%v, closed %d times", err, closed)
			}
			if _, _, err := begin(t, source, 0); err != nil {
				t.Errorf("after the first is closed: %v", err)
			}
		})
	}
}

// The options of the page's WebShop row: a purchase of a part of what was wanted is no success.
func TestWebShopSuccess(t *testing.T) {
	for reward, success := range map[string]bool{"0.25": false, "0.99": false, "1": true, "1.0": true, "0": false} {
		answers := map[string]string{"create": "3", "reset": `["WebShop", null]`, "close": "true",
			"step": `{"state": "Thank you", "reward": ` + reward + `, "done": true, "info": null}`}
		source := open(t, answering(t, answers).URL, 1,
			map[string]string{"id": "env_idx", "index": "session_id", "success": "1"})
		e, _, err := begin(t, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if o, err := e.Step(t.Context(), "click[buy now]"); err != nil || !o.Done || o.Success != success {
			t.Errorf("a reward of %s: %+v, %v", reward, o, err)
		}
	}
}
