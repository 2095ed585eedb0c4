// Package jsonlines runs programs that answer lines on stdin with lines on stdout: workers of environments, MCP servers
// on stdio and rules of rewards. Nothing that a program starts outlives it or sparkd (package supervisor); what it
// writes to stderr is logged, and its last lines are kept for error messages.
package jsonlines
