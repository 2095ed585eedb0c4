package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A command line with a slip names what was meant.
func TestMisspelt(t *testing.T) {
	s := newSession(t)
	file := filepath.Join(s.dir, "spec.json")
	body := `{"policy":{"name":"spark","branch":3,"penalty":0}}`
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"rnu"}, `unknown command "rnu"; did you mean run? sparkd help lists them`},
		{[]string{"knit"}, `unknown command "knit"; sparkd help lists them`},
		{[]string{"knit", "--help"}, `unknown command "knit"`},
		{[]string{"knit", "--pattern"}, `unknown command "knit"`},
		{[]string{"--json", "knit"}, `unknown command \"knit\"`},
		{[]string{"help", "rnu"}, "did you mean run?"},
		{[]string{"--jsno"}, "unknown flag --jsno; did you mean --json? sparkd help shows the flags"},
		{[]string{"run", "-task", "3"}, "unknown flag --task; did you mean --tasks? sparkd help run shows the flags"},
		{[]string{"run", "--colour=red"}, "unknown flag --colour; sparkd help run shows the flags"},
		{[]string{"export", "--fromat=verl"}, "did you mean --format?"},
		{[]string{"run", "--tasks", "3", "--josn"}, "did you mean --json?"},
		{[]string{"run", "-tasks", "many"},
			`invalid value "many" for --tasks: invalid syntax; sparkd help run shows the flags`},
		{[]string{"run", "--tasks"}, "flag needs an argument: --tasks; sparkd help run shows the flags"},
		{[]string{"tree"}, "tree takes ID"},
		{[]string{"export", "a", "b"}, "export takes [ROLLOUT], not "},
		{[]string{"info", "x"}, "info takes no arguments"},
		{[]string{"config", "--set", "daemon.tres=3"}, `did you mean "daemon.trees"?`},
		{[]string{"completion", "bsh"}, "did you mean bash?"},
		{[]string{"run", "--policy", "entropy:base=1"}, "entropy takes roots, branch, entropy_base, entropy_weight, " +
			"entropy_threshold, entropy_aggregate; every policy max_depth, "},
		{[]string{"run", "--policy", "random:picks=2"}, `"picks" is no parameter of random`},
		{[]string{"run", "--policy", "random:probability=often"}, "remedy: use a finite number"},
		{[]string{"run", "--policy", "random:probability=NaN"},
			"policy.probability: the string \"NaN\" does not fit"},
		{[]string{"run", "--policy", "spark:top_up=yes"}, "remedy: use true or false"},
		{[]string{"run", "--policy", "spark:roots=1e3"}, "remedy: use a whole number of 64 bits"},
		{[]string{"run", "--policy", "random:probability=0.3:probability=0.4"},
			"policy.probability: field given twice"},
		{[]string{"run", "--policy", "spark:roots=2", "--roots", "3"}, "policy.roots: field given twice"},
		{[]string{"run", "--policy", "random:branch=3", "--branch=3"}, "policy.branch: field given twice"},
		{[]string{"run", "--policy", "spark:"}, `"" gives no value`},
		{[]string{"run", "--policy", "spark:roots=2:"}, `"" gives no value`},
		{[]string{"run", "--policy", "random:probability"}, "gives no value"},
		{[]string{"run", "--policy", "mcts"}, "one of spark, linear, random, "},
		{[]string{"run", "--policy", "grpo:picks=0"}, `"picks" is no parameter of linear`},
		{[]string{"run", "--policy", "linear", "--branch", "2"}, `"branch" is no parameter of linear`},
		{[]string{"run", "--roots", "0"}, "policy.roots: 0 is out of range"},
		{[]string{"compare", "--policies", "spark,arpo:tau=1"}, `"tau" is no parameter of entropy`},
		{[]string{"run", "--env", "chess"}, "use household, or configure it as [env.chess]"},
		{[]string{"run", "--spec", file, "--policy", "at2po"},
			`policy.branch: "branch" is no parameter of topk-entropy`},
		{[]string{"run", "--spec", file, "--policy", "full"}, "remedy: full takes roots, branch; every policy "},
		{[]string{"compare", "--spec", file, "--policies", "full,linear"},
			`policy.penalty: "penalty" is no parameter of`},
		{[]string{"compare", "--branch", "2", "--policies", "linear"}, `"branch" is no parameter of linear`},
		{[]string{"run", "-c", ""}, `invalid value "" for --config: name a file`},
		{[]string{"config", "--check", ""}, `invalid value "" for --check: name a file`},
		{[]string{"engines", "--lora"}, "name these with --weights"},
		{[]string{"engines", "--version", "v2", "--drain", "a"}, "name these with --weights"},
		{[]string{"engines", "--drain", "a", "--undrain", "b"}, "give one of them"},
		{[]string{"engines", "--weights", "a", "--undrain", "b"}, "give one of them"},
		{[]string{"compare", "--out", "x.csv"}, "the report is HTML"},
	} {
		if r := s.run(c.args...); r.code != exitUsage || !strings.Contains(r.stderr, c.says) {
			t.Errorf("%v: exit %d, %s\nwant %s", c.args, r.code, r.stderr, c.says)
		}
	}
}
