package sampler

import (
	"context"
	"testing"
	"time"

	"sparkd"
	"sparkd/branching"
)

// BenchmarkGrow measures the sampler alone: engine and environment answer at once and
// nothing is stored.
func BenchmarkGrow(b *testing.B) {
	engine, w := newFakeEngine(), &world{goal: 1 << 30}
	engine.cache = nil
	answer := always("up")
	texts := make([]string, 64)
	for i := range texts {
		texts[i], _ = answer(uint64(i))
	}
	engine.answer = func(seed uint64) (string, sparkd.FinishReason) { return texts[seed%64], sparkd.FinishStop }
	spec := branching.DefaultSpec()
	d := Deps{SampleTimeout: time.Minute, EnvTimeout: time.Minute, Engine: engine, Template: chatML, OpenEnv: w.open,
		Commit: func(context.Context, *sparkd.Tree, int) error { return nil }}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			t := NewTree("r", &spec, sparkd.Task{Env: "fake", Split: "train", Index: i}, "t", time.Time{})
			if err := Grow(context.Background(), d, &spec, t); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(w.steps.Load())/b.Elapsed().Seconds(), "steps/s")
}
