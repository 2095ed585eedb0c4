package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	flag "github.com/spf13/pflag"

	"sparkd/branching"
)

// What the flags and a request file say of a policy is what the same words say in a request.
func TestPolicyOfFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spec.json")
	body := `{"policy":{"name":"spark","roots":2,"branch":3,"tag":"doubt","cool_down":1}}`
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
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
		{[]string{"--policy", "random:branch=3:probability=0", "--branch", "4", "--tag", "doubt"},
			`{"name":"random","roots":4,"branch":3,"tag":"doubt","probability":0}`},
		{[]string{"--spec", file}, `{"name":"spark","roots":2,"branch":3,"tag":"doubt","cool_down":1}`},
		{[]string{"--spec", file, "--branch", "2"},
			`{"name":"spark","roots":2,"branch":2,"tag":"doubt","cool_down":1}`},
		{[]string{"--spec", file, "--policy", "tree-grpo"},
			`{"name":"expand-random","roots":2,"tag":"doubt","picks":2,"iterations":1}`},
	} {
		f := flag.NewFlagSet("run", flag.ContinueOnError)
		read, policy := addSpec(f), addPolicy(f)
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
