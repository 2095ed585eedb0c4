package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"sparkd"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitProblems    = 3
	exitInterrupted = 130
)

const exitCodes = `Exit codes:
  0    done
  1    failed
  2    wrong command line or configuration
  3    check and env check found problems, template shows a stand-in
  130  interrupted
`

// exit is an error with the exit code it asks for; a nil err prints nothing.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// usage is an error in the command line.
func usage(format string, args ...any) error { return sparkd.Invalid("", "", format, args...) }

// exitCode returns the exit code of a command that ended with err. What is wrong in flags, variables and files, or
// in what they name, has the code invalid; a model that cannot be used is named there too.
func (c *cli) exitCode(err error) int {
	var asked exit
	code := sparkd.CodeOf(err)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &asked):
		return asked.code
	case code == sparkd.CodeCanceled && c.ctx.Err() != nil:
		return exitInterrupted
	case code == sparkd.CodeInvalid, code == sparkd.CodeModel:
		return exitUsage
	}
	return exitFailure
}

// printError writes an error for people, joined faults one after the other, or as one JSON object where --json was
// given.
func (c *cli) printError(err error) {
	var asked exit
	if errors.As(err, &asked) {
		err = asked.err
	}
	if err == nil || unread(err) {
		return
	}
	faults := c.faults(err)
	if c.json {
		all := faults
		if len(all) == 1 {
			all = nil
		}
		_ = writeJSON(c.stderr, struct {
			*sparkd.Error
			All []*sparkd.Error `json:"errors,omitempty"`
		}{faults[0], all})
		return
	}
	for _, e := range faults {
		c.explain(e)
	}
}

// faults lists what was joined in an error, in the words of the command line.
func (c *cli) faults(err error) (all []*sparkd.Error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, c.faults(e)...)
		}
		return all
	}
	var e *sparkd.Error
	switch {
	case c.exitCode(err) == exitInterrupted:
		e = sparkd.Errorf(sparkd.CodeCanceled, "interrupted; nothing has changed")
	case !errors.As(err, &e):
		e = sparkd.Errorf(sparkd.CodeOf(err), "%v", err)
	}
	e = c.loaded.Locate(e, func(key string) string { return flagOf(key) + ": " })
	said := *e
	said.Message, said.Remedy = words.Replace(e.Message), words.Replace(e.Remedy)
	return []*sparkd.Error{&said}
}

// words are those of HTTP in errors, and what a user of commands calls them.
var words = strings.NewReplacer(
	"GET /v1/rollouts lists", "sparkd rollouts lists",
	"GET /openapi.json lists the routes", "check the path in the address; another version of sparkd may be there",
	"POST /v1/sessions with it", "a program of yours asks for it: docs/api.md, Sessions",
	"send a JSON object", "write a JSON object", "send JSON in UTF-8", "write JSON in UTF-8",
	"the body is", "the request is", "the body:", "the request:",
	"unknown query parameter", "the daemon does not know this option", "query parameter", "option",
)

// unread reports whether a command failed because nobody reads its output any more.
func unread(err error) bool {
	var e *fs.PathError
	return errors.As(err, &e) && e.Path == os.Stdout.Name() && errors.Is(e, syscall.EPIPE)
}

// explain writes what is wrong, where, and what to do.
func (c *cli) explain(e *sparkd.Error) {
	text := clean(e.Message)
	if e.Field != "" {
		text = clean(e.Field) + ": " + text
	}
	c.note("sparkd: %s", text)
	if e.Code == sparkd.CodeInternal && e.Err != nil && e.Err.Error() != e.Message {
		c.note("  cause: %s", clean(e.Err.Error()))
	}
	if e.Remedy != "" {
		c.note("  remedy: %s", clean(e.Remedy))
	}
}
