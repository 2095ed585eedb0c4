package schedule_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sparkd/daemon/schedule"
)

// script drives a Scheduler with words and writes down its effects.
type script struct {
	*schedule.Scheduler
	effects []string
}

func newScript(limits schedule.Limits) *script {
	s := &script{}
	s.Scheduler = schedule.New(limits, schedule.FewestGrowing, s)
	return s
}

func (s *script) Start(rollout string, tree int) {
	s.effects = append(s.effects, fmt.Sprintf("%s%d", rollout, tree))
}

func (s *script) Stop(rollout string) { s.effects = append(s.effects, rollout+" stops") }

func (s *script) Finish(rollout string) { s.effects = append(s.effects, rollout+" over") }

// play runs one event and returns its effects.
func (s *script) play(event string) string {
	s.effects = nil
	var rollout string
	var trees int
	verb, rest, _ := strings.Cut(event, " ")
	_, _ = fmt.Sscan(rest, &rollout, &trees)
	switch verb {
	case "open":
		s.Open()
	case "submit", "resume":
		r := schedule.Rollout{ID: rollout, Running: verb == "resume"}
		for i := range trees {
			r.Trees = append(r.Trees, i)
		}
		s.Submit(r)
	case "reserve":
		if taken, ok := s.Reserve(); !ok {
			return fmt.Sprint("full with ", taken)
		}
	case "release":
		s.Release()
	case "end":
		s.TreeEnded(rollout, false)
	case "cut":
		s.TreeEnded(rollout, true)
	case "stored":
		s.Finished()
	case "cancel":
		if !s.Cancel(rollout) {
			return "no"
		}
	case "drain":
		s.Drain()
	case "counts":
		queued, running, growing := s.Counts()
		return fmt.Sprint(queued, running, growing)
	default:
		panic(event)
	}
	return strings.Join(s.effects, ", ")
}

func TestScheduler(t *testing.T) {
	tests := []struct {
		name   string
		limits schedule.Limits
		events [][2]string // what happens, what comes of it
	}{
		{"equal shares, the oldest first", schedule.Limits{Queue: 9, Trees: 6}, [][2]string{
			{"submit a 10", ""}, {"submit b 1", ""}, {"submit c 10", ""}, {"submit d 10", ""},
			{"cancel c", "c stops"}, {"open", "c over, a0, b0, d0, a1, d1, a2"},
		}},
		{"a rollout that runs goes on before a younger one begins", schedule.Limits{Queue: 9, Trees: 1}, [][2]string{
			{"open", ""}, {"submit a 2", "a0"}, {"submit b 2", ""},
			{"end a", "a1"}, {"end a", "a over"}, {"stored", "b0"}, {"end b", "b1"}, {"end b", "b over"},
		}},
		{"only the last place waits until the end is stored", schedule.Limits{Queue: 9, Trees: 2}, [][2]string{
			{"open", ""}, {"submit a 1", "a0"}, {"submit b 2", "b0"}, {"submit c 2", ""},
			{"end a", "a over"}, {"end b", "b1, c0"}, {"stored", ""}, {"counts", "0 2 2"},
		}},
		{"places in the queue", schedule.Limits{Queue: 2, Trees: 1}, [][2]string{
			{"open", ""}, {"reserve", ""}, {"reserve", ""}, {"reserve", "full with 2"},
			{"release", ""}, {"submit a 1", "a0"}, {"reserve", ""}, {"reserve", "full with 2"},
			{"release", ""}, {"submit b 1", ""}, {"release", ""}, {"submit c 1", ""},
			{"reserve", "full with 2"}, {"counts", "2 1 1"},
			{"end a", "a over"}, {"counts", "2 0 0"}, {"stored", "b0"}, {"reserve", ""},
		}},
		{"earlier rollouts come in beyond the queue", schedule.Limits{Queue: 1, Trees: 1}, [][2]string{
			{"submit a 1", ""}, {"submit b 1", ""}, {"resume c 1", ""}, {"counts", "2 1 0"},
			{"reserve", "full with 2"}, {"open", "a0"}, {"counts", "1 2 1"},
		}},
		{"nothing happens before the start", schedule.Limits{Queue: 9, Trees: 2}, [][2]string{
			{"resume a 0", ""}, {"submit b 1", ""}, {"cancel b", "b stops"}, {"submit c 1", ""},
			{"open", "a over, b over, c0"},
		}},
		{"nothing left to grow", schedule.Limits{Queue: 9, Trees: 2}, [][2]string{
			{"open", ""}, {"resume a 0", "a over"}, {"stored", ""}, {"cancel a", "no"},
		}},
		{"cancel", schedule.Limits{Queue: 9, Trees: 2}, [][2]string{
			{"open", ""}, {"submit a 3", "a0, a1"}, {"submit b 3", ""},
			{"cancel b", "b stops, b over"}, {"cancel b", "no"},
			{"cancel a", "a stops"}, {"cancel a", "a stops"}, {"end a", ""}, {"end a", "a over"}, {"cancel x", "no"},
		}},
		{"a shutdown", schedule.Limits{Queue: 9, Trees: 3}, [][2]string{
			{"open", ""}, {"submit a 2", "a0, a1"}, {"submit b 1", "b0"}, {"submit c 1", ""},
			{"drain", ""}, {"cut a", ""}, {"end a", ""}, {"cancel a", "no"}, {"end b", "b over"}, {"stored", ""},
			{"cancel c", "c stops, c over"}, {"submit d 1", ""}, {"counts", "1 1 0"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(tt.limits)
			for i, e := range tt.events {
				if got := s.play(e[0]); got != e[1] {
					t.Fatalf("%d. %s: %q, want %q", i, e[0], got, e[1])
				}
			}
		})
	}
}

// Whatever is canceled whenever, each rollout is over once and no tree begins twice.
func TestCancelAtEveryPoint(t *testing.T) {
	events := []string{
		"submit a 3", "open", "submit b 1", "end a", "submit c 2", "end a", "end b", "stored", "end a", "stored",
		"end c", "end c", "stored",
	}
	for at := range len(events) + 1 {
		for _, victim := range []string{"a", "b", "c"} {
			s := newScript(schedule.Limits{Queue: 9, Trees: 2})
			var all []string
			for _, e := range slices.Insert(slices.Clone(events), at, "cancel "+victim) {
				verb, rollout, _ := strings.Cut(e, " ")
				if verb == "end" && !growing(all, rollout) {
					continue // its tree was never begun
				}
				all = append(all, s.play(e))
				if verb == "end" {
					all = append(all, "ended "+rollout)
				}
			}
			words := strings.Split(strings.Join(all, ", "), ", ")
			for _, r := range []string{"a", "b", "c"} {
				if n := count(words, r+" over"); n != 1 {
					t.Errorf("cancel %s before event %d: %s is over %d times: %v", victim, at, r, n, all)
				}
			}
			for _, w := range words {
				if !strings.Contains(w, " ") && w != "" && w != "no" && count(words, w) > 1 {
					t.Errorf("cancel %s before event %d: %s began twice: %v", victim, at, w, all)
				}
			}
		}
	}
}

func growing(all []string, rollout string) bool {
	words := strings.Split(strings.Join(all, ", "), ", ")
	began := 0
	for i := range 3 {
		began += count(words, fmt.Sprint(rollout, i))
	}
	return began > count(words, "ended "+rollout)
}

func count(words []string, word string) (n int) {
	for _, w := range words {
		if w == word {
			n++
		}
	}
	return n
}
