package coldstart

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
	"sparkd/env/alfworld"
)

// annotated runs an Annotation over household tasks and returns what it did, in order.
func annotated(
	t *testing.T, ctx context.Context, s *school, inflight int, paths iter.Seq2[Path, error], edit func(*Annotation),
) (did []string, err error) {
	t.Helper()
	a := &Annotation{Env: alfworld.New(), Teacher: s.teacher(t), MaxSteps: 30, Limit: time.Minute, Inflight: inflight,
		Emit: func(tr *Trajectory) error { did = append(did, fmt.Sprintf("%d ok", tr.Task.Index)); return nil },
		LeaveOut: func(task sparkd.Task, why error) {
			did = append(did, fmt.Sprintf("%d %s", task.Index, sparkd.AsError(why).Message))
		}}
	edit(a)
	err = a.Run(ctx, paths)
	return did, err
}

func household(t *testing.T, count int) iter.Seq2[Path, error] {
	return Golden(t.Context(), alfworld.New(), Options{Env: alfworld.Name, Split: "train", Count: count})
}

// Paths keep their order however many are asked about at a time, which are never more than
// allowed.
func TestAnnotationKeepsTheOrder(t *testing.T) {
	for _, inflight := range []int{1, 2, 7} {
		synctest.Test(t, func(t *testing.T) {
			s := &school{answer: func(n int, _ http.ResponseWriter, _ *http.Request, _ *asked) bool {
				time.Sleep(time.Duration(13-n*5%13) * time.Second) // made up: the later may be done first
				return false
			}}
			did, err := annotated(t, t.Context(), s, inflight, household(t, 12), func(*Annotation) {})
			want := make([]string, 12)
			for i := range want {
				want[i] = fmt.Sprintf("%d ok", i)
			}
			if err != nil || !slices.Equal(did, want) || s.most.Load() != int64(inflight) {
				t.Errorf("%d in flight, at most %d seen: %q, %v", inflight, s.most.Load(), did, err)
			}
		})
	}
}

// A path that does not win is left out, and its neighbours are not.
func TestAnnotationLeavesOut(t *testing.T) {
	paths := func(yield func(Path, error) bool) {
		for p, err := range household(t, 7) {
			switch p.Task.Index {
			case 1:
				p.Actions = p.Actions[:len(p.Actions)-1]
			case 2:
				p.Actions = append(p.Actions, "look")
			case 3:
				p.Actions[0] = "dance"
			case 4:
				p.Actions = append(slices.Repeat([]string{"look"}, 30), p.Actions...)
			case 5:
				err = errors.New("no way")
			}
			if !yield(p, err) {
				return
			}
		}
	}
	did, err := annotated(t, t.Context(), &school{}, 2, paths, func(*Annotation) {})
	for i, want := range []string{
		"ok", "does not reach the goal", "the episode ends after", "does not reach the goal", "more than 30",
		"internal error", "ok",
	} {
		if len(did) != 7 || !strings.Contains(did[i], want) {
			t.Fatalf("%q, want %q at %d", did, want, i)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// When a teacher does not work at all, the run ends; refusals never end it.
func TestAnnotationGivesUp(t *testing.T) {
	status := func(code int) answers {
		return func(_ int, w http.ResponseWriter, _ *http.Request, _ *asked) bool { w.WriteHeader(code); return true }
	}
	for _, c := range []struct {
		name   string
		answer answers
		code   sparkd.Code
		left   int
	}{
		{"wrong key", status(401), sparkd.CodeUnauthorized, 0},
		{"broken", status(502), sparkd.CodeUnavailable, maxTrouble - 1},
		{"hangs", hang, sparkd.CodeUnavailable, maxTrouble - 1},
		{"talks", always(func([]item) string { return "no" }), "", 12},
	} {
		synctest.Test(t, func(t *testing.T) {
			did, err := annotated(t, t.Context(), &school{answer: c.answer}, 3, household(t, 12), func(*Annotation) {})
			if sparkd.CodeOf(err) != c.code || len(did) != c.left {
				t.Errorf("%s: %d left out, %v", c.name, len(did), err)
			}
		})
	}
}

// A cancel and a full disk end a run at once, with nothing left behind (synctest checks).
func TestAnnotationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &school{answer: func(n int, w http.ResponseWriter, r *http.Request, a *asked) bool {
			return n >= 3 && hang(n, w, r, a)
		}}
		time.AfterFunc(time.Minute, cancel)
		did, err := annotated(t, ctx, s, 2, household(t, 12), func(*Annotation) {})
		if sparkd.CodeOf(err) != sparkd.CodeCanceled || len(did) > 3 {
			t.Errorf("%q, %v", did, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("full")
		fill := func(a *Annotation) { a.Emit = func(*Trajectory) error { return full } }
		if _, err := annotated(t, t.Context(), &school{}, 3, household(t, 12), fill); err != full {
			t.Errorf("%v", err)
		}
	})
}
