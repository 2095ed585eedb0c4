package embedded

import "sparkd"

// blockTokens is the number of KV cells in a block, the unit in which they are handed out.
const blockTokens = 16

// blockRef is the first n cells of a block, in order; n is 1 to blockTokens.
type blockRef struct{ block, n int32 }

// segment is what one sequence has the model compute in a forward.
type segment struct {
	path   []blockRef     // all tokens of the sequence, the new ones included
	tokens []sparkd.Token // the new tokens: the last len(tokens) positions of path
	output bool           // the logits after the last token are wanted
}

// summary is what one pass over the logits of a position tells. log Σ exp x is written logZ for the raw logits and
// logZT for those divided by the temperature (the same as logZ at temperature 0 and 1).
type summary struct {
	logZ, logZT  float64
	entropy      float64 // nats, raw distribution
	best, second float32 // the two highest logits
	bestID       sparkd.Token
	finite       bool // no logit is NaN or +Inf and at least one is finite
}

// backend is a model with its KV store. The loop's goroutine alone calls it, with two exceptions: the vocabulary
// (info, tokenize, detokenize, detokenizePiece, isEndOfGeneration) never changes and is read by anyone, and
// summarize and draw, which only read the logits given to them, are called by several goroutines at a time.
//
// A cell is written by exactly one forward between the moment its block is taken and the moment it is freed; until
// then it holds the key and value of one token at one position after one prefix.
type backend interface {
	blocks() int      // of the KV store
	maxBatch() int    // most new tokens per forward
	maxSegments() int // most segments per forward
	vocabulary() int
	contextLength() int
	info() sparkd.EngineInfo

	// forward computes keys and values of all new tokens. A segment attends to exactly
	// its path and never to another segment's new tokens.
	forward(segs []segment) error
	// logits returns those of the i-th segment that has output, valid and unchanged until the next forward.
	logits(i int) []float32
	summarize(logits []float32, temperature float32) summary
	// draw inverts the distribution function of softmax(logits / temperature) at u, which
	// is in [0, 1); s is the summary at that temperature, which is above 0.
	draw(logits []float32, temperature float32, s summary, u float64) sparkd.Token

	tokenize(text string, control bool) ([]sparkd.Token, error)
	detokenize(ids []sparkd.Token) string
	detokenizePiece(id sparkd.Token) []byte
	isEndOfGeneration(id sparkd.Token) bool
	close()
}
