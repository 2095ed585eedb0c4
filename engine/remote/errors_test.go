package remote

import (
	"testing"

	"sparkd"
	"sparkd/internal/httpclient"
)

// An overlong prompt is context_full in the words of any server, and nothing else is.
func TestContextFull(t *testing.T) {
	refusal := func(kind, message string) error {
		return contextFull(&sparkd.Error{Code: sparkd.CodeInvalid,
			Err: &httpclient.Status{Code: 400, Kind: kind, Message: message}})
	}
	for _, message := range []string{
		"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
		"request (1030 tokens) exceeds the available context size (1024 tokens), try increasing it",
		"The input (600 tokens) is longer than the model's context length (512 tokens).",
		"Input length (9000 tokens) exceeds the maximum allowed length (8192 tokens).",
		"The decoder prompt (length 600) is longer than the maximum model length of 512.",
		"prompt is too long: 210000 tokens > 200000 maximum",
		"Trying to keep the first 5000 tokens. Load the model with a larger context window",
	} {
		if err := refusal("", message); sparkd.CodeOf(err) != sparkd.CodeContext {
			t.Errorf("%s: %v", message, err)
		}
	}
	for _, message := range []string{"max_tokens must be at least 1, got 0", "rate limit exceeded",
		"the stop string is too long", "top_k exceeds the maximum"} {
		if err := refusal("", message); sparkd.CodeOf(err) != sparkd.CodeInvalid {
			t.Errorf("%s: %v", message, err)
		}
	}
	if sparkd.CodeOf(refusal("context_length_exceeded", "no")) != sparkd.CodeContext {
		t.Error("the code alone")
	}
}
