package export

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"sparkd"
)

func written32(x float32) string {
	return strings.TrimSuffix(string(appendFloats(nil, []float32{x})), ",")
}

// exact checks that x is written as JSON and reads back bit for bit.
func exact(t testing.TB, x float32) {
	t.Helper()
	b := []byte(written32(x))
	back, err := strconv.ParseFloat(string(b), 32)
	if err != nil || math.Float32bits(float32(back)) != math.Float32bits(x) {
		t.Errorf("%b (%v) is written %s, read back %v, %v", math.Float32bits(x), x, b, back, err)
	}
	if !bytes.ContainsAny(b, ".e") {
		t.Errorf("%v is written %s, which reads as an integer", x, b)
	}
	if !json.Valid(b) {
		t.Errorf("%v is written %s, which is not JSON", x, b)
	}
	if len(b) > len("-0.0000123456789") {
		t.Errorf("%v is written %s, in %d bytes", x, b, len(b))
	}
}

func TestFloat32(t *testing.T) {
	for x, want := range map[float32]string{0: "0.0", .5: "0.5", -.5: "-0.5", .1: "0.1", -1: "-1.0", 100: "100.0",
		1234567: "1234567.0", 3.25: "3.25", 1e-5: "0.00001", 1e-6: "1e-6", -1.5e-7: "-1.5e-7",
		16777216: "16777216.0", .3: "0.3", 99999.99: "99999.99"} {
		if got := written32(x); got != want {
			t.Errorf("%v is written %s, want %s", x, got, want)
		}
		exact(t, x)
	}
	exact(t, float32(math.Copysign(0, -1)))
	exact(t, math.MaxFloat32)
	for e := uint32(0); e < 255; e++ { // around every power of two
		for _, m := range []uint32{0, 1, 2, 0x3fffff, 0x400000, 0x7ffffe, 0x7fffff} {
			exact(t, math.Float32frombits(e<<23|m))
			exact(t, math.Float32frombits(1<<31|e<<23|m))
		}
	}
	for d := float32(1e-12); d < 1e12; d *= 10 { // around every power of ten
		exact(t, d)
		exact(t, math.Nextafter32(d, 0))
		exact(t, math.Nextafter32(d, math.MaxFloat32))
	}
}

func TestFloat32Property(t *testing.T) {
	const seed = 4
	rng := rand.New(rand.NewPCG(seed, seed))
	for range 40_000 {
		if x := math.Float32frombits(rng.Uint32()); isFinite([]float32{x}) {
			exact(t, x)
		}
		exact(t, -float32(rng.ExpFloat64()))                        // like logprobs
		exact(t, float32(math.Log1p(-math.Exp(-30*rng.Float64())))) // of confident tokens
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzFloat32(f *testing.F) {
	for _, x := range []float32{0, 1, -.693147, 1e-9, 1e8, math.SmallestNonzeroFloat32, math.MaxFloat32} {
		f.Add(math.Float32bits(x))
	}
	f.Fuzz(func(t *testing.T, u uint32) {
		if x := math.Float32frombits(u); isFinite([]float32{x}) {
			exact(t, x)
		}
	})
}

func TestTokens(t *testing.T) {
	var ids []sparkd.Token
	for d := int64(1); d <= math.MaxInt32; d *= 10 {
		ids = append(ids, sparkd.Token(d-1), sparkd.Token(d), sparkd.Token(d+1), sparkd.Token(2*d), sparkd.Token(-d))
	}
	ids = append(ids, math.MaxInt32, math.MinInt32)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 10_000 {
		ids = append(ids, rng.Int32()>>rng.IntN(31))
	}
	var want []byte
	for _, id := range ids {
		want = append(strconv.AppendInt(want, int64(id), 10), ',')
	}
	if got := appendTokens([]byte("x"), ids); !bytes.Equal(got[1:], want) || got[0] != 'x' {
		t.Error("token ids are not written as strconv does")
	}
	if got := appendTokens(nil, nil); len(got) != 0 {
		t.Errorf("no tokens are written %q", got)
	}
}

func TestString(t *testing.T) {
	for _, s := range []string{"", "mug", "\"\\/\b\f\n\r\t", "\x00\x1f\x7f", "é水🙂",
		"\u2028\u2029", "\xff\xc0\xaf", "a\xe6\xb0", "�", "<&>"} {
		like(t, s)
	}
	for r := rune(0); r < 0x3000; r++ {
		like(t, string(r))
	}
}

func FuzzString(f *testing.F) {
	f.Add("a \"mug\"\n")
	f.Add("\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) { like(t, s) })
}

// endsLine knows the line ends of Python's splitlines, Java's and Unicode's.
func endsLine(r rune) bool { return strings.ContainsRune("\n\v\f\r\x1c\x1d\x1e\u0085\u2028\u2029", r) }

// like checks that s is written as encoding/json writes it, but for U+0085.
func like(t testing.TB, s string) {
	t.Helper()
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
	line := bytes.ReplaceAll(want.Bytes(), []byte("\u0085"), []byte(`\u0085`))
	got := append(appendString(nil, s), '\n')
	if !bytes.Equal(got, line) {
		t.Errorf("%q is written %s, want %s", s, got, line)
	}
	if i := bytes.IndexFunc(got[:len(got)-1], endsLine); i >= 0 {
		t.Errorf("%q is written %s, which some reader ends at %d", s, got, i)
	}
}
