package sparkd_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"sparkd"
)

// exact is the sum in numbers without end, and the sum over n; both rounded once.
func exact(x []float64, n float64) (sum, over float64) {
	s := new(big.Rat)
	for _, v := range x {
		s.Add(s, new(big.Rat).SetFloat64(v))
	}
	sum, _ = s.Float64()
	over, _ = s.Quo(s, new(big.Rat).SetFloat64(n)).Float64()
	return sum, over
}

func total(x []float64) *sparkd.Sum {
	s := new(sparkd.Sum)
	for _, v := range x {
		s.Add(v)
	}
	return s
}

func TestSums(t *testing.T) {
	const most, least = math.MaxFloat64, math.SmallestNonzeroFloat64
	for _, x := range [][]float64{
		nil, {0}, {math.Copysign(0, -1)}, {.7, .1, .2}, {.1, .2, .7}, {1, 1e100, 1, -1e100}, {1e16, 1, -1e16},
		{1, 0x1p-53, 0x1p-106}, {1, 0x1p-53, -0x1p-106}, {1, -0x1p-54, -0x1p-110}, {least, least, -least},
		{1e-300, 1e300, -1e300}, {most, most, -most}, {most, -most, 1}, {most, most}, {-most, -most}, {most, 1e292},
		{0x1p960, 0x1p907, -0x1p960}, {1e308, least, -1e308}, {1e12, 1}, {.1, .1, .1},
	} {
		for range 20 {
			s := total(x)
			sum, over := exact(x, 3)
			if got := s.Value(); got != sum || math.Signbit(got) != (sum < 0) {
				t.Errorf("%v: %v, want %v", x, got, sum)
			}
			if got := s.Over(3); got != over {
				t.Errorf("%v over 3: %v, want %v", x, got, over)
			}
			rand.Shuffle(len(x), func(i, j int) { x[i], x[j] = x[j], x[i] })
		}
	}
	inf := math.Inf(1)
	if s := total([]float64{1, inf, 1e308, 1e308}); s.Value() != inf || s.Over(2) != inf {
		t.Errorf("with an infinite number: %v", s.Value())
	}
	if s := total([]float64{inf, -inf}); !math.IsNaN(s.Value()) || !math.IsNaN(s.Over(2)) {
		t.Errorf("infinities: %v", s.Value())
	}
}

// TestSumsAreExact: sums and means of any numbers, in any order, are those of exact arithmetic, rounded once.
func TestSumsAreExact(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		x := make([]float64, 1+rng.IntN(12))
		width := 1 << rng.IntN(11)
		for i := range x {
			for {
				x[i] = math.Ldexp(rng.Float64()-.5, rng.IntN(2*width)-width)
				if rng.IntN(3) == 0 && i > 0 {
					x[i] = -x[rng.IntN(i)]
				}
				if sparkd.Finite(x[i]) {
					break
				}
			}
		}
		n := float64(1 + rng.IntN(9))
		sum, over := exact(x, n)
		for range 3 {
			s := total(x)
			if s.Value() != sum || s.Over(n) != over {
				t.Fatalf("seed %d: %v: %v and %v over %v, want %v and %v", seed, x, s.Value(), s.Over(n), n, sum, over)
			}
			rng.Shuffle(len(x), func(i, j int) { x[i], x[j] = x[j], x[i] })
		}
		same := slices.Repeat(x[:1], len(x))
		if got := total(same).Over(float64(len(x))); got != x[0]+0 {
			t.Fatalf("seed %d: the mean of equals is %v, want %v", seed, got, x[0])
		}
	}
}

// chain is a path with these rewards.
func chain(rewards ...float64) *sparkd.Tree {
	t := &sparkd.Tree{Nodes: []*sparkd.Node{{Parent: -1}}}
	for i, r := range rewards {
		t.Nodes = append(t.Nodes, &sparkd.Node{ID: i + 1, Parent: i, Depth: i + 1, Reward: r})
	}
	return t
}

func TestEarned(t *testing.T) {
	for _, c := range []struct {
		a, b []float64
		want int
	}{
		{[]float64{.7, .1, .2}, []float64{.1, .2, .7}, 0},
		{[]float64{.7, .1, .2}, []float64{1}, 0},
		{[]float64{.1, .2}, []float64{.3}, 0},
		{[]float64{.1, .2, -.3}, nil, 0},
		{[]float64{8.7, -7.7}, []float64{1}, 0},
		{[]float64{1. / 3, 1. / 3, 1. / 3}, []float64{1}, 0},
		{[]float64{1e12, 1}, []float64{1e12}, 1},
		{[]float64{1e15}, []float64{1e15, 1}, -1},
		{[]float64{1e16, 1, -1e16}, nil, 1},
		{[]float64{1e100, -1, -1e100}, []float64{0}, -1},
		{[]float64{1e308, 1e308, -1.5e308}, nil, 1},
		{[]float64{5e-324}, nil, 1},
		{[]float64{1e-300}, []float64{2e-300}, -1},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, []float64{1}, 1},
	} {
		a, b := chain(c.a...).Earned(len(c.a)), chain(c.b...).Earned(len(c.b))
		if got := a.Compare(b); got != c.want || b.Compare(a) != -c.want {
			t.Errorf("%v and %v, which are %+v and %+v: %d, want %d", c.a, c.b, a, b, got, c.want)
		}
		if r := chain(c.a...).Return(len(c.a)); r != a.Value {
			t.Errorf("%v: a return of %v, earned %v", c.a, r, a.Value)
		}
	}
}
