package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
  3    check found problems
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

// printError writes an error for people, or as JSON where --json was given. Faults
// that were joined are written one after the other.
func (c *cli) printError(err error) {
	var asked exit
	if errors.As(err, &asked) {
		err = asked.err
	}
	if err == nil || c.exitCode(err) == exitInterrupted || unread(err) {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			c.printError(e)
		}
		return
	}
	var e *sparkd.Error
	if !errors.As(err, &e) {
		e = sparkd.Invalid("", "", "%v", err)
	}
	e = c.loaded.Locate(e, func(key string) string { return flagOf(key) + ": " })
	if c.json {
		_ = writeJSON(c.stderr, e)
	} else {
		c.explain(e)
	}
}

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
	fmt.Fprintf(c.stderr, "sparkd: %s\n", text)
	if e.Code == sparkd.CodeInternal && e.Err != nil {
		fmt.Fprintf(c.stderr, "  cause: %s\n", clean(e.Err.Error()))
	}
	if e.Remedy != "" {
		fmt.Fprintf(c.stderr, "  remedy: %s\n", clean(e.Remedy))
	}
}
