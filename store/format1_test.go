package store

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"sparkd"
	"sparkd/store/storetest"
)

// encodeNodes1 returns the block of nodes, whose spans are valid, as sparkd wrote it before
// stores had format 2.
func encodeNodes1(nodes []*sparkd.Node) []byte {
	e := encoder1{words: map[string]uint64{"": 0}}
	e.uint(uint64(len(nodes)))
	for _, n := range nodes {
		e.node(n)
	}
	return e.b
}

type encoder1 struct {
	b     []byte
	words map[string]uint64
}

func (e *encoder1) node(n *sparkd.Node) {
	e.b = append(e.b, flags(n.Valid, nodeValid)|flags(n.Admissible, nodeAdmissible)|flags(n.Done, nodeDone)|
		flags(n.Signals.HasEntropy, nodeHasEntropy)|flags(n.Error != nil, nodeError))
	e.int(n.Parent)
	e.int(n.Depth)
	e.int(n.Round)
	e.uint(uint64(len(n.Spans)))
	for i := range n.Spans {
		e.span(&n.Spans[i])
	}
	e.string(n.Action)
	e.float(n.Reward)
	e.word(string(n.Outcome))
	if n.Error != nil {
		e.word(string(n.Error.Code))
		e.string(n.Error.Message)
		e.string(n.Error.Field)
		e.string(n.Error.Remedy)
	}
	e.string(n.ObsHash)
	e.word(string(n.Finish))
	e.signals(&n.Signals)
	e.int(n.Decision.K)
	e.int(n.Decision.Index)
	e.word(n.Decision.Reason)
	e.float(n.Decision.Score)
	e.int(n.Decision.Of)
	e.int(n.Decision.SharedTokens)
	e.word(n.PolicyVersion)
	e.word(n.Engine)
	for _, x := range [...]int{n.PromptTokens, n.CachedTokens, n.ComputedTokens, n.ExpectedTokens, n.ReplaySteps} {
		e.int(x)
	}
	e.time(n.Started)
	e.int(int(n.SampleTime))
	e.int(int(n.EnvTime))
}

func (e *encoder1) signals(s *sparkd.Signals) {
	e.uint(uint64(len(s.Tags)))
	for _, t := range s.Tags {
		e.word(t)
	}
	for _, x := range [...]float64{s.MeanEntropy, s.MaxEntropy, s.FirstEntropy, s.LogprobSum, s.MinMargin} {
		e.float(x)
	}
}

func (e *encoder1) span(s *sparkd.Span) {
	source := byte(0)
	for i, name := range sources {
		if s.Source == name {
			source = byte(i)
		}
	}
	has := flags(s.Tokens != nil, spanTokens) | flags(s.Logprobs != nil, spanLogprobs) |
		flags(s.SampledLogprobs != nil, spanSampled) | flags(s.Entropies != nil, spanEntropies) |
		flags(s.TokenExact, spanTokenExact) | flags(len(s.Turns) > 0, spanTurns)
	e.b = append(e.b, source, has)
	e.uint(uint64(len(s.Tokens)))
	raw := e.room(4 * len(s.Tokens))
	for i, t := range s.Tokens {
		binary.LittleEndian.PutUint32(raw[4*i:], uint32(t))
	}
	for _, values := range [...][]float32{s.Logprobs, s.SampledLogprobs, s.Entropies} {
		raw := e.room(4 * len(values))
		for i, v := range values {
			binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(v))
		}
	}
	e.string(s.Text)
	if len(s.Turns) == 0 {
		return
	}
	e.uint(uint64(len(s.Turns)))
	for _, t := range s.Turns {
		e.word(t.Role)
		e.int(t.From)
		e.int(t.To)
	}
}

func flags(on bool, flag byte) byte {
	if on {
		return flag
	}
	return 0
}

// room appends n bytes for the caller to fill.
func (e *encoder1) room(n int) []byte {
	e.b = slices.Grow(e.b, n)[:len(e.b)+n]
	return e.b[len(e.b)-n:]
}

