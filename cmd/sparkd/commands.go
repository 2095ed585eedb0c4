package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"sparkd"
	"sparkd/internal/suggest"
)

// command is one subcommand. flags declares its flags and returns what it does with
// its other arguments.
type command struct {
	name    string
	args    string // placeholders of its arguments
	about   string
	example string
	flags   func(c *cli, f *flag.FlagSet) func(args []string) error
}

// commands are in the order of `sparkd help`.
var commands = []command{
	{"serve", "", "Run the daemon", "sparkd serve -c config.toml --model SmolLM2.gguf", serveCommand},
	{"run", "", "Run one rollout here, or on a daemon with --addr", "sparkd run --model SmolLM2.gguf --tasks 2 --roots 4 --leaves 8 --out trees.jsonl", runCommand},
	{"compare", "", "Run branching policies on the same tasks and compare them", "sparkd compare --model SmolLM2.gguf --policies spark,linear,entropy --tasks 16 --budget-tokens 20000 --out compare.html", compareCommand},
	{"tree", "ID", "Draw a tree, or all trees of a rollout", "sparkd tree 01JD2Z8V5Q0000000000000000", treeCommand},
	{"export", "[ROLLOUT]", "Write finished trees as JSON lines", "sparkd export --format rows --out rows.jsonl", exportCommand},
	{"rollouts", "", "List rollouts", "sparkd rollouts --json", rolloutsCommand},
	{"cancel", "ROLLOUT", "Cancel a rollout of a running daemon", "sparkd cancel nightly-7", cancelCommand},
	{"info", "", "Describe a running daemon", "sparkd info --addr 127.0.0.1:8787", infoCommand},
	{"engines", "", "Show what samples; drain replicas, move them to new weights", "sparkd engines --addr 127.0.0.1:8787 --weights step-40.gguf", enginesCommand},
	{"coldstart", "", "Write trajectories with reasons, for supervised fine-tuning", "sparkd coldstart --trajectories 300 --own 0.1 --out coldstart.jsonl", coldstartCommand},
	{"check", "", "Verify every stored record", "sparkd check --data /var/lib/sparkd", checkCommand},
	{"config", "", "Print the configuration in force, or check a file", "sparkd config --check config.toml", configCommand},
	{"version", "", "Print the version and what was built in", "sparkd version", versionCommand},
}

const exitCodes = `Exit codes:
  0    done
  1    failed
  2    wrong command line or configuration
  3    check found problems
  130  interrupted
`

// dispatch runs the command that args name.
func (c *cli) dispatch(args []string) error {
	if len(args) == 0 {
		c.help(c.stderr)
		return exit{code: exitUsage}
	}
	name := args[0]
	switch name {
	case "help", "-h", "--help", "-help":
		if len(args) > 1 {
			return c.dispatch([]string{args[1], "--help"})
		}
		c.help(c.stdout)
		return nil
	case "-v", "--version", "-version":
		name = "version"
	}
	for i := range commands {
		if commands[i].name == name {
			return c.run(&commands[i], args[1:])
		}
	}
	var known []string
	for i := range commands {
		known = append(known, commands[i].name)
	}
	return usage("unknown command %q; %ssparkd help lists them", name, meant("", name, known))
}

func (c *cli) run(cmd *command, args []string) error {
	f := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&c.json, "json", false, "write JSON")
	do := cmd.flags(c, f)
	var rest []string
	for len(args) > 0 { // flags may stand behind arguments
		err := f.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			cmd.help(c.stdout, f)
			return nil
		}
		if name, unknown := unknownFlag(err); unknown {
			var known []string
			f.VisitAll(func(fl *flag.Flag) { known = append(known, fl.Name) })
			return usage("unknown flag --%s; %ssparkd help %s shows the flags", name, meant("--", name, known), cmd.name)
		}
		if err != nil {
			return usage("%w; sparkd help %s shows the flags", err, cmd.name)
		}
		if args = f.Args(); len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	least, most := strings.Count(cmd.args, " ")+1, strings.Count(cmd.args, " ")+1
	if cmd.args == "" {
		least, most = 0, 0
	} else if strings.HasPrefix(cmd.args, "[") {
		least = 0
	}
	if len(rest) < least || len(rest) > most {
		return usage("%s takes %s, not %q; sparkd help %s", cmd.name, describeArgs(cmd.args), strings.Join(rest, " "), cmd.name)
	}
	return do(rest)
}

// unknownFlag returns the name of the flag that was not declared, if err is about one;
// package flag has no type for it.
func unknownFlag(err error) (name string, ok bool) {
	if err == nil {
		return "", false
	}
	return strings.CutPrefix(err.Error(), "flag provided but not defined: -")
}

// meant asks whether a word was meant to be one of those known, if it nearly is.
func meant(dashes, word string, known []string) string {
	if n := suggest.Name(word, known); n != "" {
		return "did you mean " + dashes + n + "? "
	}
	return ""
}

func describeArgs(args string) string {
	if args == "" {
		return "no arguments"
	}
	return args
}

func (c *cli) help(w io.Writer) {
	fmt.Fprint(w, "sparkd grows trajectory trees of LLM agents: it samples an agent in an environment,\nforks where the agent is in doubt, and keeps every tree.\n\nUsage: sparkd COMMAND [flags]\n\n")
	for _, cmd := range commands {
		fmt.Fprintf(w, "  %-9s %s\n", cmd.name, cmd.about)
	}
	fmt.Fprintf(w, "\nsparkd COMMAND --help shows its flags and an example.\n\n%s", exitCodes)
}

func (cmd *command) help(w io.Writer, f *flag.FlagSet) {
	fmt.Fprintf(w, "%s.\n\nUsage: sparkd %s\n\nExample:\n  %s\n\nFlags:\n", cmd.about,
		strings.TrimSpace(cmd.name+" [flags] "+cmd.args), cmd.example)
	f.VisitAll(func(fl *flag.Flag) {
		kind, about := flag.UnquoteUsage(fl)
		name := "--" + fl.Name
		if len(fl.Name) == 1 {
			name = "-" + fl.Name
		}
		if kind != "" {
			name += " " + strings.ToUpper(kind)
		}
		if fl.DefValue != "" && fl.DefValue != "false" && fl.DefValue != "0" && fl.DefValue != "[]" {
			about += " (default " + fl.DefValue + ")"
		}
		fmt.Fprintf(w, "  %-24s %s\n", name, about)
	})
}

// printError writes an error for people, or as JSON where --json was given. Faults
// that were joined are written one after the other.
func (c *cli) printError(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			c.printError(e)
		}
		return
	}
	var e *sparkd.Error
	known := errors.As(err, &e)
	switch {
	case c.json && known:
		_ = writeJSON(c.stderr, e)
	case c.json:
		_ = writeJSON(c.stderr, &sparkd.Error{Code: sparkd.CodeInvalid, Message: err.Error()})
	case known:
		text := clean(e.Message)
		if e.Field != "" {
			text = clean(e.Field) + ": " + text
		}
		fmt.Fprintf(c.stderr, "sparkd: %s\n", text)
		if e.Code == sparkd.CodeInternal && e.Err != nil {
			fmt.Fprintf(c.stderr, "  cause: %s\n", clean(e.Err.Error()))
		}
		if e.Remedy != "" {
			fmt.Fprintf(c.stderr, "  remedy: %s\n", clean(e.Remedy))
		}
	default:
		fmt.Fprintf(c.stderr, "sparkd: %v\n", err)
	}
}
