package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	flag "github.com/spf13/pflag"

	"sparkd"
)

// interrupted says after a signal what is kept and which command goes on, at once: what runs here may take a while to
// end. Other errors stay as they are.
func (c *cli) interrupted(err error, kept, command string) error {
	if c.ctx.Err() == nil || sparkd.CodeOf(err) != sparkd.CodeCanceled {
		return err
	}
	if c.json {
		_ = writeJSON(c.stderr, sparkd.NewError(sparkd.CodeCanceled, "", "go on with: "+command, "%s", kept))
	} else {
		fmt.Fprintf(c.stderr, "%s; go on with\n  %s\n", kept, command)
	}
	return exit{code: exitInterrupted}
}

// again writes this command line for a shell: the variables that hold settings, the command, then first, then the
// flags as they were given but those that first repeats and those of without.
func (c *cli) again(first []string, without ...string) string {
	var words []string
	for _, name := range c.variables {
		words = append(words, name+"="+quoted(c.env(name)))
	}
	cmd, rest, err := c.line.Find(c.args)
	if err != nil {
		return "" // it has been found before
	}
	words = append(words, cmd.CommandPath())
	for _, word := range first {
		words = append(words, quoted(word))
	}
	_ = cmd.Flags().ParseAll(rest, func(f *flag.Flag, value string) error { // it has been parsed before
		switch dashed := "--" + f.Name; {
		case slices.Contains(first, dashed), slices.Contains(without, f.Name):
		case f.NoOptDefVal != "" && f.NoOptDefVal == value:
			words = append(words, dashed)
		case f.NoOptDefVal != "":
			words = append(words, dashed+"="+quoted(value))
		default:
			words = append(words, dashed, quoted(value))
		}
		return nil
	})
	return strings.Join(words, " ")
}

// unquoted is a word that every shell takes as it is.
var unquoted = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// quoted writes a word for a shell.
func quoted(word string) string {
	if unquoted.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
