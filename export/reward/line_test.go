package reward

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"sparkd"
)

func TestWords(t *testing.T) {
	for in, want := range map[string][]string{
		"python3 rule.py":                    {"python3", "rule.py"},
		"  a\tb\nc  ":                        {"a", "b", "c"},
		`python3 "my rule.py" 'a b' ''`:      {"python3", "my rule.py", "a b", ""},
		`a\ b "say \"hi\"" 'c:\x' "$HOME" *`: {"a b", `say "hi"`, `c:\x`, "$HOME", "*"},
		`a"b"'c'd`:                           {"abcd"},
	} {
		if got, err := Words(in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "  ", `a "b`, "a 'b", `a b\`, "''"} {
		if got, err := Words(in); sparkd.CodeOf(err) != sparkd.CodeInvalid {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
}

// FuzzWords: what was split can be quoted and split again.
func FuzzWords(f *testing.F) {
	f.Add(`python3 "my rule.py" 'a b' \ `)
	f.Fuzz(func(t *testing.T, in string) {
		words, err := Words(in)
		if err != nil {
			return
		}
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
		}
		again, err := Words(strings.Join(quoted, " "))
		if err != nil || !reflect.DeepEqual(again, words) {
			t.Errorf("%q: %q, %v, want %q", in, again, err, words)
		}
	})
}

// What is no member of an answer, as it is written, is none.
func TestAnswersAreReadStrictly(t *testing.T) {
	in := tree()
	for line, words := range map[string]string{
		`{"id":"T1:2","reward":1}`:                      "",
		`{"id":"T1:2","reward":1,"rewards":null,"x":0}`: "",
		`{"id":"T1:2","reward":1,"Reward":9}`:           `"Reward" is written "reward"`,
		`{"id":"T1:2","reward":1,"reward":9}`:           `"reward" is there twice`,
		`{"id":"T1:2","REWARD":9}`:                      `"REWARD" is written "reward"`,
		`{"id":"T1:2","reward":true}`:                   `"reward" is "true"; write a finite number`,
		`{"id":"T1:2","reward":NaN}`:                    `"reward" is NaN, which JSON does not have`,
		`{"id":"T1:2","rewards":[null,1]}`:              `"rewards" is a list with null at 0`,
		`{"id":"T1:2","reward":1} {}`:                   "something follows",
		`{"id":"T1:2","reward":null}`:                   "neither",
	} {
		_, err := parse([]byte(line), in, in.Nodes[2])
		if (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q", line, err, words)
		}
	}
}

// FuzzAnswer: whatever a rule writes is refused or gives every trajectory finite rewards.
func FuzzAnswer(f *testing.F) {
	for _, line := range []string{`{"id":"T1:2","reward":1}`,
		`{"id":"T1:2","rewards":[0.5,0.5],"reward":1}`, `{"id":"T1:2","rewards":[1e308,1e308]}`,
		`{"id":"T1:2","reward":NaN}`, `[]`, `null`, `{"id":2}`, `{"id":"T1:2","rewards":[null,1]}`} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		in := tree()
		a, err := parse(line, in, in.Nodes[2])
		var out *sparkd.Tree
		if err == nil {
			out, err = apply(in, in.Nodes[2:3], []answer{a})
		}
		if err != nil {
			e := sparkd.AsError(err)
			if e.Code != sparkd.CodeInvalid || e.Field != "reward_cmd" || len(e.Message) > 4096 {
				t.Fatal(err)
			}
			return
		}
		if r := out.Return(2); math.IsNaN(r) || math.IsInf(r, 0) {
			t.Fatalf("%s: return %v", line, r)
		}
	})
}
