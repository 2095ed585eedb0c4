package export

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"sparkd"
)

// TestOrderAndReuse: many groups come out in the order they went in, and as each would
// come out alone.
func TestOrderAndReuse(t *testing.T) {
	variants(func(name string, o Options) {
		rng := rand.New(rand.NewPCG(9, 9))
		var groups [][]*sparkd.Tree
		var want []byte
		for range 60 {
			g := []*sparkd.Tree{randomTree(rng)}
			if rng.IntN(4) == 0 {
				g = append(g, randomTree(rng))
			}
			groups = append(groups, g)
			want = append(want, export(t, o, g)...)
		}
		if got := export(t, o, groups...); !bytes.Equal(got, want) {
			t.Errorf("%s: groups written together differ from groups written alone", name)
		}
	})
}

func TestDamagedTrees(t *testing.T) {
	for name, edit := range map[string]func(*sparkd.Tree){
		"nil node":           func(t *sparkd.Tree) { t.Nodes[2] = nil },
		"id out of place":    func(t *sparkd.Tree) { t.Nodes[2].ID = 5 },
		"parent after child": func(t *sparkd.Tree) { t.Nodes[2].Parent = 7 },
		"node 0 has parent":  func(t *sparkd.Tree) { t.Nodes[0].Parent = 0 },
		"wrong depth":        func(t *sparkd.Tree) { t.Nodes[2].Depth = 9 },
		"NaN logprob":        func(t *sparkd.Tree) { t.Nodes[1].Spans[0].Logprobs[0] = float32(math.NaN()) },
		"infinite logprob":   func(t *sparkd.Tree) { t.Nodes[1].Spans[0].Logprobs[1] = float32(math.Inf(-1)) },
		"short logprobs":     func(t *sparkd.Tree) { t.Nodes[1].Spans[0].Logprobs = []float32{1} },
		"infinite reward":    func(t *sparkd.Tree) { t.Nodes[8].Reward = math.Inf(1) },
	} {
		for _, format := range Formats() {
			o := DefaultOptions()
			o.Format = format
			tree := toy()
			edit(tree)
			var out bytes.Buffer
			w, err := NewWriter(&out, o)
			if err != nil {
				t.Fatal(err)
			}
			good := []*sparkd.Tree{toy()}
			errs := errors.Join(w.Write(good), w.Write([]*sparkd.Tree{tree}), w.Flush())
			if sparkd.CodeOf(errs) != sparkd.CodeDamaged || !strings.Contains(errs.Error(), tree.ID) {
				t.Errorf("%s, %s: %v, want a damaged tree that is named", name, format, errs)
			}
			if want := export(t, o, good); !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%s, %s: the tree before was not written alone", name, format)
			}
			if err := w.Write(good); err == nil {
				t.Errorf("%s, %s: the error is forgotten", name, format)
			}
		}
	}
}

// TestTreeWithoutNodes: a tree that failed before its opening context is told as such
// in format tree and has no rows.
func TestTreeWithoutNodes(t *testing.T) {
	tree := toy()
	tree.Nodes, tree.State, tree.Error = nil, sparkd.TreeFailed, sparkd.Errorf(sparkd.CodeEnv, "no such task")
	variants(func(name string, o Options) {
		got := export(t, o, []*sparkd.Tree{tree})
		if o.Format != "tree" {
			if len(got) > 0 {
				t.Errorf("%s: %s", name, got)
			}
			return
		}
		type line struct {
			State         sparkd.TreeState
			Error         string
			Nodes, Leaves []any
		}
		l := decode[line](t, o.Format, got)[0]
		if l.State != sparkd.TreeFailed || l.Error != "env" || len(l.Nodes)+len(l.Leaves) > 0 {
			t.Errorf("%s: %+v", name, l)
		}
	})
}

// TestNoOutput: rows of a step without a model span cannot be; trees can.
func TestNoOutput(t *testing.T) {
	tree := toy()
	tree.Nodes[1].Spans = nil
	w, err := NewWriter(&bytes.Buffer{}, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write([]*sparkd.Tree{tree}), w.Flush()); sparkd.CodeOf(err) != sparkd.CodeDamaged {
		t.Errorf("%v, want damaged", err)
	}
}

type brokenPipe struct{ after int }

func (p *brokenPipe) Write(b []byte) (int, error) {
	if p.after--; p.after < 0 {
		return 0, errors.New("broken pipe")
	}
	return len(b), nil
}

func TestWriteError(t *testing.T) {
	pipe := &brokenPipe{after: 3}
	w, err := NewWriter(pipe, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err = w.Write([]*sparkd.Tree{toy()}); err != nil {
			break
		}
	}
	if flushed := w.Flush(); err == nil || flushed == nil || flushed.Error() != "broken pipe" {
		t.Errorf("Write %v, Flush %v, want the pipe's error from both", err, flushed)
	}
	if pipe.after != -1 {
		t.Errorf("%d writes after the error", -1-pipe.after)
	}
}

// TestNotFinite: a number that JSON does not have is an error that names its field.
func TestNotFinite(t *testing.T) {
	write := fields[float64]{
		{"outer", object(fields[float64]{{"inner", number(itself[float64]), "a number"}}), "an object"},
	}.writer()
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		out := buffer{}
		write(&out, x)
		if sparkd.CodeOf(out.err) != sparkd.CodeDamaged || !strings.Contains(out.err.Error(), "inner is not finite") {
			t.Errorf("%v: %v", x, out.err)
		}
	}
}
