package alfworld

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"sparkd"
)

// BenchmarkStep walks games by random admissible actions, texts and sorted admissible
// actions included; a finished game is started again outside the clock.
func BenchmarkStep(b *testing.B) {
	games := make([]*Env, 64)
	for i := range games {
		games[i] = start(b, sparkd.Task{Env: Name, Split: "train", Index: i})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	e := games[0].fork()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%50 == 0 || e.done {
			b.StopTimer()
			e = games[rng.IntN(len(games))].fork()
			b.StartTimer()
		}
		if _, err := e.Step(b.Context(), e.menu.commands[rng.IntN(len(e.menu.commands))]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}

func BenchmarkFork(b *testing.B) {
	e := start(b, sparkd.Task{Env: Name, Split: "train", Index: 2})
	for _, command := range firstHalf(b, e) {
		step(b, e, command)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Fork(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReset(b *testing.B) {
	e := New()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := e.Reset(b.Context(), sparkd.Task{Env: Name, Split: "l0", Index: n % 2000}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad reads a game file from disk; BenchmarkResetLoaded starts one that has been
// read before, which is what a rollout's further trees of a task do.
func BenchmarkLoad(b *testing.B) {
	s := benchmarkSource(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := loadWorld(s.splits["games"][0].path); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResetLoaded(b *testing.B) {
	e, err := benchmarkSource(b).Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Reset(b.Context(), sparkd.Task{Split: "games"}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkSource(b *testing.B) *Source {
	b.Helper()
	p, err := ProblemOf(sparkd.Task{Split: "train", Index: 3})
	if err != nil {
		b.Fatal(err)
	}
	return open(b, filepath.Join(write(b, map[string]string{"games/game.tw-pddl": string(gameBytes(b, p))}), "games"))
}

func firstHalf(t testing.TB, e *Env) []string {
	t.Helper()
	plan, err := Expert(e)
	if err != nil {
		t.Fatal(err)
	}
	return plan[:len(plan)/2]
}
