package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/internal/suggest"
)

// run runs a command with its arguments.
type run func(args []string) error

// commands are in the order of `sparkd help`, with examples, a line each, in which all their flags occur that no
// command before has shown. declare declares a command's flags.
var commands = []struct {
	use, short, examples string
	declare              func(*cli, *cobra.Command) run
}{
	{"serve", "Run the daemon", `
sparkd serve --data out/data                    # the bundled policy, at 127.0.0.1:8787
sparkd serve -c config.toml --model model.gguf --listen 127.0.0.1:9000 --set daemon.trees=16
sparkd serve --alfworld-data games`, (*cli).serveCommand},
	{"run", "Run one rollout here, or on a daemon with --addr", `
sparkd run --tasks 2 --roots 4 --leaves 8 --branch 2 --max-steps 30 --max-tokens 48 --out trees.jsonl
sparkd run --policy random:probability=0.3:branch=3 --env household --split l1 --from 8 --temperature 0.7 --seed 7
sparkd run --spec request.json --context window --window 3 --top-p 0.95 --tag doubt --budget-tokens 20000
sparkd run --format rows --advantage grpo --dedupe unique --filter split=train --entropies --text --out -
sparkd run --id nightly-7 --data out/data       # and, when it was interrupted:
sparkd run --resume nightly-7 --data out/data
sparkd run --id nightly-7 --addr 127.0.0.1:8787
sparkd run --env alfworld --alfworld-data games --names NAME`, (*cli).runCommand},
	{"compare", "Run branching policies on the same tasks and compare them", `
sparkd compare --policies spark,linear,entropy --tasks 4 --budget-tokens 20000 --out compare.html
sparkd compare --policies spark --contexts append,window --max-steps 10 --json`, (*cli).compareCommand},
	{"tree ID", "Draw a tree, or all trees of a rollout", `
sparkd tree nightly-7 --all --advantage grpo --addr 127.0.0.1:8787`, (*cli).treeCommand},
	{"export [ROLLOUT]", "Write finished trees as JSON lines", `
sparkd export --out rows.jsonl --addr 127.0.0.1:8787
sparkd export --out more.jsonl --after CURSOR --limit 100 --addr 127.0.0.1:8787
sparkd export nightly-7 --data out/data --format verl --advantage grpo --filter env=household --out batch.jsonl.zst
sparkd export --advantage grpo --std population --epsilon 1e-4 --reward-scale 2 --process-rewards --discount 0.95
sparkd export --advantage gigpo --norm mean_norm --step-weight 0.5 --invalid-penalty 0.2
sparkd export --advantage at2po --value-mode child_mean --advantage-mode diff_parent
sparkd export --advantage treerl --leaf-value return
sparkd export --advantage treepo --weighting size
sparkd export --format trl-dpo --pairs group --pairs-margin 0.5 --pairs-most 8
sparkd export --reward-cmd 'python3 reward.py' --out rescored.parquet`, (*cli).exportCommand},
	{"rollouts", "List rollouts", `
sparkd rollouts --data out/data
sparkd rollouts --state queued,running --addr 127.0.0.1:8787 --json`, (*cli).rolloutsCommand},
	{"cancel ROLLOUT", "Cancel a rollout", `
sparkd cancel nightly-7 --addr 127.0.0.1:8787`, (*cli).cancelCommand},
	{"info", "Describe a running daemon", `
sparkd info --addr 127.0.0.1:8787`, (*cli).infoCommand},
	{"engines", "Show what samples; drain replicas, move them to new weights", `
sparkd engines --addr 127.0.0.1:8787
sparkd engines --addr 127.0.0.1:8787 --weights /models/step-40.gguf --version step-40
sparkd engines --addr 127.0.0.1:8787 --weights /models/adapter.gguf --lora
sparkd engines --addr 127.0.0.1:8787 --drain http://127.0.0.1:8001
sparkd engines --addr 127.0.0.1:8787 --undrain http://127.0.0.1:8001`, (*cli).enginesCommand},
	{"template", "Show how a model is talked to: its chat template in pieces, and what differs", `
sparkd template --model bundled
sparkd template --model model.gguf --load --json`, (*cli).templateCommand},
	{"coldstart", "Write trajectories with reasons, for supervised fine-tuning", `
sparkd coldstart --trajectories 300 --own 0.1 --slips 0.05 --seed 1 --out coldstart.jsonl
sparkd coldstart --env household --split train --from 100 --trajectories 9 --max-steps 30 --window 3 --prompt paper
sparkd coldstart --teacher http://127.0.0.1:8000/v1 --teacher-model big --teacher-key-file key \
  --trajectories 3 --out taught.jsonl
sparkd coldstart --teacher http://127.0.0.1:8000/v1 --teacher-model big --golden paths.jsonl \
  --inflight 8 --teacher-timeout 1m --teacher-tokens 2048 --out taught.jsonl --resume`,
		(*cli).coldstartCommand},
	{"env check NAME", "Check an environment of yours: copies, replays, rewards, leaks, memory, speed", `
sparkd env check household --tasks 1 --steps 20
sparkd env check household -c config.toml --tasks 1 --seed 7 --action look --json`, (*cli).envCommand},
	{"check", "Verify every stored record", `
sparkd check --data out/data`, (*cli).checkCommand},
	{"config", "Print the configuration in force, or check a file", `
sparkd config --data out/data --model smollm2 --listen 127.0.0.1:9000
sparkd config --check config.toml`, (*cli).configCommand},
	{"completion SHELL", "Write completions for " + strings.Join(shellNames, ", "), `
source <(sparkd completion bash)    # needs the package bash-completion`, (*cli).completionCommand},
	{"man FOLDER", "Write the man pages", `
sparkd man share/man/man1`, (*cli).manCommand},
	{"version", "Print the version and what was built in", `
sparkd version`, (*cli).versionCommand},
}