func (e *encoder1) uint(x uint64) { e.b = binary.AppendUvarint(e.b, x) }
func (e *encoder1) int(x int)     { e.b = binary.AppendVarint(e.b, int64(x)) }

func (e *encoder1) float(x float64) {
	e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(x))
}

func (e *encoder1) string(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// word writes the index of s, and s itself after an index not used before.
func (e *encoder1) word(s string) {
	i, known := e.words[s]
	if !known {
		i = uint64(len(e.words))
		e.words[s] = i
	}
	e.uint(i)
	if !known {
		e.string(s)
	}
}

// time drops the zone: times are read back in UTC.
func (e *encoder1) time(t time.Time) {
	e.b = binary.AppendVarint(e.b, t.Unix())
	e.uint(uint64(t.Nanosecond()))
}

// TestFormat1Codec: what version 1 wrote is read as version 2 reads what it writes.
func TestFormat1Codec(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := seeded(seed)
	for range 200 {
		nodes := randomNodes(rng)
		old, err := decodeNodes(1, encodeNodes1(nodes), nodes[0].ID)
		if err != nil || !reflect.DeepEqual(old, nodes) {
			t.Fatalf("version 1: %v\n got %+v\nwant %+v", err, old, nodes)
		}
		now, err := decodeNodes(frameVersion, encodeNodes(nodes), nodes[0].ID)
		if err != nil || !reflect.DeepEqual(now, nodes) {
			t.Fatalf("version %d: %v\n got %+v\nwant %+v", frameVersion, err, now, nodes)
		}
	}
}

// TestMinNode1 keeps the bound that limits what a damaged count can allocate.
func TestMinNode1(t *testing.T) {
	one, two := len(encodeNodes1([]*sparkd.Node{{}})), len(encodeNodes1([]*sparkd.Node{{}, {}}))
	if got := two - one; got < minNode1 {
		t.Errorf("the smallest node has %d bytes, minNode1 is %d", got, minNode1)
	}
	smallest := &sparkd.Node{Started: time.Unix(0, 0)}
	if _, err := decodeNodes(1, encodeNodes1([]*sparkd.Node{smallest, smallest, smallest}), 0); err != nil {
		t.Errorf("the smallest nodes: %v", err)
	}
}

// TestFormat1Grows: a store of format 1 is sound, its trees take rounds of version 2 behind
// those of version 1, and with the first opening for writing it has this format.
func TestFormat1Grows(t *testing.T) {
	dir := storetest.Format1(t).Data
	s := open(t, dir, testOptions())
	if v, err := readFormat(dir); v != formatVersion || err != nil {
		t.Errorf("the store has format %d, %v", v, err)
	}
	before := checkClean(t, s)
	if before.Rollouts != 8 || before.Trees != 14 || before.Finished != 11 {
		t.Errorf("%+v", before)
	}
	growing, err := s.Rollout(t.Context(), storetest.Growing)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.Tree(t.Context(), growing.Trees[0])
	if err != nil {
		t.Fatal(err)
	}
	nodes := len(tree.Nodes)
	for range 2 {
		first := addRound(tree, seeded(3), 3, 20)
		if err := s.PutRound(t.Context(), tree, first); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, s)
	sameTree(t, s, tree)
	checkClean(t, s)
	versions := map[byte]int{}
	for _, r := range records(t, s) {
		if kind, id, rest, _ := splitKey(r.key); kind == kindNodes && id == tree.ID {
			if newer := int(binary.BigEndian.Uint32(rest)) >= nodes; newer != (r.value[0] == frameVersion) {
				t.Errorf("%s has version %d", describeKey(r.key), r.value[0])
			}
			versions[r.value[0]]++
		}
	}
	if versions[1] < 4 || versions[frameVersion] != 2 {
		t.Errorf("records by version: %v", versions)
	}
}
