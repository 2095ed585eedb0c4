package store

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

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

// decodeNodes1 reads a block whose first node has the id first. Every length is
// checked against the bytes that are left before anything is allocated for it.
func decodeNodes1(block []byte, first int) ([]*sparkd.Node, error) {
	d := decoder1{b: block, words: []string{""}}
	n := d.count(minNode1)
	array := make([]sparkd.Node, n)
	nodes := make([]*sparkd.Node, n)
	for i := range array {
		nodes[i] = &array[i]
		nodes[i].ID = first + i
		d.node(nodes[i])
		if d.err != nil {
			break
		}
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = errFormat
	}
	if d.err != nil {
		return nil, d.err
	}
	return nodes, nil
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
	if k := d.count(4); k > 0 {
		n.Spans = make([]sparkd.Span, k)
		for i := range n.Spans {
			d.span(&n.Spans[i])
		}
	}
	n.Action = d.string()
	n.Reward = d.float()
	n.Outcome = sparkd.Outcome(d.word())
	if f&nodeError != 0 {
		n.Error = &sparkd.Error{Code: sparkd.Code(d.word()), Message: d.string(), Field: d.string(), Remedy: d.string()}
	}
	n.ObsHash = d.string()
	n.Finish = sparkd.FinishReason(d.word())
	d.signals(&n.Signals)
	n.Signals.HasEntropy = f&nodeHasEntropy != 0
	n.Decision = sparkd.Decision{
		K: d.int(), Index: d.int(), Reason: d.word(), Score: d.float(), Of: d.int(), SharedTokens: d.int(),
	}
	n.PolicyVersion, n.Engine = d.word(), d.word()
	n.PromptTokens, n.CachedTokens, n.ComputedTokens = d.int(), d.int(), d.int()
	n.ExpectedTokens, n.ReplaySteps = d.int(), d.int()
	n.Started = d.time()
	n.SampleTime, n.EnvTime = time.Duration(d.int()), time.Duration(d.int())
}

func (d *decoder1) signals(s *sparkd.Signals) {
	if n := d.count(1); n > 0 {
		s.Tags = make([]string, n)
		for i := range s.Tags {
			s.Tags[i] = d.word()
		}
	}
	s.MeanEntropy, s.MaxEntropy, s.FirstEntropy = d.float(), d.float(), d.float()
	s.LogprobSum, s.MinMargin = d.float(), d.float()
}

func (d *decoder1) span(s *sparkd.Span) {
	source := int(d.byte())
	if source >= len(sources) {
		d.fail(errFormat)
		return
	}
	s.Source = sources[source]
	f := d.flags(spanFlags)
	s.TokenExact = f&spanTokenExact != 0
	n := d.count(4)
	if f&spanTokens != 0 {
		raw := d.bytes(4 * n)
		s.Tokens = make([]sparkd.Token, len(raw)/4)
		for i := range s.Tokens {
			s.Tokens[i] = sparkd.Token(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	} else if n > 0 {
		d.fail(errFormat)
	}
	if f&spanLogprobs != 0 {
		s.Logprobs = d.floats(n)
	}
	if f&spanSampled != 0 {
		s.SampledLogprobs = d.floats(n)
	}
	if f&spanEntropies != 0 {
		s.Entropies = d.floats(n)
	}
	s.Text = d.string()
	if f&spanTurns == 0 {
		return
	}
	s.Turns = make([]sparkd.Turn, d.count(3))
	for i := range s.Turns {
		s.Turns[i] = sparkd.Turn{Role: d.word(), From: d.int(), To: d.int()}
	}
}

func (d *decoder1) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

// bytes takes n bytes, or none.
func (d *decoder1) bytes(n int) []byte {
	if n > len(d.b) {
		d.fail(errShort)
		return nil
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

func (d *decoder1) varint() int64 {
	x, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder1) int() int { return int(d.varint()) }

func (d *decoder1) byte() byte {
	b := d.bytes(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (d *decoder1) flags(known byte) byte {
	f := d.byte()
	if f&^known != 0 {
		d.fail(errFormat)
	}
	return f
}

func (d *decoder1) float() float64 {
	b := d.bytes(8)
	if len(b) < 8 {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (d *decoder1) floats(n int) []float32 {
	raw := d.bytes(4 * n)
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out
}

func (d *decoder1) string() string { return string(d.bytes(d.count(1))) }

func (d *decoder1) word() string {
	i := d.uint()
	switch {
	case i < uint64(len(d.words)):
		return d.words[i]
	case i > uint64(len(d.words)):
		d.fail(errFormat)
		return ""
	}
	s := d.string()
	d.words = append(d.words, s)
	return s
}

func (d *decoder1) time() time.Time {
	sec, nsec := d.varint(), d.uint()
	if nsec >= uint64(time.Second) {
		d.fail(errFormat)
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}
