package coldstart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
	"sparkd/env/alfworld"
)

// school is a server of OpenAI's chat completions: it plays a teacher who answers well,
// except where answer says otherwise.
type school struct {
	// answer handles the n-th request, from 0, and reports whether it has.
	answer func(n int, w http.ResponseWriter, r *http.Request, asked *asked) bool

	mu       sync.Mutex
	requests []*asked
	open     atomic.Int64
	most     atomic.Int64 // requests at a time
}

// asked is a request.
type asked struct {
	Model       string
	Temperature *float64
	MaxTokens   int `json:"max_tokens"`
	Messages    []Message
	key         string
}

// path reads the path out of the messages.
func (a *asked) path() (steps []item) {
	for line := range strings.Lines(a.Messages[1].Content) {
		var s item
		if strings.HasPrefix(line, `{"step":`) && json.Unmarshal([]byte(line), &s) == nil {
			steps = append(steps, item{Reason: "<think>because of " + s.Action + "</think>", Action: s.Action})
		}
	}
	return steps
}

type item struct {
	Reason string `json:"reason"`
	Action string `json:"action"`
}

func list(items []item) string {
	b, err := json.Marshal(items)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// say answers with a text.
func say(w http.ResponseWriter, text, finish string) bool {
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "chat.completion", "usage": map[string]any{"completion_tokens": 9},
		"choices": []any{map[string]any{"index": 0, "finish_reason": finish, "message": map[string]any{"role": "assistant", "content": text}}}})
	return true
}

func (s *school) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.open.Add(1)
	defer s.open.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	a := &asked{key: r.Header.Get("Authorization")}
	if r.URL.Path != "/v1/chat/completions" || json.NewDecoder(r.Body).Decode(a) != nil {
		http.Error(w, `{"error":{"message":"no such route"}}`, http.StatusNotFound)
		return
	}
	s.mu.Lock()
	n := len(s.requests)
	s.requests = append(s.requests, a)
	s.mu.Unlock()
	if s.answer == nil || !s.answer(n, w, r, a) {
		say(w, list(a.path()), "stop")
	}
}

// RoundTrip implements http.RoundTripper without a network, so that time can be made up.
func (s *school) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeHTTP(w, r)
	}()
	<-done
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// hang waits until the client has given up.
func hang(_ int, _ http.ResponseWriter, r *http.Request, _ *asked) bool {
	<-r.Context().Done()
	return true
}

