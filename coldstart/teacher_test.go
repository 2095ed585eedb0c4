package coldstart

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sashabaranov/go-openai"

	"sparkd"
)

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
		{"more fields", func(s []item) string {
			return strings.ReplaceAll(list(s), `{"reason"`, `{"step":1,"reason"`)
		}, ""},
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
		{"action in other case", changed(func(s *item) { s.Action = strings.ToUpper(s.Action) }),
			"the action of step 3"},
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
			if sparkd.CodeOf(err) != sparkd.CodeInvalid || !strings.Contains(err.Error(), c.says) ||
				all != asks || denied != asks {
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
	if a.Model != "t" || a.key != "Bearer k" || a.Temperature == nil || *a.Temperature != 0 ||
		a.MaxTokens != 4096 || len(a.Messages) != 2 {
		t.Errorf("%+v", a)
	}
	user := a.Messages[1].Content
	if got := a.path(); len(got) != len(tr.Steps) || !strings.Contains(user, tr.Goal) ||
		!strings.Contains(user, fmt.Sprintf("%d objects", len(tr.Steps))) {
		t.Errorf("%d steps are told of %d in\n%s", len(got), len(tr.Steps), a.Messages[1].Content)
	}
}

// Failures that may pass are met by patience, others not, and nothing waits for ever.
func TestTeacherFaults(t *testing.T) {
	status := func(code, times int, after string) answers {
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
		answer   answers
		code     sparkd.Code // "" is success
		field    string
		requests int
		from, to time.Duration
	}{
		{"429 with Retry-After", status(429, 1, "20"), "", "", 2, 20 * time.Second, 20 * time.Second},
		{"429 for ever", status(429, 99, ""), sparkd.CodeUnavailable, "teacher", resends + 1,
			15 * time.Second, 23 * time.Second},
		{"429 for an hour", status(429, 1, "3600"), "", "", 2, longest, longest},
		{"500 twice", status(500, 2, ""), "", "", 3, 3 * time.Second, 5 * time.Second},
		{"503 for ever", status(503, 99, ""), sparkd.CodeUnavailable, "teacher", resends + 1,
			15 * time.Second, 23 * time.Second},
		{"500 for ever", status(500, 99, ""), sparkd.CodeEngine, "teacher", resends + 1,
			15 * time.Second, 23 * time.Second},
		{"401", status(401, 99, ""), sparkd.CodeUnauthorized, "teacher-key-file", 1, 0, 0},
		{"404", status(404, 99, ""), sparkd.CodeNotFound, "teacher-model", 1, 0, 0},
		{"400", status(400, 99, ""), sparkd.CodeEngine, "teacher", 1, 0, 0},
		{"hangs once", func(n int, w http.ResponseWriter, r *http.Request, a *asked) bool {
			return n == 0 && hang(n, w, r, a)
		}, "", "", 2, 2*time.Minute + 4*time.Second, 2*time.Minute + 6*time.Second},
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
				e := sparkd.AsError(err)
				if sparkd.CodeOf(err) != c.code || c.code != "" && (e.Field != c.field || e.Remedy == "") {
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
	pauses := func(_ int, w http.ResponseWriter, _ *http.Request, _ *asked) bool {
		w.Header().Set("Retry-After", "100")
		w.WriteHeader(429)
		return true
	}
	for name, answer := range map[string]answers{"hangs": hang, "pauses": pauses} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			began := time.Now()
			s := &school{answer: answer}
			err := s.teacher(t).Annotate(ctx, tr)
			if sparkd.CodeOf(err) != sparkd.CodeDeadline || time.Since(began) != 5*time.Second {
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
		_, err := NewTeacher(c.o)
		e := sparkd.AsError(err)
		if err == nil || e.Code != sparkd.CodeInvalid || e.Field != c.field || e.Remedy == "" {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// FuzzTeacherAnswer: what is accepted has a reason of the right form for every step.
func FuzzTeacherAnswer(f *testing.F) {
	f.Add(`[{"reason":"<think>a</think>","action":"go to desk 1"},` +
		`{"reason":"<explore>a or b</explore>","action":"look"}]`)
	f.Add("```json\n[{\"reason\":\"<think>a</think>\",\"action\":\"go to desk 1\"}]\n```")
	f.Add(`[[[{"reason":{}}`)
	f.Add("```\n```")
	f.Fuzz(func(t *testing.T, text string) {
		steps := []Step{{Action: "go to desk 1"}, {Action: "look"}}
		message := openai.ChatCompletionMessage{Content: text}
		answer := openai.ChatCompletionResponse{Choices: []openai.ChatCompletionChoice{{Message: message}}}
		reasons, err := reasonsIn(&answer, steps)
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
