package store

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"sparkd"
)

// TestCodec: nodes come back as they were, nil and empty slices apart, times in UTC.
func TestCodec(t *testing.T) {
	tree := testTree("t", "r")
	rng := seeded(9)
	for range 6 {
		addRound(tree, rng, 5, 30)
	}
	tree.Nodes[1].Spans = nil
	tree.Nodes[2].Spans[0] = sparkd.Span{Source: sparkd.SourceModel, Tokens: []sparkd.Token{}, Logprobs: []float32{}}
	tree.Nodes[3].Spans[0].SampledLogprobs = randomFloats(rng, 30)
	tree.Nodes[4].Started = time.Time{}
	tree.Nodes[5].Spans[0].Tokens[0] = -1
	for i := range 2 * knownWords {
		tag := fmt.Sprint("tag ", i)
		tree.Nodes[6].Signals.Tags = append(tree.Nodes[6].Signals.Tags, tag)
		tree.Nodes[7].Signals.Tags = append(tree.Nodes[7].Signals.Tags, tag)
	}
	for first := range tree.Nodes {
		got, err := decodeNodes(frameVersion, encodeNodes(tree.Nodes[first:]), first)
		if err != nil || !reflect.DeepEqual(got, tree.Nodes[first:]) {
			t.Fatalf("from %d: %v\n got %+v\nwant %+v", first, err, got, tree.Nodes[first:])
		}
	}
}

// TestCodecCovers fails when a field is added to the domain and not to the codec: it
// sets every field of a node and of what hangs on it, by reflection.
func TestCodecCovers(t *testing.T) {
	n := new(sparkd.Node)
	set(t, reflect.ValueOf(n).Elem(), "Node")
	n.ID = 3
	n.Spans[0].Source = sparkd.SourceModel
	n.Error.Err = nil // a cause is not stored
	got, err := decodeNodes(frameVersion, encodeNodes([]*sparkd.Node{n}), 3)
	if err != nil || !reflect.DeepEqual(got[0], n) {
		t.Fatalf("%v\n got %+v\nwant %+v", err, got, n)
	}
}

func set(t *testing.T, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(epoch))
			return
		}
		for i := range v.NumField() {
			set(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		set(t, v.Index(0), path)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		set(t, v.Elem(), path)
	case reflect.String:
		v.SetString(path)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(len(path)))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Interface:
	default:
		t.Fatalf("%s: kind %s is new", path, v.Kind())
	}
}

// TestDecodeTruncated: no prefix of a block decodes, and none panics.
func TestDecodeTruncated(t *testing.T) {
	tree := testTree("t", "r")
	addRound(tree, seeded(1), 1, 3)
	addRound(tree, seeded(2), 3, 3)
	block := encodeNodes(tree.Nodes)
	for n := range block {
		if nodes, err := decodeNodes(frameVersion, block[:n], 0); err == nil {
			t.Fatalf("%d of %d bytes decode to %d nodes", n, len(block), len(nodes))
		}
	}
	if _, err := decodeNodes(frameVersion, append(block, 0), 0); err == nil {
		t.Fatal("a byte too many is not noticed")
	}
}

// TestMinNode keeps the bound that limits what a damaged count can allocate.
func TestMinNode(t *testing.T) {
	one, two := len(encodeNodes([]*sparkd.Node{{}})), len(encodeNodes([]*sparkd.Node{{}, {}}))
	if got := two - one; got < minNode {
		t.Errorf("the smallest node has %d bytes, minNode is %d", got, minNode)
	}
	if _, err := decodeNodes(frameVersion, encodeNodes([]*sparkd.Node{{}, {}, {}}), 0); err != nil {
		t.Errorf("the smallest nodes: %v", err)
	}
}

// randomNodes returns a round of any content that PutRound takes.
func randomNodes(rng *rand.Rand) []*sparkd.Node {
	nodes := make([]*sparkd.Node, 1+rng.IntN(5))
	first := rng.IntN(1000)
	for i := range nodes {
		n := new(sparkd.Node)
		randomize(rng, reflect.ValueOf(n).Elem())
		n.ID = first + i
		nodes[i] = n
	}
	return nodes
}

