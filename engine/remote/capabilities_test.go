package remote

import (
	"testing"

	"sparkd"
)

func TestDefinition(t *testing.T) {
	for _, c := range []struct {
		warm, cold [][]float64
		want       sparkd.LogprobKind
	}{
		{nil, nil, "none"},
		{[][]float64{{-2, -3}}, [][]float64{{-2.01, -3.01}}, "raw"},
		{[][]float64{{-2, -3}}, [][]float64{{-0.3, -4}}, "sampled"},
		{[][]float64{{-0.001, -7}}, [][]float64{{-0.0001, -28}}, "sampled"},
	} {
		if got := definition(c.warm, c.cold); got != c.want {
			t.Errorf("%v and %v are %s, want %s", c.warm, c.cold, got, c.want)
		}
	}
}
