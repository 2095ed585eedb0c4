package measure

import (
	"math"
	"math/rand/v2"
	"slices"

	"sparkd"
)

// Estimate is a value with its 95 % interval.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Metric is a number that a set of tasks has.
type Metric func(tasks []Figures) float64

const resamples = 2000

// Of estimates a metric over tasks.
func (m Metric) Of(tasks []Figures) Estimate {
	return bootstrap(len(tasks), m(tasks), func(pick []int) float64 { return m(chosen(tasks, pick)) })
}

// Difference estimates how much the metric of b exceeds that of a, whose tasks must be the same in the same order:
// both are drawn together, so what tasks have in common cancels out.
func (m Metric) Difference(a, b []Figures) Estimate {
	return bootstrap(len(a), m(b)-m(a), func(pick []int) float64 { return m(chosen(b, pick)) - m(chosen(a, pick)) })
}

func chosen(tasks []Figures, pick []int) []Figures {
	out := make([]Figures, len(pick))
	for i, p := range pick {
		out[i] = tasks[p]
	}
	return out
}

// bootstrap draws n of n tasks again and again. Fewer than two tasks say nothing of how
// tasks differ: the interval is the whole line then, cut to the value.
func bootstrap(n int, value float64, of func(pick []int) float64) Estimate {
	if n < 2 || math.IsNaN(value) {
		return Estimate{value, value, value}
	}
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	values := make([]float64, resamples)
	pick := make([]int, n)
	for i := range values {
		for j := range pick {
			pick[j] = rng.IntN(n)
		}
		values[i] = of(pick)
	}
	slices.Sort(values)
	return Estimate{value, values[resamples*25/1000], values[resamples*975/1000-1]}
}

// mean is the metric that averages a number of each task.
func mean(of func(*Figures) float64) Metric {
	return func(tasks []Figures) float64 {
		if len(tasks) == 0 {
			return 0
		}
		var sum sparkd.Sum
		for i := range tasks {
			sum.Add(of(&tasks[i]))
		}
		return sum.Over(float64(len(tasks)))
	}
}

// ratio is 0 where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
