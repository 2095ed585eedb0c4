package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
)

// parse reads a request and resolves it.
func parse(body []byte) (sparkd.Spec, error) {
	spec, err := api.ParseSpec(body)
	if err != nil {
		return spec, err
	}
	return branching.Resolve(spec)
}

func TestParseSpecKeepsDefaults(t *testing.T) {
	want := branching.DefaultSpec()
	got, err := parse([]byte(" {} "))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("{}: %+v, %v", got, err)
	}
	got, err = parse([]byte(`{"id": "a", "seed": 18446744073709551615, "tasks": {"indices": [3, 1]}, "sampling": ` +
		`{"temperature": 0.5, "stop": ["</action>"]}}`))
	want.ID, want.Seed, want.Tasks.Indices = "a", 1<<64-1, []int{3, 1}
	want.Sampling.Temperature, want.Sampling.Stop = 0.5, []string{"</action>"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestParseSpecRefuses(t *testing.T) {
	tests := []struct{ name, body, field, says string }{
		{"empty", "", "", "the body is empty"},
		{"blank", " \n", "", "the body is empty"},
		{"not UTF-8", "{\"id\": \"\xff\"}", "", "not UTF-8"},
		{"syntax", "{\n  \"seed\": 1,\n  \"id\": 'a'\n}", "", "line 3, column 9: invalid character '\\''"},
		{"syntax behind wide letters", `{"é": "é" x}`, "", "line 1, column 11: "},
		{"cut", `{"tasks": {`, "", "line 1, column 11: unexpected end"},
		{"trailing", "{}\n{}", "", "line 2, column 1: invalid character '{' after top-level value"},
		{"NaN", `{"budget": {"seconds": NaN}}`, "", "line 1, column 24: "},
		{"half a pair", "{\n \"id\": \"é\\ud83d\"}", "", "line 2, column 10: half of a surrogate pair, \\ud83d, "},
		{"list", `[]`, "", "a list does not fit"},
		{"null", `null`, "", "null is no value"},
		{"unknown", `{"task": {}}`, "task", "unknown field"},
		{"unknown below", `{"policy": {"rots": 4}}`, "policy.rots", "unknown field"},
		{"other case", `{"Seed": 4}`, "Seed", "unknown field"},
		{"long name", `{"` + strings.Repeat("x", 1000) + `": 4}`, strings.Repeat("x", 40) + "…", "unknown field"},
		{"twice", `{"policy": {"roots": 4, "roots": 5}}`, "policy.roots", "given twice"},
		{"twice, escaped", `{"seed": 4, "s\u0065ed": 5}`, "seed", "given twice"},
		{"null below", `{"tasks": {"env": null}}`, "tasks.env", "null is no value"},
		{"null in a list", `{"tasks": {"indices": [1, null]}}`, "tasks.indices[1]", "null is no value"},
		{"string for number", `{"max_steps": "30"}`, "max_steps", `the string "30" does not fit`},
		{"number for string", `{"tasks": {"env": 3}}`, "tasks.env", "the number 3 does not fit"},
		{"fraction", `{"budget": {"leaves": 8.5}}`, "budget.leaves", "the number 8.5 does not fit"},
		{"fraction in a list", `{"tasks": {"indices": [0, 1.5]}}`, "tasks.indices[1]", "the number 1.5 does not fit"},
		{"beyond float64", `{"budget": {"seconds": 1e999}}`, "budget.seconds", "the number 1e999 does not fit"},
		{"beyond int32", `{"sampling": {"stop_token_ids": [2147483648]}}`,
			"sampling.stop_token_ids[0]", "does not fit"},
		{"beyond uint64", `{"seed": 18446744073709551616}`, "seed", "does not fit"},
		{"negative seed", `{"seed": -1}`, "seed", "does not fit"},
		{"bool for number", `{"seed": true}`, "seed", "true does not fit"},
		{"object for list", `{"sampling": {"stop": {}}}`, "sampling.stop", "an object does not fit"},
		{"list for object", `{"policy": []}`, "policy", "a list does not fit"},
		{"list for number", `{"seed": [1]}`, "seed", "a list does not fit"},
		{"string for object", `{"policy": "spark"}`, "policy", `the string "spark" does not fit`},
		{"deep", strings.Repeat("[", 100_000), "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := api.ParseSpec([]byte(test.body))
			e := sparkd.AsError(err)
			if e == nil {
				t.Fatal("accepted")
			}
			if e.Code != sparkd.CodeInvalid || e.Field != test.field ||
				!strings.Contains(e.Message, test.says) || e.Remedy == "" {
				t.Errorf("code %s, field %q, message %q, remedy %q", e.Code, e.Field, e.Message, e.Remedy)
			}
		})
	}
}

// FuzzSpec: whatever is sent, the parser answers with a spec or with an error of code
// invalid, and what is accepted can be validated and read again.
func FuzzSpec(f *testing.F) {
	for _, seed := range []string{`{}`, `{"id":"a","tasks":{"indices":[1]},"seed":1}`,
		`{"sampling":{"stop":["x"],"top_p":0.5}}`,
		`{"policy":{"roots":1e999}}`, `[`, `{"a":{"b":[1,2,{"c":null}]}}`, `{"seed":1}x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		spec, err := api.ParseSpec(body)
		if err != nil {
			if sparkd.CodeOf(err) != sparkd.CodeInvalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if spec, err = branching.Resolve(spec); err != nil {
			if e := sparkd.AsError(err); e.Code != sparkd.CodeInvalid || e.Field == "" || e.Remedy == "" {
				t.Fatalf("%q: %+v", body, e)
			}
			return
		}
		again, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := parse(again); err != nil || !reflect.DeepEqual(same, spec) {
			t.Fatalf("%q is accepted, %q is not: %v", body, again, err)
		}
	})
}
