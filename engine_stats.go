package sparkd

import "math/bits"

// StatsReporter is an Engine that keeps totals of its own. They count what was computed
// for rounds that were never committed, too.
type StatsReporter interface {
	Engine
	// Stats does not block.
	Stats() EngineStats
}

// EngineStats are an engine's totals since it was opened, and its state now.
type EngineStats struct {
	Requests        uint64 // Sample calls that were admitted
	Failed          uint64 // of them, ended with an error
	PromptTokens    uint64 // as SampleResult counts them
	ComputedTokens  uint64
	CachedTokens    uint64
	GeneratedTokens uint64
	Forks           uint64
	Evictions       uint64 // prefixes dropped from the cache to make room
	EvictedTokens   uint64 // tokens of them
	Forwards        uint64
	Reloads         uint64 // exchanges of weights

	DecodeBatch  Histogram // decoded tokens of a forward, where there were any
	PrefillBatch Histogram // prompt tokens of a forward, where there were any

	BlocksTotal  int // of EngineInfo.BlockTokens cells
	BlocksFree   int
	BlocksHeld   int // used by live requests; the rest only keeps prefixes for later
	PrefixTokens int // kept in the prefix cache
	Waiting      int // requests not yet started
	Running      int
	LiveLeaves   int // continuations that decode now
}

// Histogram counts in buckets whose upper bounds are powers of two: Counts[i] is the number of observations in
// (2^(i-1), 2^i], with 1 in Counts[0]. The last bucket has no upper bound.
type Histogram struct {
	Counts [11]uint64
	Sum    uint64
}

// Observe counts n unless it is 0.
func (h *Histogram) Observe(n int) {
	if n > 0 {
		h.Counts[min(bits.Len(uint(n-1)), len(h.Counts)-1)]++
		h.Sum += uint64(n)
	}
}
