package main

import (
	"cmp"
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
	if o.Env == sparkd.EnvClient {
		return sparkd.Invalid("env", "use household, or an environment that -c configures",
			"nobody drives the environment %s here", o.Env)
	}
	taught, t, styles := o.Teacher.URL != "", &o.Teacher, sampler.Styles()
	return cmp.Or(
		refuse(o.Count < 1, "--trajectories is %d; at least 1", o.Count),
		refuse(o.From < 0, "--from is %d; at least 0", o.From),
		refuse(o.MaxSteps < 1, "--max-steps is %d; at least 1", o.MaxSteps),
		refuse(o.Window < 0, "--window is %d; at least 0", o.Window),
		refuse(o.Inflight < 1, "--inflight is %d; at least 1", o.Inflight),
		refuse(t.MaxTokens < 1, "--teacher-tokens is %d; at least 1", t.MaxTokens),
		refuse(o.Env == "", "--env names no environment; household, or one that -c configures"),
		refuse(!(o.Slips >= 0 && o.Slips < 1), "--slips is %v; a share from 0 to below 1", o.Slips),
		refuse(!(o.OwnShare >= 0 && o.OwnShare <= 1), "--own is %v; a share from 0 to 1", o.OwnShare),
		refuse(!slices.Contains(styles, string(o.Style)),
			"--prompt is %q; one of %s", o.Style, strings.Join(styles, ", ")),
		refuse(strings.HasSuffix(o.out, ".parquet") || otherFormat(o.out),
			"--out %s: rows are JSON lines; name a .jsonl or .jsonl.zst", o.out),
		o.refuseGiven(!taught, "goes with --teacher URL --teacher-model NAME alone", "teacher-model",
			"teacher-key-file", "teacher-timeout", "teacher-tokens", "golden", "inflight", "resume"),
		o.refuseGiven(o.Golden != "",
			"says which tasks the planner takes; with --golden the file does", "split", "from"),
		refuse(taught && t.Model == "", "--teacher needs --teacher-model NAME, as the server lists it at /v1/models"),
		refuse(taught && t.Timeout <= 0, "--teacher-timeout is %v; a time such as 2m", t.Timeout),
		refuse(o.Inflight > 1024, "--inflight is %d; at most 1024", o.Inflight),
		refuse(o.resume && !o.plain(), "--resume needs --out FILE of plain lines; pack them when all are there"),
		o.refuseGiven(taught, "is the planner's; a teacher annotates golden paths", "own", "slips", "seed"),
	)
}

// plain reports whether the rows go into a file that can be gone on with.
func (o *coldstartFlags) plain() bool {
	return !strings.HasSuffix(o.out, ".zst") && o.out != "" && o.out != "-"
}

// refuse is the error of a command line that is wrong; nil where it is not.
func refuse(wrong bool, format string, args ...any) error {
	if !wrong {
		return nil
	}
	return usage(format, args...)
}

// refuseGiven says why flags mean nothing here, if one of them was written.
func (o *coldstartFlags) refuseGiven(here bool, why string, flags ...string) error {
	i := slices.IndexFunc(flags, o.given)
	if !here || i < 0 {
		return nil
	}
	return usage("--%s %s", flags[i], why)
}
