package sparkd

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Engine samples tokens from a language model. Implementations are safe for concurrent use.
type Engine interface {
	// Describe says what the engine is and what it can do. It does not block.
	Describe() EngineInfo
	// Tokenize returns the ids of text, with no BOS or EOS added. Control tokens spelled out in text become their ids
	// only where control is true; text that an environment or a user wrote is always tokenised with control false.
	Tokenize(ctx context.Context, text string, control bool) ([]Token, error)
	// Detokenize returns the text of ids; control tokens are spelled out.
	Detokenize(ctx context.Context, ids []Token) (string, error)
	// Sample draws K continuations of one prefix. The prefix is computed at most once, and only the part that is not
	// cached. It returns exactly K samples or an error of code engine, capacity, context_full, canceled or deadline.
	Sample(ctx context.Context, r SampleRequest) (SampleResult, error)
	// Close frees everything; requests under way end with an error.
	Close() error
}

// EngineInfo describes an engine and the model it serves. What an engine cannot do
// is flagged here and on the spans it makes, never faked.
type EngineInfo struct {
	Name          string `json:"name"`           // "embedded", a replica's URL …
	Model         string `json:"model"`          // general.name of the GGUF, or its file name
	Architecture  string `json:"architecture"`   // "llama", "qwen2" …
	WeightType    string `json:"weight_type"`    // "Q4_1", "F32" …
	PolicyVersion string `json:"policy_version"` // identifies the weights
	Vocabulary    int    `json:"vocabulary"`     // number of token ids
	ContextLength int    `json:"context_length"` // most tokens of one trajectory
	ChatTemplate  string `json:"-"`              // Jinja source; "" when the model has none
	BOS           Token  `json:"bos"`            // -1 when the model has none
	EOS           Token  `json:"eos"`            // end of text
	EOT           Token  `json:"eot"`            // end of turn; EOS when there is no other
	AddBOS        bool   `json:"add_bos"`        // the model expects BOS in front of the text
	TokenizerHash string `json:"tokenizer_hash"` // of how it tokenises a fixed text; equal for replicas of one model

	// Warnings say what is doubtful: a pre-tokenizer that is not known, an EOS that is no token, another name of the
	// model in a server's answers …
	Warnings []string `json:"warnings,omitempty"`

	Capabilities Capabilities `json:"capabilities"`

	// Facts that only some engines have, zero elsewhere. JSON shows them among Settings.
	Dialect       string `json:"-"` // of a server: "vllm", "sglang", "llamacpp", "ollama", "generic"
	ServerVersion string `json:"-"` // as the server says
	Cells         int    `json:"-"` // KV cells that all requests share; a token takes one
	BlockTokens   int    `json:"-"` // a prefix is cached in whole blocks of so many tokens
	Threads       int    `json:"-"` // that compute

	Settings map[string]any `json:"settings,omitempty"` // for people: build flags, layers …; no code reads it
}

// Details returns Settings together with the facts that have fields.
func (i *EngineInfo) Details() map[string]any {
	all := map[string]any{"dialect": i.Dialect, "server_version": i.ServerVersion,
		"cells": i.Cells, "block": i.BlockTokens, "threads": i.Threads}
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == "" || value == 0 })
	maps.Copy(all, i.Settings)
	return all
}

// MarshalJSON implements json.Marshaler: settings are the Details.
func (i EngineInfo) MarshalJSON() ([]byte, error) {
	type plain EngineInfo
	i.Settings = i.Details()
	return json.Marshal(plain(i))
}

// Capabilities says what an engine can do.
type Capabilities struct {
	TokenExact    bool        `json:"token_exact"` // takes prompt ids and returns sampled ids
	Logprobs      LogprobKind `json:"logprobs"`
	Entropy       EntropyKind `json:"entropy"`
	NativeK       bool        `json:"native_k"`      // k samples of one prefix in one request
	TopK          int         `json:"top_k"`         // most alternatives per token that it reports
	CachedCounts  bool        `json:"cached_counts"` // reports how much of a prefix it reused
	Abort         bool        `json:"abort"`         // a request that is given up stops costing the server anything
	Reload        bool        `json:"reload"`        // exchanges weights while it runs
	Deterministic string      `json:"deterministic"` // when a seed repeats its tokens, in words
}

// LogprobKind says of which distribution an engine reports the logprobs of sampled tokens.
type LogprobKind string

const (
	LogprobsNone    LogprobKind = "none"
	LogprobsRaw     LogprobKind = "raw"     // the model's own, before temperature and filters
	LogprobsSampled LogprobKind = "sampled" // the one that was drawn from
	LogprobsBoth    LogprobKind = "both"
)