func (s *school) teacher(t *testing.T) *Teacher {
	t.Helper()
	teacher, err := NewTeacher(TeacherOptions{URL: "http://school/v1", Model: "t", Key: "k", Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return teacher
}

// golden is a path of the household, replayed.
func golden(t *testing.T, index int) *Trajectory {
	t.Helper()
	for p, err := range Golden(t.Context(), alfworld.New(), Options{Env: alfworld.Name, Split: "train", From: index, Count: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		tr, err := p.Replay(t.Context(), alfworld.New(), 30, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	return nil
}

// always makes an answer of every request.
func always(text func([]item) string) func(int, http.ResponseWriter, *http.Request, *asked) bool {
	return func(_ int, w http.ResponseWriter, _ *http.Request, a *asked) bool {
		return say(w, text(a.path()), "stop")
	}
}

// changed alters the third object of an answer.
func changed(f func(*item)) func([]item) string {
	return func(items []item) string { f(&items[2]); return list(items) }
}

// What a teacher may answer, and why other answers are refused.
func TestTeacherAnswers(t *testing.T) {
	reason := func(text string) func([]item) string { return changed(func(s *item) { s.Reason = text }) }
	for _, c := range []struct {
		name string
		text func([]item) string
		says string // why it is refused; "" if it is not
	}{
		{"a list", list, ""},
		{"fenced", func(s []item) string { return "```json\n" + list(s) + "\n```" }, ""},
		{"fenced without a name", func(s []item) string { return "\n```\n" + list(s) + "\n```\n" }, ""},
		{"more fields", func(s []item) string { return strings.ReplaceAll(list(s), `{"reason"`, `{"step":1,"reason"`) }, ""},
		{"explores", reason(" <explore>a or b, 1 < 2?</explore>\n"), ""},
		{"too short", func(s []item) string { return list(s[1:]) }, "objects for"},
		{"too long", func(s []item) string { return list(append(s, s[0])) }, "objects for"},
		{"empty list", func([]item) string { return "[]" }, "0 objects for"},
		{"null", func([]item) string { return "null" }, "0 objects for"},
		{"nothing", func([]item) string { return "" }, "no JSON list"},
		{"prose", func([]item) string { return "Sure! Here you are." }, "no JSON list"},
		{"prose around", func(s []item) string { return "Sure: " + list(s) }, "no JSON list"},
		{"an object", func(s []item) string { return `{"steps":` + list(s) + `}` }, "no JSON list"},
		{"cut", func(s []item) string { return strings.TrimSuffix(list(s), "}]") }, "no JSON list"},
		{"two lists", func(s []item) string { return list(s) + list(s) }, "no JSON list"},
		{"numbers", func([]item) string { return `[{"reason":1,"action":2}]` }, "no JSON list"},
		{"other action", changed(func(s *item) { s.Action = "look" }), `the action of step 3 is "`},
		{"action in other case", changed(func(s *item) { s.Action = strings.ToUpper(s.Action) }), "the action of step 3"},
		{"no reason", reason(""), "the reason of step 3 does not begin"},
		{"no tag", reason("because"), "does not begin"},
		{"other tag", reason("<planning>a</planning>"), "does not begin"},
		{"other case", reason("<Think>a</Think>"), "does not begin"},
		{"text in front", reason("so <think>a</think>"), "does not begin"},
		{"text behind", reason("<think>a</think> so"), "does not end with </think>"},
		{"not closed", reason("<think>a"), "does not end with </think>"},
		{"closed as the other", reason("<think>a</explore>"), "does not end with </think>"},
		{"empty pair", reason("<think> \n</think>"), "is empty"},
		{"overlap", reason("<think></think></think>"), "has a tag inside"},
		{"two pairs", reason("<think>a</think><think>b</think>"), "has a tag inside"},
		{"a tag inside", reason("<think>a <b>b</think>"), "has a tag inside"},
		{"the action inside", reason("<think>a</think><action>look</action></think>"), "has a tag inside"},
		{"a control token", reason("<think>a <|im_end|> b</think>"), "has a tag inside"},
		{"CJK", reason("<think>我</think>"), "Chinese"},
		{"an essay", reason("<think>" + strings.Repeat("a", maxReason) + "</think>"), "longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &school{answer: always(c.text)}
			tr := golden(t, 2)
			teacher := s.teacher(t)
			err := teacher.Annotate(t.Context(), tr)
			all, denied := teacher.Answers()
			if c.says == "" {
				if err != nil || all != 1 || denied != 0 {
					t.Fatalf("%v after %d answers, %d denied", err, all, denied)
				}
				for i := range tr.Steps {
					if checkReason(tr.Steps[i].Reason) != nil {
						t.Errorf("step %d: %q", i+1, tr.Steps[i].Reason)
					}
				}
				return
			}
			if sparkd.CodeOf(err) != sparkd.CodeInvalid || !strings.Contains(err.Error(), c.says) || all != asks || denied != asks {
				t.Fatalf("%v after %d answers, %d denied; want %q", err, all, denied, c.says)
			}
			if slices.ContainsFunc(tr.Steps, func(s Step) bool { return s.Reason != "" }) {
				t.Error("a refused answer was entered")
			}
			for i, r := range s.requests {
				if got := strings.Contains(r.Messages[1].Content, c.says); got != (i > 0) {
					t.Errorf("request %d tells why the last answer was refused: %v", i, got)
				}
			}
		})
	}
}

// A request has the model, the key, a temperature of 0 that is spelled out, a bound, the
// goal and every step.
func TestTeacherRequest(t *testing.T) {
	s := &school{}
	tr := golden(t, 2)
	if err := s.teacher(t).Annotate(t.Context(), tr); err != nil {
		t.Fatal(err)
	}
	a := s.requests[0]
	if a.Model != "t" || a.key != "Bearer k" || a.Temperature == nil || *a.Temperature != 0 || a.MaxTokens != 4096 || len(a.Messages) != 2 {
		t.Errorf("%+v", a)
	}
	if got := a.path(); len(got) != len(tr.Steps) || !strings.Contains(a.Messages[1].Content, tr.Goal) || !strings.Contains(a.Messages[1].Content, fmt.Sprintf("%d objects", len(tr.Steps))) {
		t.Errorf("%d steps are told of %d in\n%s", len(got), len(tr.Steps), a.Messages[1].Content)
	}
}

// Failures that may pass are met by patience, others not, and nothing waits for ever.
func TestTeacherFaults(t *testing.T) {
	status := func(code, times int, after string) func(int, http.ResponseWriter, *http.Request, *asked) bool {
		return func(n int, w http.ResponseWriter, _ *http.Request, _ *asked) bool {
			if n >= times {
				return false
			}
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			http.Error(w, `{"error":{"message":"no"}}`, code)
			return true
		}
	}
	for _, c := range []struct {
		name     string
		answer   func(int, http.ResponseWriter, *http.Request, *asked) bool
		code     sparkd.Code // "" is success
		field    string
		requests int
		from, to time.Duration
	}{
		{"429 with Retry-After", status(429, 1, "20"), "", "", 2, 20 * time.Second, 20 * time.Second},
		{"429 for ever", status(429, 99, ""), sparkd.CodeUnavailable, "teacher", resends + 1, 15 * time.Second, 23 * time.Second},
		{"429 for an hour", status(429, 1, "3600"), "", "", 2, longest, longest},
		{"500 twice", status(500, 2, ""), "", "", 3, 3 * time.Second, 5 * time.Second},
		{"503 for ever", status(503, 99, ""), sparkd.CodeUnavailable, "teacher", resends + 1, 15 * time.Second, 23 * time.Second},
		{"500 for ever", status(500, 99, ""), sparkd.CodeEngine, "teacher", resends + 1, 15 * time.Second, 23 * time.Second},
		{"401", status(401, 99, ""), sparkd.CodeUnauthorized, "teacher-key-file", 1, 0, 0},
		{"404", status(404, 99, ""), sparkd.CodeNotFound, "teacher-model", 1, 0, 0},
		{"400", status(400, 99, ""), sparkd.CodeEngine, "teacher", 1, 0, 0},
		{"hangs once", func(n int, w http.ResponseWriter, r *http.Request, a *asked) bool { return n == 0 && hang(n, w, r, a) }, "", "", 2, 2*time.Minute + 4*time.Second, 2*time.Minute + 6*time.Second},
		{"hangs for ever", hang, sparkd.CodeUnavailable, "teacher", 2, 4 * time.Minute, 5 * time.Minute},
		{"no completion", func(_ int, w http.ResponseWriter, _ *http.Request, _ *asked) bool {
			fmt.Fprint(w, "<html>")
			return true
		}, sparkd.CodeEngine, "teacher", 1, 0, 0},
		{"no choice", func(_ int, w http.ResponseWriter, _ *http.Request, _ *asked) bool {
			fmt.Fprint(w, "{}")
			return true
		}, sparkd.CodeInvalid, "teacher-model", asks, 0, 0},
		{"endless", func(_ int, w http.ResponseWriter, _ *http.Request, _ *asked) bool {
			return say(w, strings.Repeat("a", 5<<20), "stop")
		}, sparkd.CodeEngine, "teacher", 1, 0, 0},
		{"cut off", func(_ int, w http.ResponseWriter, _ *http.Request, a *asked) bool {
			return say(w, list(a.path()), "length")
		}, sparkd.CodeInvalid, "teacher-model", asks, 0, 0},
		{"refused, then good", func(n int, w http.ResponseWriter, _ *http.Request, a *asked) bool {
			return n < 2 && say(w, "no", "stop")
		}, "", "", 3, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := golden(t, 2)
			synctest.Test(t, func(t *testing.T) {
				s := &school{answer: c.answer}
				began := time.Now()
				err := s.teacher(t).Annotate(t.Context(), tr)
				took := time.Since(began)
				if sparkd.CodeOf(err) != c.code || c.code != "" && (sparkd.AsError(err).Field != c.field || sparkd.AsError(err).Remedy == "") {
					t.Errorf("%#v", err)
				}
				if len(s.requests) != c.requests || took < c.from || took > c.to {
					t.Errorf("%d requests in %v", len(s.requests), took)
				}
			})
		})
	}
}

// The end of the context ends a request, and a pause between two.
func TestTeacherIsCanceled(t *testing.T) {
	tr := golden(t, 2)
	for name, answer := range map[string]func(int, http.ResponseWriter, *http.Request, *asked) bool{"hangs": hang, "pauses": func(_ int, w http.ResponseWriter, _ *http.Request, _ *asked) bool {
		w.Header().Set("Retry-After", "100")
		w.WriteHeader(429)
		return true
	}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			began := time.Now()
			s := &school{answer: answer}
			if err := s.teacher(t).Annotate(ctx, tr); sparkd.CodeOf(err) != sparkd.CodeDeadline || time.Since(began) != 5*time.Second {
				t.Errorf("%s: %v after %v", name, err, time.Since(began))
			}
		})
	}
}

func TestTeacherOptions(t *testing.T) {
	for _, c := range []struct {
		o     TeacherOptions
		field string
	}{
		{TeacherOptions{URL: "http://a/v1"}, "teacher-model"},
		{TeacherOptions{URL: "a/v1", Model: "m"}, "teacher"},
		{TeacherOptions{URL: "", Model: "m"}, "teacher"},
		{TeacherOptions{URL: "http://a/v1?x=1", Model: "m"}, "teacher"},
		{TeacherOptions{URL: "http://a/v1", Model: "m", Key: "a\nb"}, "teacher-key-file"},
	} {
		if _, err := NewTeacher(c.o); sparkd.CodeOf(err) != sparkd.CodeInvalid || sparkd.AsError(err).Field != c.field || sparkd.AsError(err).Remedy == "" {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// annotated runs an Annotation over household tasks and returns what it did, in order.
func annotated(t *testing.T, ctx context.Context, s *school, inflight int, paths iter.Seq2[Path, error], edit func(*Annotation)) (did []string, err error) {
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
	for i, want := range []string{"ok", "does not reach the goal", "the episode ends after", "does not reach the goal", "more than 30", "internal error", "ok"} {
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
	for _, c := range []struct {
		name   string
		answer func(int, http.ResponseWriter, *http.Request, *asked) bool
		code   sparkd.Code
		left   int
	}{
		{"wrong key", func(_ int, w http.ResponseWriter, _ *http.Request, _ *asked) bool { w.WriteHeader(401); return true }, sparkd.CodeUnauthorized, 0},
		{"broken", func(_ int, w http.ResponseWriter, _ *http.Request, _ *asked) bool { w.WriteHeader(502); return true }, sparkd.CodeUnavailable, maxTrouble - 1},
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
		s := &school{answer: func(n int, w http.ResponseWriter, r *http.Request, a *asked) bool { return n >= 3 && hang(n, w, r, a) }}
		time.AfterFunc(time.Minute, cancel)
		did, err := annotated(t, ctx, s, 2, household(t, 12), func(*Annotation) {})
		if sparkd.CodeOf(err) != sparkd.CodeCanceled || len(did) > 3 {
			t.Errorf("%q, %v", did, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("full")
		if _, err := annotated(t, t.Context(), &school{}, 3, household(t, 12), func(a *Annotation) { a.Emit = func(*Trajectory) error { return full } }); err != full {
			t.Errorf("%v", err)
		}
	})
}

// FuzzTeacherAnswer: what is accepted has a reason of the right form for every step.
func FuzzTeacherAnswer(f *testing.F) {
	f.Add(`[{"reason":"<think>a</think>","action":"go to desk 1"},{"reason":"<explore>a or b</explore>","action":"look"}]`)
	f.Add("```json\n[{\"reason\":\"<think>a</think>\",\"action\":\"go to desk 1\"}]\n```")
	f.Add(`[[[{"reason":{}}`)
	f.Add("```\n```")
	f.Fuzz(func(t *testing.T, text string) {
		steps := []Step{{Action: "go to desk 1"}, {Action: "look"}}
		a := teacherAnswer{text: text}
		reasons, err := a.reasons(steps)
		if err != nil {
			if len(err.Error()) > 4000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		for _, r := range reasons {
			if n := strings.Count(r, "<explore>") + strings.Count(r, "<think>"); n != 1 {
				t.Errorf("%d modes in %q", n, r)
			}
			if checkReason(r) != nil || strings.Contains(r, "<|") {
				t.Errorf("%q is accepted", r)
			}
		}
		if len(reasons) != len(steps) {
			t.Errorf("%d reasons", len(reasons))
		}
	})
}
