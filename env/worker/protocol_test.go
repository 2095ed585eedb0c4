package worker

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"sparkd"
)

func TestRequests(t *testing.T) {
	action := "take <b>\n"
	for _, c := range []struct {
		request request
		line    string
	}{
		{request{ID: 1, Op: "hello", Protocol: 1, Options: map[string]string{}},
			`{"id":1,"op":"hello","protocol":1,"options":{}}`},
		{request{ID: 2, Op: "reset", Session: "s0", Task: &task{"train", 0}},
			`{"id":2,"op":"reset","session":"s0","task":{"split":"train","index":0}}`},
		{request{ID: 3, Op: "step", Session: "s0", Action: &action},
			`{"id":3,"op":"step","session":"s0","action":"take \u003cb\u003e\n"}`},
		{request{ID: 4, Op: "step", Session: "s0", Action: new(string)},
			`{"id":4,"op":"step","session":"s0","action":""}`},
		{request{ID: 5, Op: "replay", Session: "s0", Task: &task{"train", 3}, Actions: []string{}},
			`{"id":5,"op":"replay","session":"s0","task":{"split":"train","index":3},"actions":[]}`},
		{request{ID: 6, Op: "restore", Session: "s1", Task: &task{"train", 3}, State: []byte{1, 2, 255}},
			`{"id":6,"op":"restore","session":"s1","task":{"split":"train","index":3},"state":"AQL/"}`},
	} {
		if line, err := json.Marshal(c.request); err != nil || string(line) != c.line {
			t.Errorf("%s, %v\nwant %s", line, err, c.line)
		}
	}
}

func TestObservations(t *testing.T) {
	for _, c := range []struct {
		line string
		want sparkd.Observation
		err  string
	}{
		{line: `{"text":"a"}`, want: sparkd.Observation{Text: "a"}},
		{line: `{"text":"","admissible":["b","a"],"reward":-1.5,"done":true,"success":true,"goal":"g","more":1}`,
			want: sparkd.Observation{Goal: "g", Admissible: []string{"a", "b"}, Reward: -1.5,
				Done: true, Success: true}},
		{line: `{"text":"a","success":true}`, want: sparkd.Observation{Text: "a"}},
		{line: `{}`, err: "no text"},
		{line: `{"text":null}`, err: "no text"},
		{line: `{"text":"a","reward":1e999}`, err: "cannot be read"},
		{line: `{"text":"a","reward":"1"}`, err: "cannot be read"},
		{line: `{"text":"a","admissible":"look"}`, err: "cannot be read"},
	} {
		o, err := parseObservation(json.RawMessage(c.line))
		if c.err != "" {
			if b := breach(""); !errors.As(err, &b) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want a breach: %s", c.line, err, c.err)
			}
			continue
		}
		if err != nil || o.Hash() != c.want.Hash() || o.Goal != c.want.Goal {
			t.Errorf("%s: %+v, %v", c.line, o, err)
		}
	}
}

func TestReplays(t *testing.T) {
	for _, c := range []struct {
		line string
		n    int
		ok   bool
	}{
		{`{"observations":[{"text":"a"},{"text":"b"}]}`, 1, true},
		{`{"observations":[{"text":"a"},{"text":"b","done":true}]}`, 5, true},
		{`{"observations":[{"text":"a"},{"text":"b"}]}`, 2, false},
		{`{"observations":[{"text":"a"},{"text":"b"}]}`, 0, false},
		{`{"observations":[{"text":"a","done":true},{"text":"b"}]}`, 1, false},
		{`{"observations":[]}`, 0, false},
		{`{"observations":{}}`, 0, false},
		{`{}`, 0, false},
	} {
		if seen, err := parseReplay(json.RawMessage(c.line), c.n); (err == nil) != c.ok {
			t.Errorf("%s for %d actions: %v, %v", c.line, c.n, seen, err)
		}
	}
}