// randomize sets what v holds to random values, a third of them zero. Slices of numbers are
// nil or empty now and then; others are never empty, since no codec tells them from nil.
func randomize(rng *rand.Rand, v reflect.Value) {
	if _, span := v.Interface().(sparkd.Span); !span && rng.IntN(3) == 0 {
		return
	}
	word := []string{"", "linear", "tag:explore", "\x00ü", "embedded"}[rng.IntN(5)]
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(rng.Int64N(1<<35)-1<<34, rng.Int64N(1e9)).UTC()))
		return
	case sparkd.Source:
		v.SetString(string(sources[rng.IntN(len(sources))]))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			randomize(rng, v.Field(i))
		}
		if s, ok := v.Addr().Interface().(*sparkd.Span); ok {
			s.Source = sources[rng.IntN(len(sources))]
			for _, values := range []*[]float32{&s.Logprobs, &s.SampledLogprobs, &s.Entropies} {
				if *values != nil {
					*values = randomFloats(rng, len(s.Tokens))
				}
			}
		}
	case reflect.Slice:
		n := 1 + rng.IntN(4)
		if k := v.Type().Elem().Kind(); k == reflect.Int32 || k == reflect.Float32 {
			n = rng.IntN(40)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			randomize(rng, v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		randomize(rng, v.Elem())
	case reflect.String:
		v.SetString(word)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(int32(rng.Uint32())))
	case reflect.Float32, reflect.Float64:
		v.SetFloat([]float64{rng.NormFloat64(), math.Copysign(0, -1), -1e-30, 1 << 60}[rng.IntN(4)])
	}
}

// Whatever decodes is stable, in both versions: encoding it and decoding again changes
// nothing.
func FuzzDecode(f *testing.F) {
	tree := testTree("t", "r")
	for i := range 3 {
		addRound(tree, seeded(uint64(i)), 2, 4)
	}
	f.Add(byte(1), encodeNodes1(tree.Nodes))
	f.Add(byte(1), encodeNodes1(tree.Nodes[:1]))
	f.Add(byte(frameVersion), encodeNodes(tree.Nodes))
	f.Add(byte(frameVersion), encodeNodes(tree.Nodes[:1]))
	f.Add(byte(frameVersion), withUnknown(seeded(1), encodeNodes(tree.Nodes)))
	for version := range byte(frameVersion) {
		f.Add(version+1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	}
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		nodes, err := decodeNodes(min(version, frameVersion), data, 0)
		if err != nil {
			return
		}
		once := encodeNodes(nodes)
		again, err := decodeNodes(frameVersion, once, 0)
		if err != nil || !bytes.Equal(encodeNodes(again), once) {
			t.Fatalf("not stable: %v", err)
		}
	})
}

func TestFrame(t *testing.T) {
	key := nodesKey("t", 0, 0)
	value := seal(key, []byte("payload"))
	if v, p, err := unseal(key, value); err != nil || v != frameVersion || string(p) != "payload" {
		t.Fatalf("%d, %q, %v", v, p, err)
	}
	_, _, err := unseal(nodesKey("t", 1, 0), value)
	wantCode(t, err, sparkd.CodeDamaged)
	for bit := range 8 * len(value) {
		bad := bytes.Clone(value)
		bad[bit/8] ^= 1 << (bit % 8)
		_, _, err := unseal(key, bad)
		wantCode(t, err, sparkd.CodeDamaged)
	}
	for n := range value {
		_, _, err := unseal(key, value[:n])
		wantCode(t, err, sparkd.CodeDamaged)
	}
}

func FuzzKey(f *testing.F) {
	for _, k := range [][]byte{
		rolloutKey("r"), stateKey("r"), treeKey("t"), nodesKey("t", 7, 1),
		completedKey("", 9), completedKey("r", 9), eventKey(1), {}, {'n'},
	} {
		f.Add(k)
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		if describeKey(key) == "" {
			t.Fatal("no name")
		}
	})
}

func TestDescribeKey(t *testing.T) {
	for want, key := range map[string][]byte{
		"rollout/r":     rolloutKey("r"),
		"state/r":       stateKey("r"),
		"tree/t":        treeKey("t"),
		"nodes/t/300/2": nodesKey("t", 300, 2),
		"completed/9":   completedKey("", 9),
		"completed/r/9": completedKey("r", 9),
		"event/1":       eventKey(1),
		`"n\x00abcdef"`: nodesKey("", 0, 0)[:2:2],
	} {
		if want == `"n\x00abcdef"` {
			key = append(key, "abcdef"...)
		}
		if got := describeKey(key); got != want {
			t.Errorf("%q: %s, want %s", key, got, want)
		}
	}
}
