package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"sparkd"
	"sparkd/branching/advantage"
	"sparkd/export/exporttest"
)

// decode reads lines of a format strictly: unknown fields are errors, and every field of
// the format that is not optional must be there. T has those that the caller wants.
func decode[T any](t testing.TB, format string, lines []byte) []T {
	t.Helper()
	typ := lineType(t, format)
	var out []T
	for line := range bytes.Lines(lines) {
		decodeLine(t, line, typ)
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// lineType is what the fields of a format say of its lines.
func lineType(t testing.TB, format string) reflect.Type {
	t.Helper()
	f, err := formatNamed(format)
	if err != nil {
		t.Fatal(err)
	}
	return f.lines.typ()
}

// decodeLine returns a pointer to a value of typ.
func decodeLine(t testing.TB, line []byte, typ reflect.Type) any {
	t.Helper()
	if !json.Valid(line) {
		t.Fatalf("not JSON: %s", line)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	into := reflect.New(typ)
	if err := d.Decode(into.Interface()); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	required(t, typ, line)
	return into.Interface()
}

// required checks that objects and lists of objects have the fields of their schema.
func required(t testing.TB, schema reflect.Type, value []byte) {
	t.Helper()
	switch {
	case schema.Kind() == reflect.Slice &&
		(schema.Elem().Kind() == reflect.Struct || schema.Elem().Kind() == reflect.Slice):
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

// TestSchemas: every format's lines are of the type that its fields say, whatever the trees.
func TestSchemas(t *testing.T) {
	for seed := range uint64(12) {
		tree := randomTree(rand.New(rand.NewPCG(seed, 8)))
		variants(func(name string, o Options) {
			o.Entropies, o.Text = seed%2 == 0, seed%3 == 0
			typ := lineType(t, o.Format)
			for line := range bytes.Lines(export(t, o, []*sparkd.Tree{tree}, exporttest.Groups()[seed%3])) {
				decodeLine(t, line, typ)
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
			want := plainRows(tree, credits[0], o)
			if o.Format == "tree" {
				want = []jsonObject{plainTree(tree, credits[0], o)}
			}
			plain, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(strings.TrimSpace(string(lines)), "\n", ",")
			list := reflect.SliceOf(lineType(t, o.Format))
			same(t, seed, name, decodeLine(t, fmt.Appendf(nil, "[%s]", got), list), decodeLine(t, plain, list))
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