func TestHellos(t *testing.T) {
	good := `{"protocol":1,"splits":{"train":3},"max_steps":9,"fork":"replay"`
	for line, words := range map[string]string{
		good + `}`: "",
		good + `,"sessions":1024,"names":{"train":["a","b","c"]}}`:                  "",
		good + `,"sessions":1025}`:                                                  "sessions = 1025",
		good + `,"sessions":0}`:                                                     "sessions = 0",
		good + `,"fork":"sometimes"}`:                                               `fork = "sometimes"`,
		good + `,"max_steps":0}`:                                                    "max_steps = 0",
		good + `,"protocol":0}`:                                                     "protocol 0",
		good + `,"splits":{"dev":0}}`:                                               `0 tasks in split "dev"`,
		good + `,"splits":{"a/b":1}}`:                                               "slash",
		good + `,"names":{"dev":["a"]}}`:                                            `names 1 tasks of split "dev"`,
		`{"protocol":1,"max_steps":1,"fork":"replay"}`:                              "no splits",
		`{"protocol":"1"}`:                                                          "cannot be read",
		`{"protocol":1,"splits":{"train":-2},"max_steps":9,"fork":"replay"}`:        "-2 tasks",
		`{"protocol":1,"splits":{"train":-1},"max_steps":9,"fork":"replay"}`:        "",
		`{"protocol":1,"splits":{"":1},"max_steps":9,"fork":"native","version":""}`: "a split has a name",
	} {
		h, err := parseHello(json.RawMessage(line))
		switch {
		case words == "" && (err != nil || h.Sessions < 1):
			t.Errorf("%s: %v", line, err)
		case words != "" && (err == nil || !strings.Contains(err.Error(), words)):
			t.Errorf("%s: %v, want %s", line, err, words)
		}
	}
}

// The answers of the session in the documentation are read without complaint.
func TestDocumentedSession(t *testing.T) {
	page, err := os.ReadFile("../../docs/environments-reference.md")
	if err != nil {
		t.Fatal(err)
	}
	ops, r := map[string]bool{}, request{}
	for line := range strings.Lines(string(page)) {
		if asked, ok := strings.CutPrefix(line, "→ "); ok {
			if r = (request{}); json.Unmarshal([]byte(asked), &r) != nil || r.ID == 0 {
				t.Fatalf("no request: %s", line)
			}
			ops[r.Op] = true
		}
		answer, ok := strings.CutPrefix(line, "← ")
		if !ok {
			continue
		}
		ok1, err := parseAnswer([]byte(answer), r.ID)
		if e := (*sparkd.Error)(nil); errors.As(err, &e) {
			ops["error"] = true
			continue
		}
		switch r.Op {
		case "hello":
			_, err = parseHello(ok1)
		case "reset", "step":
			_, err = parseObservation(ok1)
		case "replay":
			_, err = parseReplay(ok1, len(r.Actions))
		case "snapshot":
			_, err = parseState(ok1)
		}
		if err != nil {
			t.Errorf("%s%s: %v", line, answer, err)
		}
	}
	for _, op := range []string{"hello", "reset", "step", "replay", "fork", "snapshot", "restore", "close", "error"} {
		if !ops[op] {
			t.Errorf("the documented session has no %s", op)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, line := range []string{
		`{"id":1,"ok":{}}`, `{"id":1,"error":{"code":"env","message":"m"}}`, `{"id":2,"ok":{}}`, `{"id":1}`, `[]`,
		`null`, "", "{", `{"id":1,"ok":{"text":"a","reward":1}}`,
		`{"id":1,"ok":{"observations":[{"text":"a"},{"text":"b","done":true}]}}`,
		`{"id":1,"ok":{"state":"AQ=="}}`, `{"id":1,"error":{}}`,
		`{"id":1,"ok":{"protocol":1,"splits":{"train":3},"max_steps":9,"fork":"replay","names":{"train":["a","b",` +
			`"c"]}}}`,
		`{"id":1,"ok":{},"error":{}}`, `{"id":1,"ok":null,"error":null}`, `{"id":-1,"ok":{}}`,
		`{"id":1,"ok":{"text":"\ud800"}}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		ok, err := parseAnswer(line, 1)
		if err != nil {
			typed, b := (*sparkd.Error)(nil), breach("")
			if !errors.As(err, &typed) && !errors.As(err, &b) || len(err.Error()) > 4*maxWords {
				t.Fatalf("%T of %d bytes", err, len(err.Error()))
			}
			return
		}
		if o, err := parseObservation(ok); err == nil && o.Success && !o.Done {
			t.Fatal("success without an end")
		}
		if seen, err := parseReplay(ok, 1); err == nil && (len(seen) == 0 || len(seen) > 2) {
			t.Fatalf("%d observations of 1 action", len(seen))
		}
		if h, err := parseHello(ok); err == nil && (h.Sessions < 1 || len(h.Splits) == 0) {
			t.Fatalf("%+v", h)
		}
		if state, err := parseState(ok); err == nil && len(state) == 0 {
			t.Fatal("an empty state")
		}
	})
}