const about = `sparkd grows trajectory trees of LLM agents: it samples an agent in an environment,
forks where the agent is in doubt, and keeps every tree.`

// helpTemplate is for all commands; %d is the width of the screen, 80 where there is none.
const helpTemplate = `{{if .HasParent}}{{.Short}}.

Usage: {{.UseLine}}

Examples:
{{.Example}}

Flags:
{{.Flags.FlagUsagesWrapped %d}}{{else}}{{.Long}}

Usage: {{.UseLine}}

{{range .Commands}}{{if .IsAvailableCommand}}  {{rpad .Name .NamePadding}} {{.Short}}
{{end}}{{end}}
sparkd COMMAND --help shows its flags and examples.

` + exitCodes + variables + `{{end}}`

// variables are those of the environment; docs/cli.md explains them.
const variables = `
Variables:
  SPARKD_SECTION_KEY  a setting: SPARKD_API_TOKEN is api.token, SPARKD_DAEMON_DATA daemon.data (--data)
  SPARKD_CONFIG       the configuration file, instead of --config
  SPARKD_ADDR         the address of a running daemon, instead of --addr
  SPARKD_CACHE        folder for models, instead of that of the user's cache
`

// root returns the command line; its own flags are those of all commands.
func (c *cli) root() *cobra.Command {
	cobra.EnableCommandSorting = false
	version := false
	root := &cobra.Command{
		Use: "sparkd COMMAND", Short: "Grow trajectory trees of LLM agents", Long: about,
		SilenceErrors: true, SilenceUsage: true, Args: commandNames,
		RunE: func(root *cobra.Command, _ []string) error {
			if version {
				return c.version()
			}
			root.SetOut(c.stderr)
			return errors.Join(root.Help(), exit{code: exitUsage})
		},
	}
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetHelpTemplate(fmt.Sprintf(helpTemplate, cmp.Or(c.width, noScreen)))
	text := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if c.json {
			_ = writeJSON(cmd.OutOrStdout(), describeCommand(cmd))
		} else {
			cmd.Example = wrapExamples(cmd.Example, cmp.Or(c.width, noScreen))
			text(cmd, args)
		}
	})
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(helpCommand(c))
	root.CompletionOptions.DisableDefaultCmd = true
	root.DisableAutoGenTag = true
	root.Flags().BoolVarP(&version, "version", "v", false, "print the version")
	root.PersistentFlags().BoolVar(&c.json, "json", c.json, "write JSON; docs/cli.md has the forms")
	root.PersistentFlags().Lookup("json").DefValue = "false"
	for _, d := range commands {
		cmd := &cobra.Command{Use: d.use, Short: d.short, Example: lines(d.examples), Args: arguments}
		run := d.declare(c, cmd)
		cmd.RunE = func(_ *cobra.Command, args []string) error { return run(args) }
		root.AddCommand(cmd)
	}
	root.InitDefaultHelpCmd()
	return root
}

