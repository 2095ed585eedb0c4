// Package jsonlines runs programs that answer lines on stdin with lines on stdout: workers of environments and
// rules of rewards. A program has a process group of its own, dies with sparkd, and is ended with all that it
// started; what it writes to stderr is logged, and its last lines are kept for error messages.
package jsonlines
