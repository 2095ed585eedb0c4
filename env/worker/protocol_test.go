package worker

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
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
		{line: `{"text":"a","reward":null}`, err: `"reward" is null; write a finite number, or leave it out`},
		{line: `{"text":"a","reward":"NaN"}`, err: `"reward" is "\"NaN\""; write a finite number`},
		{line: `{"text":"a","reward":true}`, err: "write a finite number"},
		{line: `{"text":"a","done":null}`, err: `"done" is null; write true or false`},
		{line: `{"text":"a","done":1}`, err: "write true or false"},
		{line: `{"text":"a","success":"true"}`, err: "write true or false"},
		{line: `{"text":"a","goal":null}`, err: `"goal" is null; write a text`},
		{line: `{"text":["a"]}`, err: `"text" is "[\"a\"]"; write a text`},
		{line: `{"text":"a","admissible":null}`, err: `"admissible" is null; write a list of texts`},
		{line: `{"text":"a","admissible":["go",null]}`, err: `"admissible" is a list with null at 1`},
		{line: `{"text":"a","admissible":["go",3]}`, err: "write a list of texts"},
		{line: `{"text":"right","Text":"wrong","REWARD":9}`, err: `the name of "REWARD" is written "reward"`},
		{line: `{"text":"a","Done":true}`, err: `"Done" is written "done"`},
		{line: `{"text":"a","text":"b"}`, err: `"text" is there twice`},
		{line: `["text"]`, err: "no JSON object"},
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