// lines sets examples off.
func lines(examples string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(examples), "\n", "\n  ")
}

// execute runs the command that args name.
func (c *cli) execute(args []string) error {
	args = twoDashes(args)
	flags := args[:max(0, slices.Index(append(args, "--"), "--"))]
	c.json = c.json || slices.Contains(flags, "--json") // for errors on the way to the flag, too
	root := c.root()
	c.line, c.args = root, args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		if err := commandNames(root, args); err != nil {
			return err
		}
	}
	if len(args) > 0 && completes(args[0]) {
		plainUsage(root)
		for _, cmd := range root.Commands() {
			completeValues(cmd)
		}
	}
	root.SetArgs(args)
	return root.Execute()
}

func helpCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Show the flags of a command and an example", Example: lines("sparkd help run"),
		Args: arguments,
		RunE: func(_ *cobra.Command, args []string) error { return c.execute(append(args, "--help")) },
	}
}

// oneDash is a long flag behind one dash.
var oneDash = regexp.MustCompile(`^-[a-z][a-z-]`)

// twoDashes writes -name as --name: Go's own flags take either, and pflag would read flags of one letter.
func twoDashes(args []string) []string {
	out := slices.Concat([]string{}, args)
	for i, a := range out {
		if a == "--" {
			break
		}
		if oneDash.MatchString(a) {
			out[i] = "-" + a
		}
	}
	return out
}

// commandNames refuses a command that there is not.
func commandNames(root *cobra.Command, args []string) error {
	if len(args) == 0 || completes(args[0]) {
		return nil
	}
	var known []string
	for _, cmd := range root.Commands() {
		known = append(known, cmd.Name())
	}
	if slices.Contains(known, args[0]) {
		return nil
	}
	return usage("unknown command %q; %ssparkd help lists them", args[0], meant("", args[0], known))
}

// arguments refuses more and fewer than the words of a command's Use: placeholders in capitals, of which one in
// brackets may be left out, and words that stand as they are.
func arguments(cmd *cobra.Command, args []string) error {
	wanted := strings.Fields(cmd.Use)[1:]
	least := len(wanted)
	if least > 0 && strings.HasPrefix(wanted[least-1], "[") {
		least--
	}
	if least <= len(args) && len(args) <= len(wanted) {
		i := slices.IndexFunc(wanted, func(word string) bool { return word == strings.ToLower(word) })
		if i < 0 || args[i] == wanted[i] {
			return nil
		}
	}
	what := "no arguments"
	if len(wanted) > 0 {
		what = strings.Join(wanted, " ")
	}
	return usage("%s takes %s, not %q; sparkd help %[1]s", cmd.Name(), what, strings.Join(args, " "))
}

// flagError says what is wrong with a flag, and which one was meant.
func flagError(cmd *cobra.Command, err error) error {
	help := strings.TrimSpace("sparkd help " + strings.TrimPrefix(cmd.Name(), "sparkd"))
	var unknown *flag.NotExistError
	var invalid *flag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		var known []string
		cmd.Flags().VisitAll(func(f *flag.Flag) { known = append(known, f.Name) })
		return usage("unknown flag --%s; %s%s shows the flags", name, meant("--", name, known), help)
	case errors.As(err, &invalid):
		if _, ok := invalid.Unwrap().(*sparkd.Error); ok {
			return invalid.Unwrap()
		}
		why := invalid.Unwrap()
		if number, ok := why.(*strconv.NumError); ok {
			why = number.Err
		}
		name, value := invalid.GetFlag().Name, invalid.GetValue()
		return usage("invalid value %q for --%s: %v; %s shows the flags", value, name, why, help)
	}
	return usage("%v; %s shows the flags", err, help)
}

// meant asks whether a word was meant to be one of those known, if it nearly is.
func meant(dashes, word string, known []string) string {
	if n := suggest.Name(word, known); n != "" {
		return "did you mean " + dashes + n + "? "
	}
	return ""
}