// Known reports whether k is one of the constants.
func (k LogprobKind) Known() bool { return k == LogprobsNone || k.Has() }

// Has reports whether there are any logprobs.
func (k LogprobKind) Has() bool { return k == LogprobsRaw || k == LogprobsSampled || k == LogprobsBoth }

// EntropyKind says what an engine's entropies are computed from.
type EntropyKind string

const (
	EntropyNone EntropyKind = "none"
	EntropyFull EntropyKind = "full"  // the whole distribution
	EntropyTopK EntropyKind = "top_k" // the most likely tokens: a lower bound
)

// Known reports whether k is one of the constants.
func (k EntropyKind) Known() bool { return k == EntropyNone || k.Has() }

// Has reports whether there are any entropies.
func (k EntropyKind) Has() bool { return k == EntropyFull || k == EntropyTopK }

// SampleRequest asks for K continuations of Prefix.
type SampleRequest struct {
	Prefix   []Token
	K        int
	Sampling Sampling
	// Seeds has K entries; continuation i draws from Seeds[i] alone, so that it does not depend on what else runs.
	Seeds []uint64
	// Tree is the id of the tree that asks; engines share their time fairly among
	// trees and may place a tree's requests together.
	Tree string
}

// Validate refuses what no engine can answer. Its errors have the code invalid or, where the prefix leaves no room
// for a token, context_full. A context length or vocabulary of 0 is one that is not known.
func (r *SampleRequest) Validate(about *EngineInfo) error {
	if err := r.Sampling.Validate("sampling"); err != nil {
		return err
	}
	switch n, most := len(r.Prefix), about.ContextLength; {
	case n == 0:
		return Invalid("prefix", "give at least one token, for example BOS", "nothing to continue")
	case r.K < 1 || r.K > MaxLeaves:
		return Invalid("k", fmt.Sprintf("use 1 to %d", MaxLeaves), "%d continuations", r.K)
	case len(r.Seeds) != r.K:
		return Invalid("seeds", "give one seed per continuation", "%d seeds for %d continuations", len(r.Seeds), r.K)
	case most > 0 && n >= most:
		return ContextFull(fmt.Sprintf("the prefix has %d tokens and the model's context %d", n, most), nil)
	}
	unknown := func(id Token) bool { return id < 0 || about.Vocabulary > 0 && int(id) >= about.Vocabulary }
	if i := slices.IndexFunc(r.Prefix, unknown); i >= 0 {
		return NotAToken(i, r.Prefix[i])
	}
	return nil
}

// NotAToken refuses the i-th id of a prefix.
func NotAToken(i int, id Token) *Error {
	return Invalid(fmt.Sprintf("prefix[%d]", i), "take ids of the engine's own tokenizer",
		"%d is no token of the model", id)
}

// ContextFull is the error of a prefix that does not fit into the model's context; cause may be nil.
func ContextFull(message string, cause error) *Error {
	return &Error{Code: CodeContext, Field: "prefix", Message: message, Err: cause,
		Remedy: "take fewer or shorter steps, or serve the model with a longer context"}
}

// SampleResult is the answer to a SampleRequest: K samples and what the prefix cost.
type SampleResult struct {
	Samples []Sample
	// PromptTokens is len(Prefix); CachedTokens of them were reused and ComputedTokens were run through the model as
	// prompt: computed + cached = prompt, except where an engine computes the prefix for each continuation apart.
	PromptTokens   int
	CachedTokens   int
	ComputedTokens int
	// ExpectedTokens is how much of the prefix was thought to be cached where it was sent;
	// an engine that knows its cache expects what it finds.
	ExpectedTokens int
	Forks          int // continuations that shared the prefix beyond the first
	Engine         string
	PolicyVersion  string
}

// FinishReason says why a sample ended.
type FinishReason string

const (
	FinishStop   FinishReason = "stop"   // a stop token or a stop string
	FinishLength FinishReason = "length" // MaxTokens reached
	FinishFull   FinishReason = "full"   // the model's context length reached
)

// Sample is one continuation. Tokens holds every sampled id, the stop token included. Text is their text up to and
// including a matched stop string, without the stop token.
type Sample struct {
	Tokens          []Token
	Logprobs        []float32 // raw distribution, natural logarithm
	SampledLogprobs []float32 // the distribution drawn from; nil when equal to Logprobs
	Entropies       []float32 // nats, full raw distribution
	Margins         []float32 // raw logprob of the best minus the second-best token
	Text            string
	Finish          FinishReason
}