func TestAnswers(t *testing.T) {
	for line, words := range map[string]string{
		`{"id":7,"ok":{}}`:                                     "",
		` {"ok":{"a":[]},"id":7,"x":0} `:                       "",
		`{"id":7,"error":{"code":"env","message":"it broke"}}`: "it broke",
		`{"id":7,"error":{"message":""}}`:                      "does not say which",
		`{"id":7,"error":{}}`:                                  "does not say which",
		`{"id":7,"error":"it broke"}`:                          "its error cannot be read: it is no JSON object",
		`{"id":7,"error":{"message":null}}`:                    `"message" is null; write a text`,
		`{"id":7,"error":{"Message":"m"}}`:                     `"Message" is written "message"`,
		`{"id":7,"ok":{},"error":null}`:                        "both ok and error; leave one out",
		`{"id":7,"ok":null}`:                                   "neither an ok object",
		`{"id":7,"ok":[]}`:                                     "neither an ok object",
		`{"id":7,"OK":{}}`:                                     `"OK" is written "ok"`,
		`{"ID":7,"ok":{}}`:                                     "without id 7",
		`{"id":null,"ok":{}}`:                                  "without id 7",
		`{"id":"7","ok":{}}`:                                   "without id 7",
		`{"id":8,"ok":{}}`:                                     "without id 7",
		`{"id":6,"ok":{}}`:                                     "without being asked",
		`{"id":7,"id":7,"ok":{}}`:                              `"id" is there twice`,
		`{"id":7,"ok":{}} {}`:                                  "something follows the object",
		`{"id":7,"ok":{}},`:                                    "something follows the object",
		`{"id":7,"ok":{"text":"a","reward":NaN}}`:              `"reward" is NaN, which JSON does not have`,
		`{"id":7,"ok":{"reward": -Infinity}}`:                  `"reward" is -Infinity, which JSON does not have`,
		`{"id":7,"ok":{}`:                                      "no JSON",
		"{\"id\":7,\"ok\":{\"text\":\"\xe9\"}}":                "no UTF-8",
		`Hello!`:                                               `no answer: "Hello!"`,
	} {
		ok, err := parseAnswer([]byte(line), 7)
		if words == "" && (err != nil || len(ok) == 0) || words != "" && (err == nil ||
			!strings.Contains(err.Error(), words)) {
			t.Errorf("%s: %s, %v; want %s", line, ok, err, words)
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
	for line, words := range map[string]string{
		`{}`:              "",
		`{"version": ""}`: "",
		`{"sessions": 1024, "names": {"train": ["a", "b", "c"]}}`: "",
		`{"splits": {"train": -1}}`:                               "",
		`{"examples": [{"text": "t", "reason": "r"}]}`:            "example 0 of its hello lacks",
		`{"examples": [{"surprised": "yes"}]}`:                    `example 0 in hello cannot be read: "surprised" is`,
		`{"more": null}`:                                          "",
		`{"sessions": 1025}`:                                      "sessions = 1025",
		`{"sessions": 0}`:                                         "sessions = 0",
		`{"fork": "sometimes"}`:                                   `fork = "sometimes"`,
		`{"max_steps": 0}`:                                        "max_steps = 0",
		`{"protocol": 0}`:                                         "protocol 0",
		`{"splits": {"dev": 0}}`:                                  `0 tasks in split "dev"`,
		`{"splits": {"a/b": 1}}`:                                  "slash",
		`{"splits": {"train": -2}}`:                               "-2 tasks",
		`{"splits": {"": 1}}`:                                     "a split has a name",
		`{"splits": {}}`:                                          "no splits",
		`{"names": {"dev": ["a"]}}`:                               `names 1 tasks of split "dev"`,
		`{"protocol": "1"}`:                                       "cannot be read",
		`{"max_steps": 9.5}`:                                      `"max_steps" is "9.5"; write a whole number`,
		`{"max_steps": null}`:                                     `"max_steps" is null; write a whole number, or`,
		`{"sessions": true}`:                                      `"sessions" is "true"; write a whole number`,
		`{"replay": "yes"}`:                                       `"replay" is "\"yes\""; write true or false`,
		`{"name": 3}`:                                             `"name" is "3"; write a text`,
		`{"splits": ["train"]}`:                                   "member for each split",
		`{"splits": {"train": null}}`:                             `"splits" is an object in which "train" is null`,
		`{"names": {"train": ["a", null, "c"]}}`:                  `"train" is a list with null at 1`,
		`{"Max_Steps": 7}`:                                        `"Max_Steps" is written "max_steps"`,
	} {
		h, err := parseHello(helloWith(t, line))
		switch {
		case words == "" && (err != nil || h.Sessions < 1):
			t.Errorf("%s: %v", line, err)
		case words != "" && (err == nil || !strings.Contains(err.Error(), words)):
			t.Errorf("%s: %v, want %s", line, err, words)
		}
	}
	example := `{"text": "t", "admissible": ["a"], "surprised": true, "reason": "r", "action": "a"}`
	h, err := parseHello(helloWith(t, `{"examples": [`+example+`]}`))
	if err != nil || !reflect.DeepEqual(h.Examples, []sparkd.Example{{Text: "t", Admissible: []string{"a"},
		Surprised: true, Reason: "r", Action: "a"}}) {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := parseHello([]byte(`{"protocol":1,"max_steps":1,"fork":"replay"}`)); err == nil ||
		!strings.Contains(err.Error(), "no splits") {
		t.Errorf("without splits: %v", err)
	}
	twice := `{"protocol":1,"splits":{"a":1,"a":2},"max_steps":1,"fork":"replay"}`
	if _, err := parseHello([]byte(twice)); err == nil || !strings.Contains(err.Error(), `"a" is there twice`) {
		t.Errorf("%s: %v", twice, err)
	}
}

// helloWith returns a good hello with other members.
func helloWith(t *testing.T, members string) []byte {
	t.Helper()
	all := map[string]json.RawMessage{"protocol": json.RawMessage("1"), "splits": json.RawMessage(`{"train":3}`),
		"max_steps": json.RawMessage("9"), "fork": json.RawMessage(`"replay"`)}
	if err := json.Unmarshal([]byte(members), &all); err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return line
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
			typed, b, u := (*sparkd.Error)(nil), breach(""), unasked("")
			if !errors.As(err, &typed) && !errors.As(err, &b) && !errors.As(err, &u) || len(err.Error()) > 4*maxWords {
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
