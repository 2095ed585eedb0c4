package main

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/coldstart"
	"sparkd/sampler"
)

// coldstartFlags are the flags of `sparkd coldstart`.
type coldstartFlags struct {
	*settings
	coldstart.Job
	out    string
	resume bool
	given  func(flag string) bool // whether a flag was written
}

func (c *cli) coldstartCommand(cmd *cobra.Command) run {
	f := cmd.Flags()
	o := &coldstartFlags{settings: c.addSettings(f, alfworldData), given: f.Changed}
	o.addPlanner(f)
	o.addTeacher(f)
	f.StringVar((*string)(&o.Style), "prompt", string(sampler.StyleCompact),
		"`style` of the prompts: "+strings.Join(sampler.Styles(), ", "))
	f.IntVar(&o.Window, "window", 0,
		"a row for every step, with the last `n` steps in its prompt; 0: a row for every trajectory")
	f.StringVar(&o.out, "out", "", "`file` to write; a name that ends in .zst packs it")
	return func([]string) error {
		if err := o.validate(); err != nil {
			return err
		}
		if o.Golden != "" && !o.given("trajectories") {
			o.Count = math.MaxInt // all that the file has
		}
		return inFlags(c.coldstart(o))
	}
}

func (o *coldstartFlags) addPlanner(f *flag.FlagSet) {
	tasks := sparkd.RequestSpec().Tasks
	f.StringVar(&o.Env, "env", tasks.Env, "`environment`")
	f.StringVar(&o.Split, "split", tasks.Split, "`split` of the tasks")
	f.IntVar(&o.From, "from", 0, "`index` of the first task")
	f.IntVar(&o.Count, "trajectories", 300,
		"`number` of trajectories; beyond the split's tasks the planner goes round again")
	f.Float64Var(&o.OwnShare, "own", 0.1, "`share` of trajectories that the planner sought itself, "+
		"not knowing where things are; the others are golden paths with reasons given afterwards")
	f.Float64Var(&o.Slips, "slips", 0, "`share` of steps that are useless and carry weight 0, "+
		"so that the steps after them teach to go on after mistakes")
	f.IntVar(&o.MaxSteps, "max-steps", 30, "most `steps` of a trajectory")
	f.Uint64Var(&o.Seed, "seed", 0, "`seed` of what the planner draws")
}

func (o *coldstartFlags) addTeacher(f *flag.FlagSet) {
	t := &o.Teacher
	f.StringVar(&t.URL, "teacher", "",
		"`URL` in front of /chat/completions of a model that gives the reasons, mostly http://…/v1")
	f.StringVar(&t.Model, "teacher-model", "", "`name` of the teacher's model")
	f.StringVar(&o.KeyFile, "teacher-key-file", "", "`file` with the key that the teacher's server wants")
	f.DurationVar(&t.Timeout, "teacher-timeout", 2*time.Minute, "most `time` of one of the teacher's answers")
	f.IntVar(&t.MaxTokens, "teacher-tokens", 4096,
		"most `tokens` of one of the teacher's answers, its own thoughts included")
	f.StringVar(&o.Golden, "golden", "", "`file` of golden paths for the teacher, "+
		`{"task":"env/split/index","actions":[…]} a line; without it the planner's`)
	f.IntVar(&o.Inflight, "inflight", 4, "most `paths` that the teacher is asked about at a time")
	f.BoolVar(&o.resume, "resume", false, "go on behind the rows that --out has, and skip their tasks")
}

// validate refuses values out of range and flags that mean nothing together.
func (o *coldstartFlags) validate() error {
	for _, n := range []struct {
		name        string
		value, from int
	}{
		{"trajectories", o.Count, 1}, {"from", o.From, 0}, {"max-steps", o.MaxSteps, 1}, {"window", o.Window, 0},
		{"inflight", o.Inflight, 1}, {"teacher-tokens", o.Teacher.MaxTokens, 1},
	} {
		if n.value < n.from {
			return usage("--%s is %d; at least %d", n.name, n.value, n.from)
		}
	}
	switch {
	case o.Env == "":
		return usage("--env names no environment; household, or one that -c configures")
	case o.Env == sparkd.EnvClient:
		return sparkd.Invalid("env", "use household, or an environment that -c configures",
			"nobody drives the environment %s here", o.Env)
	case !(o.Slips >= 0 && o.Slips < 1):
		return usage("--slips is %v; a share from 0 to below 1", o.Slips)
	case !(o.OwnShare >= 0 && o.OwnShare <= 1):
		return usage("--own is %v; a share from 0 to 1", o.OwnShare)
	case !slices.Contains(sampler.Styles(), string(o.Style)):
		return usage("--prompt is %q; one of %s", o.Style, strings.Join(sampler.Styles(), ", "))
	case strings.HasSuffix(o.out, ".parquet") || otherFormat(o.out):
		return usage("--out %s: rows are JSON lines; name a .jsonl or .jsonl.zst", o.out)
	case o.Teacher.URL == "":
		return o.refuse("goes with --teacher URL --teacher-model NAME alone",
			"teacher-model", "teacher-key-file", "teacher-timeout", "teacher-tokens", "golden", "inflight", "resume")
	}
	return o.validateTeacher()
}

func (o *coldstartFlags) validateTeacher() error {
	if o.Golden != "" {
		err := o.refuse("says which tasks the planner takes; with --golden the file does", "split", "from")
		if err != nil {
			return err
		}
	}
	switch plain := !strings.HasSuffix(o.out, ".zst") && o.out != "" && o.out != "-"; {
	case o.Teacher.Model == "":
		return usage("--teacher needs --teacher-model NAME, as the server lists it at /v1/models")
	case o.Teacher.Timeout <= 0:
		return usage("--teacher-timeout is %v; a time such as 2m", o.Teacher.Timeout)
	case o.Inflight > 1024:
		return usage("--inflight is %d; at most 1024", o.Inflight)
	case o.resume && !plain:
		return usage("--resume needs --out FILE of plain lines; pack them when all are there")
	}
	return o.refuse("is the planner's; a teacher annotates golden paths", "own", "slips", "seed")
}

// refuse says why a flag that was written means nothing here.
func (o *coldstartFlags) refuse(why string, flags ...string) error {
	for _, name := range flags {
		if o.given(name) {
			return usage("--%s %s", name, why)
		}
	}
	return nil
}
