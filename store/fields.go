package store

import (
	"time"

	"sparkd"
)

// The fields of nodes, and the only place that lists them: encoder, decoder and docs/store.md follow. A new field of a
// domain type is a new row at the end of its message. A row is never taken out or moved, and its kind never changes.

var nodeFields = message[sparkd.Node]{
	{"parent", integer(func(n *sparkd.Node) *int { return &n.Parent })},
	{"depth", integer(func(n *sparkd.Node) *int { return &n.Depth })},
	{"round", integer(func(n *sparkd.Node) *int { return &n.Round })},
	{"spans", list("Span", spanFields, func(n *sparkd.Node) *[]sparkd.Span { return &n.Spans })},
	{"action", text(func(n *sparkd.Node) *string { return &n.Action })},
	{"valid", flag(func(n *sparkd.Node) *bool { return &n.Valid })},
	{"admissible", flag(func(n *sparkd.Node) *bool { return &n.Admissible })},
	{"reward", float(func(n *sparkd.Node) *float64 { return &n.Reward })},
	{"done", flag(func(n *sparkd.Node) *bool { return &n.Done })},
	{"outcome", word(func(n *sparkd.Node) *sparkd.Outcome { return &n.Outcome })},
	{"error", optional("Error", errorFields, func(n *sparkd.Node) **sparkd.Error { return &n.Error })},
	{"obs_hash", text(func(n *sparkd.Node) *string { return &n.ObsHash })},
	{"finish", word(func(n *sparkd.Node) *sparkd.FinishReason { return &n.Finish })},
	{"signals", part("Signals", signalsFields, func(n *sparkd.Node) *sparkd.Signals { return &n.Signals })},
	{"decision", part("Decision", decisionFields, func(n *sparkd.Node) *sparkd.Decision { return &n.Decision })},
	{"policy_version", word(func(n *sparkd.Node) *string { return &n.PolicyVersion })},
	{"engine", word(func(n *sparkd.Node) *string { return &n.Engine })},
	{"prompt_tokens", integer(func(n *sparkd.Node) *int { return &n.PromptTokens })},
	{"cached_tokens", integer(func(n *sparkd.Node) *int { return &n.CachedTokens })},
	{"computed_tokens", integer(func(n *sparkd.Node) *int { return &n.ComputedTokens })},
	{"expected_tokens", integer(func(n *sparkd.Node) *int { return &n.ExpectedTokens })},
	{"replay_steps", integer(func(n *sparkd.Node) *int { return &n.ReplaySteps })},
	{"started", moment(func(n *sparkd.Node) *time.Time { return &n.Started })},
	{"sample_ns", integer(func(n *sparkd.Node) *time.Duration { return &n.SampleTime })},
	{"env_ns", integer(func(n *sparkd.Node) *time.Duration { return &n.EnvTime })},
}

var spanFields = message[sparkd.Span]{
	{"source", word(func(s *sparkd.Span) *sparkd.Source { return &s.Source })},
	{"tokens", tokens(func(s *sparkd.Span) *[]sparkd.Token { return &s.Tokens })},
	{"logprobs", floats(func(s *sparkd.Span) *[]float32 { return &s.Logprobs })},
	{"sampled_logprobs", floats(func(s *sparkd.Span) *[]float32 { return &s.SampledLogprobs })},
	{"entropies", floats(func(s *sparkd.Span) *[]float32 { return &s.Entropies })},
	{"text", text(func(s *sparkd.Span) *string { return &s.Text })},
	{"turns", list("Turn", turnFields, func(s *sparkd.Span) *[]sparkd.Turn { return &s.Turns })},
	{"token_exact", flag(func(s *sparkd.Span) *bool { return &s.TokenExact })},
}

var turnFields = message[sparkd.Turn]{
	{"role", word(func(t *sparkd.Turn) *string { return &t.Role })},
	{"from", integer(func(t *sparkd.Turn) *int { return &t.From })},
	{"to", integer(func(t *sparkd.Turn) *int { return &t.To })},
}

var errorFields = message[sparkd.Error]{
	{"code", word(func(e *sparkd.Error) *sparkd.Code { return &e.Code })},
	{"message", text(func(e *sparkd.Error) *string { return &e.Message })},
	{"field", text(func(e *sparkd.Error) *string { return &e.Field })},
	{"remedy", text(func(e *sparkd.Error) *string { return &e.Remedy })},
}

var signalsFields = message[sparkd.Signals]{
	{"tags", words(func(s *sparkd.Signals) *[]string { return &s.Tags })},
	{"mean_entropy", float(func(s *sparkd.Signals) *float64 { return &s.MeanEntropy })},
	{"max_entropy", float(func(s *sparkd.Signals) *float64 { return &s.MaxEntropy })},
	{"first_entropy", float(func(s *sparkd.Signals) *float64 { return &s.FirstEntropy })},
	{"logprob_sum", float(func(s *sparkd.Signals) *float64 { return &s.LogprobSum })},
	{"min_margin", float(func(s *sparkd.Signals) *float64 { return &s.MinMargin })},
	{"has_entropy", flag(func(s *sparkd.Signals) *bool { return &s.HasEntropy })},
}

var decisionFields = message[sparkd.Decision]{
	{"k", integer(func(d *sparkd.Decision) *int { return &d.K })},
	{"index", integer(func(d *sparkd.Decision) *int { return &d.Index })},
	{"reason", word(func(d *sparkd.Decision) *string { return &d.Reason })},
	{"score", float(func(d *sparkd.Decision) *float64 { return &d.Score })},
	{"of", integer(func(d *sparkd.Decision) *int { return &d.Of })},
	{"shared_tokens", integer(func(d *sparkd.Decision) *int { return &d.SharedTokens })},
}

// timestamp is a time as google.protobuf.Timestamp has it.
type timestamp struct {
	seconds int64
	nanos   int
}

var timestampFields = message[timestamp]{
	{"seconds", integer(func(t *timestamp) *int64 { return &t.seconds })},
	{"nanos", integer(func(t *timestamp) *int { return &t.nanos })},
}
