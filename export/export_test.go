package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sparkd"
	"sparkd/branching/advantage"
	"sparkd/export/exporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// export writes groups and returns the lines.
func export(t testing.TB, o Options, groups ...[]*sparkd.Tree) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if err := w.Write(g); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if w.Bytes() != int64(out.Len()) {
		t.Errorf("%d bytes counted, %d written", w.Bytes(), out.Len())
	}
	return out.Bytes()
}

// variants calls f for every format and deduplication.
func variants(f func(name string, o Options)) {
	for _, format := range Formats() {
		for _, dedupe := range Dedupes() {
			o := DefaultOptions()
			o.Format, o.Dedupe = format, dedupe
			f(format+"-"+dedupe, o)
		}
	}
}

func TestGolden(t *testing.T) {
	variants(func(name string, o Options) {
		if o.Dedupe != "tree" { // that of unique but for the weights
			golden(t, name, o)
		}
	})
	for _, format := range []string{"rows", "tree", "slime", "trl-async", "atropos", "openrlhf"} {
		o := DefaultOptions()
		o.Format, o.Entropies, o.Text = format, true, true
		golden(t, format+"-full", o)
	}
	o := DefaultOptions()
	o.Format, o.Pairs.By = "trl-dpo", "group"
	golden(t, "trl-dpo-group", o)
}

func golden(t *testing.T, name string, o Options) {
	t.Run(name, func(t *testing.T) {
		got := export(t, o, exporttest.Groups()...)
		file := filepath.Join("testdata", name+".jsonl")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("lines differ from %s (-update rewrites it):\n%s", file, got)
		}
	})
}

// TestWorkedNumbers reads the advantages of T* back from the lines. With s3b invalid
// the numbers of spark-rows are those worked out for that case.
func TestWorkedNumbers(t *testing.T) {
	o := DefaultOptions()
	want := map[string]float64{"8": 1.0541, "7": -.8395, "7/7": -.8584, "5": -.8395}
	rows := decode[RowLine](t, export(t, o, []*sparkd.Tree{toy()}))
	if len(rows) != 9 {
		t.Fatalf("%d rows, want 9", len(rows))
	}
	after := func(uid string) string { return uid[strings.IndexByte(uid, ':')+1:] }
	for _, r := range rows {
		leaf := after(r.TrajUID)
		x, ok := want[leaf+"/"+after(r.NodeUID)]
		if !ok {
			x = want[leaf]
		}
		if math.Abs(r.Advantage-x) > 5e-5 {
			t.Errorf("row %s of %s: advantage %.4f, want %.4f", r.NodeUID, r.TrajUID, r.Advantage, x)
		}
	}
	o.Format = "tree"
	tree := decode[TreeLine](t, export(t, o, []*sparkd.Tree{toy()}))[0]
	if a := *tree.Nodes[1].Advantage; math.Abs(a-(1.0541-.8395)/2) > 5e-5 || tree.Nodes[1].Copies != 2 {
		t.Errorf("s1: advantage %.4f of %d copies, want the mean of A and B", a, tree.Nodes[1].Copies)
	}
	if n := tree.Nodes[3]; n.Reward != nil || n.Advantage != nil || n.Copies != 0 {
		t.Errorf("the failed branch has reward %v, advantage %v", n.Reward, n.Advantage)
	}
}

// decode reads JSON lines strictly: unknown fields are errors, and every field of the
// schema that is not optional must be there.
func decode[T any](t testing.TB, lines []byte) []T {
	t.Helper()
	var out []T
	for line := range bytes.Lines(lines) {
		v := reflect.New(reflect.TypeFor[T]())
		decodeLine(t, line, v)
		out = append(out, v.Elem().Interface().(T))
	}
	return out
}

func decodeLine(t testing.TB, line []byte, into reflect.Value) {
	t.Helper()
	if !json.Valid(line) {
		t.Fatalf("not JSON: %s", line)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into.Interface()); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	required(t, into.Elem().Type(), line)
}

// required checks that objects and lists of objects have the fields of their schema.
func required(t testing.TB, schema reflect.Type, value []byte) {
	t.Helper()
	switch {
	case schema.Kind() == reflect.Slice && (schema.Elem().Kind() == reflect.Struct || schema.Elem().Kind() == reflect.Slice):
		var items []json.RawMessage
		if err := json.Unmarshal(value, &items); err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			required(t, schema.Elem(), item)
		}
	case schema.Kind() == reflect.Struct:
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(value, &fields); err != nil {
			t.Fatal(err)
		}
		for i := range schema.NumField() {
			name, option, _ := strings.Cut(schema.Field(i).Tag.Get("json"), ",")
			field, ok := fields[name]
			if ok {
				required(t, schema.Field(i).Type, field)
			} else if option == "" {
				t.Errorf("no %s in %s", name, value)
			}
		}
	}
}

