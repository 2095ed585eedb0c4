package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"sparkd"
)

// Record version 1 is what stores of format 1 hold: the nodes of a block as positional
// values, their number in front. It is read and never written, and nothing here changes.
//
// Whole numbers are varints, strings have their length in front, tokens and the per-token
// numbers are little-endian 4-byte values. A word that repeats from node to node (engine,
// policy version, reason …) is written once per block and referred to by its index.

// A span's flags say which slices it has, so that nil and empty stay apart.
const (
	spanTokens byte = 1 << iota
	spanLogprobs
	spanSampled
	spanEntropies
	spanTokenExact
	spanTurns
	spanFlags = 1<<iota - 1
)

const (
	nodeValid byte = 1 << iota
	nodeAdmissible
	nodeDone
	nodeHasEntropy
	nodeError
	nodeFlags = 1<<iota - 1
)

// sources are the span sources by their stored number.
var sources = [...]sparkd.Source{sparkd.SourcePrompt, sparkd.SourceModel, sparkd.SourceEnv}

var (
	errShort  = errors.New("it ends too early")
	errFormat = errors.New("it holds a value that is not allowed")
)

// minNode1 is the size of the smallest node, an upper bound for the number of nodes
// that a block of a given size can hold.
const minNode1 = 75

// decodeNodes1 reads a block whose first node has the id first. Every length is checked against the bytes that are
// left before anything is allocated for it.
func decodeNodes1(block []byte, first int) ([]*sparkd.Node, error) {
	d := &decoder1{b: block, words: []string{""}}
	array := many(d, minNode1, d.node)
	if len(d.b) > 0 {
		d.fail(errFormat)
	}
	if d.err != nil {
		return nil, d.err
	}
	return numbered(array, first), nil
}

// decoder1 reads from the front of b. After an error every read returns zero.
type decoder1 struct {
	b     []byte
	words []string
	err   error
}

func (d *decoder1) node(n *sparkd.Node) {
	f := d.flags(nodeFlags)
	n.Valid, n.Admissible, n.Done = f&nodeValid != 0, f&nodeAdmissible != 0, f&nodeDone != 0
	n.Parent, n.Depth, n.Round = d.int(), d.int(), d.int()
	n.Spans = many(d, 4, d.span)
	n.Action = d.string()
	n.Reward = d.float()
	n.Outcome = sparkd.Outcome(d.word())
	if f&nodeError != 0 {
		n.Error = &sparkd.Error{Code: sparkd.Code(d.word()), Message: d.string(), Field: d.string(), Remedy: d.string()}
	}
	n.ObsHash = d.string()
	n.Finish = sparkd.FinishReason(d.word())
	n.Signals = sparkd.Signals{
		Tags:        many(d, 1, func(tag *string) { *tag = d.word() }),
		MeanEntropy: d.float(), MaxEntropy: d.float(), FirstEntropy: d.float(),
		LogprobSum: d.float(), MinMargin: d.float(), HasEntropy: f&nodeHasEntropy != 0,
	}
	n.Decision = sparkd.Decision{
		K: d.int(), Index: d.int(), Reason: d.word(), Score: d.float(), Of: d.int(), SharedTokens: d.int(),
	}
	n.PolicyVersion, n.Engine = d.word(), d.word()
	n.PromptTokens, n.CachedTokens, n.ComputedTokens = d.int(), d.int(), d.int()
	n.ExpectedTokens, n.ReplaySteps = d.int(), d.int()
	n.Started = d.time()
	n.SampleTime, n.EnvTime = time.Duration(d.int()), time.Duration(d.int())
}

func (d *decoder1) span(s *sparkd.Span) {
	source, f, n := int(d.byte()), d.flags(spanFlags), d.count(4)
	if source >= len(sources) || f&spanTokens == 0 && n > 0 {
		d.fail(errFormat)
		return
	}
	s.Source, s.TokenExact = sources[source], f&spanTokenExact != 0
	s.Tokens = perToken(d, f&spanTokens, n, getTokens)
	s.Logprobs = perToken(d, f&spanLogprobs, n, getFloats)
	s.SampledLogprobs = perToken(d, f&spanSampled, n, getFloats)
	s.Entropies = perToken(d, f&spanEntropies, n, getFloats)
	s.Text = d.string()
	if f&spanTurns != 0 {
		s.Turns = many(d, 3, func(t *sparkd.Turn) { *t = sparkd.Turn{Role: d.word(), From: d.int(), To: d.int()} })
	}
}

// many reads a count, then so many values of at least size bytes each.
func many[E any](d *decoder1, size int, read func(*E)) []E {
	n := d.count(size)
	if n == 0 {
		return nil
	}
	s := make([]E, n)
	for i := range s {
		read(&s[i])
	}
	return s
}

// perToken reads n values of four bytes where the span has them.
func perToken[E any](d *decoder1, has byte, n int, get func([]E, []byte)) []E {
	if has == 0 {
		return nil
	}
	b := d.bytes(4 * n)
	s := make([]E, len(b)/4)
	get(s, b)
	return s
}

func (d *decoder1) fail(err error) {
	d.err = cmp.Or(d.err, err)
	d.b = nil
}

// bytes takes n bytes; where they are not there, up to eight zeros.
func (d *decoder1) bytes(n int) []byte {
	if n > len(d.b) {
		d.fail(errShort)
		return make([]byte, min(n, 8))
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

// count reads the number of things that follow, of at least size bytes each.
func (d *decoder1) count(size int) int {
	x := d.uint()
	if x > uint64(len(d.b)/size) {
		d.fail(errShort)
		return 0
	}
	return int(x)
}

func (d *decoder1) uint() uint64 {
	x, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder1) int() int   { return int(protowire.DecodeZigZag(d.uint())) }
func (d *decoder1) byte() byte { return d.bytes(1)[0] }
func (d *decoder1) float() float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(d.bytes(8)))
}
func (d *decoder1) string() string { return string(d.bytes(d.count(1))) }

func (d *decoder1) flags(known byte) byte {
	f := d.byte()
	if f&^known != 0 {
		d.fail(errFormat)
	}
	return f
}

// word reads the index of a word, and the word itself behind an index that is new.
func (d *decoder1) word() string {
	i := d.uint()
	if i > uint64(len(d.words)) {
		d.fail(errFormat)
		return ""
	}
	if i == uint64(len(d.words)) {
		d.words = append(d.words, d.string())
	}
	return d.words[i]
}

func (d *decoder1) time() time.Time {
	sec, nsec := protowire.DecodeZigZag(d.uint()), d.uint()
	if nsec >= uint64(time.Second) {
		d.fail(errFormat)
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}
