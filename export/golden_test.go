package export

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"

	"sparkd"
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
	type row struct {
		TrajUID   string `json:"traj_uid"`
		NodeUID   string `json:"node_uid"`
		Advantage float64
	}
	rows := decode[row](t, o.Format, export(t, o, []*sparkd.Tree{toy()}))
	if len(rows) != 9 {
		t.Fatalf("%d rows, want 9", len(rows))
	}
	for _, r := range rows {
		leaf := nodeOf(r.TrajUID)
		x, ok := want[leaf+"/"+nodeOf(r.NodeUID)]
		if !ok {
			x = want[leaf]
		}
		if math.Abs(r.Advantage-x) > 5e-5 {
			t.Errorf("row %s of %s: advantage %.4f, want %.4f", r.NodeUID, r.TrajUID, r.Advantage, x)
		}
	}
	o.Format = "tree"
	type tree struct {
		Nodes []struct {
			Reward, Advantage *float64
			Copies            int
		}
	}
	nodes := decode[tree](t, o.Format, export(t, o, []*sparkd.Tree{toy()}))[0].Nodes
	if a := *nodes[1].Advantage; math.Abs(a-(1.0541-.8395)/2) > 5e-5 || nodes[1].Copies != 2 {
		t.Errorf("s1: advantage %.4f of %d copies, want the mean of A and B", a, nodes[1].Copies)
	}
	if n := nodes[3]; n.Reward != nil || n.Advantage != nil || n.Copies != 0 {
		t.Errorf("the failed branch has reward %v, advantage %v", n.Reward, n.Advantage)
	}
}
