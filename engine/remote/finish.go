package remote

import (
	"fmt"
	"strings"

	"sparkd"
	"sparkd/internal/httpclient"
)

// Stopped reads why a server says that a continuation ended: by itself or at a stop string, or else at a limit. One
// that says nothing has ended by itself, unless the continuation is as long as it was allowed to be.
func Stopped(reason string, full bool) (bool, error) {
	switch strings.ToLower(reason) {
	case "stop", "eos", "eos_token", "word", "stop_sequence", "end_turn", "complete", "tool_calls", "tool_use",
		"function_call":
		return true, nil
	case "length", "limit", "max_tokens", "max_length", "model_length":
		return false, nil
	case "", "none":
		return !full, nil
	case "abort", "aborted", "cancelled", "canceled", "error", "timeout", "insufficient_system_resource":
		return false, Aborted(reason)
	}
	return false, sparkd.Errorf(sparkd.CodeEngine, "the server ended a continuation with %q", reason)
}

// Aborted is the failure of a continuation that the server gave up.
func Aborted(why string) error {
	return sparkd.Errorf(sparkd.CodeUnavailable, "the server aborted a continuation: %v",
		&httpclient.Retry{Err: fmt.Errorf("%s", why)})
}
