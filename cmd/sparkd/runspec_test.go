package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/branching"
)

// What the flags and a request file say of a policy is what the same words say in a request.
func TestPolicyOfFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spec.json")
	balanced := filepath.Join(filepath.Dir(file), "balanced.json")
	for path, policy := range map[string]string{
		file:     `{"name":"spark","roots":2,"branch":3,"tag":"doubt","cool_down":1}`,
		balanced: `{"name":"aepo","roots":2,"penalty":0,"max_depth":3,"top_up":false}`,
	} {
		if err := os.WriteFile(path, []byte(`{"policy":`+policy+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, `{"name":"spark","roots":4,"branch":2,"tag":"explore"}`},
		{[]string{"--policy", "grpo"}, `{"name":"linear","roots":8}`},
		{[]string{"--policy", "ARPO:entropy_weight=0:top_up=true"}, `{"name":"entropy","roots":8,"branch":2,` +
			`"entropy_base":0.5,"entropy_weight":0,"entropy_aggregate":"sum","top_up":true}`},
		{[]string{"--policy", "linear", "--roots", "0", "--leaves", "5"}, `{"name":"linear","roots":5}`},
		{[]string{"--policy", "random:probability=0", "--branch", "3", "--tag", "doubt"},
			`{"name":"random","roots":4,"branch":3,"tag":"doubt","probability":0}`},
		{[]string{"--spec", file}, `{"name":"spark","roots":2,"branch":3,"tag":"doubt","cool_down":1}`},
		{[]string{"--spec", file, "--branch", "2"},
			`{"name":"spark","roots":2,"branch":2,"tag":"doubt","cool_down":1}`},
		{[]string{"--spec", file, "--policy", "full:branch=1"},
			`{"name":"full","roots":2,"branch":1,"tag":"doubt","cool_down":1}`},
		{[]string{"--spec", balanced, "--policy", "at2po:picks=3"},
			`{"name":"topk-entropy","roots":2,"penalty":0,"picks":3,"iterations":2,"max_depth":3}`},
	} {
		f := flag.NewFlagSet("run", flag.ContinueOnError)
		read, policy := (&cli{}).addSpec(f), addPolicy(f)
		if err := f.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		s, err := read()
		if err == nil {
			err = policy(&s)
		}
		if err == nil {
			s, err = branching.Resolve(s)
		}
		if got, _ := json.Marshal(s.Policy); err != nil || string(got) != c.want {
			t.Errorf("%q: %s, %v; want %s", c.args, got, err, c.want)
		}
	}
}

// Policies that are compared keep those parameters of the request that they take.
func TestPoliciesOfComparison(t *testing.T) {
	base := sparkd.Policy{Name: "entropy-balanced", Branch: new(3), Penalty: new(.0), MaxDepth: new(4)}
	got, err := parsePolicies([]string{"spark", "at2po:max_depth=2", "linear"}, base)
	text, _ := json.Marshal(got)
	const want = `[{"name":"spark","branch":3,"max_depth":4},{"name":"at2po","penalty":0,"max_depth":2},` +
		`{"name":"linear","max_depth":4}]`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}

// Variants that are compared share nothing that one of them could change for another.
func TestPoliciesShareNothing(t *testing.T) {
	base := branching.DefaultSpec().Policy
	for _, text := range []string{"spark:branch=5:roots=1", "full", "linear"} {
		if _, err := parsePolicy(text, base); err != nil {
			t.Fatal(err)
		}
	}
	if *base.Branch != 2 || *base.Roots != 4 {
		t.Errorf("the request became M %d, B %d", *base.Roots, *base.Branch)
	}
}