// TestSchemas: every format's lines are of its line type, whatever the trees.
func TestSchemas(t *testing.T) {
	for seed := range uint64(12) {
		tree := randomTree(rand.New(rand.NewPCG(seed, 8)))
		variants(func(name string, o Options) {
			o.Entropies, o.Text = seed%2 == 0, seed%3 == 0
			f, err := formatNamed(o.Format)
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(export(t, o, []*sparkd.Tree{tree}, exporttest.Groups()[seed%3])) {
				decodeLine(t, line, reflect.New(reflect.TypeOf(f.line)))
			}
		})
	}
}

// TestLinesEqualSchema encodes random trees by hand and compares every field with the
// plain reading of the tree.
func TestLinesEqualSchema(t *testing.T) {
	for seed := range uint64(75) {
		rng := rand.New(rand.NewPCG(seed, 3))
		tree := randomTree(rng)
		estimator := []string{"grpo", "spark-rows", "spark-unique"}[seed%3]
		variants(func(name string, o Options) {
			if o.Format != "tree" && o.Format != "rows" {
				return
			}
			o.Advantage, o.Entropies, o.Text = estimator, seed%2 == 0, seed%3 == 0
			e, err := advantage.New(o.Advantage, o.Estimator)
			if err != nil {
				t.Fatal(err)
			}
			lines := export(t, o, []*sparkd.Tree{tree})
			credits, err := e.Estimate([]*sparkd.Tree{tree})
			if advantage.Undefined(err) {
				if len(lines) > 0 {
					t.Errorf("seed %d, %s: lines of a tree that %s is undefined on: %v", seed, name, estimator, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if o.Format == "tree" {
				same(t, seed, name, decode[TreeLine](t, lines), []TreeLine{plainTree(tree, credits[0], o)})
			} else {
				same(t, seed, name, decode[RowLine](t, lines), plainRows(tree, credits[0], o))
			}
		})
	}
}

// same compares what JSON can tell: nil and empty slices are written alike. Numbers are
// compared to twelve places, since means can be summed in another order.
func same(t *testing.T, seed uint64, name string, got, want any) {
	t.Helper()
	var read [2]any
	for i, v := range []any{got, want} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &read[i]); err != nil {
			t.Fatal(err)
		}
	}
	if where := difference(read[0], read[1], ""); where != "" {
		t.Fatalf("seed %d, %s: %s", seed, name, where)
	}
}

// difference says where two JSON values differ, "" where they do not.
func difference(a, b any, path string) string {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			break
		}
		for k := range x {
			if d := difference(x[k], y[k], path+"."+k); d != "" {
				return d
			}
		}
		return ""
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			break
		}
		for i := range x {
			if d := difference(x[i], y[i], fmt.Sprintf("%s[%d]", path, i)); d != "" {
				return d
			}
		}
		return ""
	case float64:
		if y, ok := b.(float64); ok && math.Abs(x-y) <= 1e-12*max(1, math.Abs(x)) {
			return ""
		}
	default:
		if a == b {
			return ""
		}
	}
	return fmt.Sprintf("%s is %.200v, want %.200v", path, a, b)
}

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
		if l := decode[TreeLine](t, got)[0]; l.State != sparkd.TreeFailed || l.Error != "env" || len(l.Nodes)+len(l.Leaves) > 0 {
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

func TestOptionsRefused(t *testing.T) {
	for _, tt := range []struct {
		edit  func(*Options)
		field string
		known []string
	}{
		{func(o *Options) { o.Format = "parquet" }, "format", Formats()},
		{func(o *Options) { o.Format = "" }, "format", Formats()},
		{func(o *Options) { o.Dedupe = "some" }, "dedupe", Dedupes()},
		{func(o *Options) { o.Advantage = "ppo" }, "advantage", advantage.Names()},
		{func(o *Options) { o.Estimator.Std = "x" }, "std", []string{"unbiased", "population"}},
	} {
		o := DefaultOptions()
		tt.edit(&o)
		_, err := NewWriter(&bytes.Buffer{}, o)
		e := sparkd.AsError(err)
		if e == nil || e.Code != sparkd.CodeInvalid || e.Field != tt.field {
			t.Errorf("%+v: %v, want an invalid %s", o, err, tt.field)
			continue
		}
		for _, name := range tt.known {
			if !strings.Contains(e.Remedy, name) {
				t.Errorf("%s: %q does not list %s", tt.field, e.Remedy, name)
			}
		}
	}
}

func TestMode(t *testing.T) {
	for tags, want := range map[string]string{"": "", "think": "think", "think,explore": "explore", "explore,planning": "planning",
		"Explore": "explore", "monitor,reflection": "monitor", "doubt,think": "think"} {
		var list []string
		if tags != "" {
			list = strings.Split(tags, ",")
		}
		if got := mode(list); got != want {
			t.Errorf("mode of %q is %q, want %q", tags, got, want)
		}
	}
}
