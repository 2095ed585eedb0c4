package connector

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
)

func TestSettingsRefuse(t *testing.T) {
	t.Setenv("SPARKD_TEST_EMPTY", "")
	for _, tt := range []struct {
		key, value    string
		field, remedy string
	}{
		{"colour", "red", "env.x.options.colour", "text"},
		{"execution_error", "ignore", "env.x.options.execution_error", "fail, observe"},
		{"flag", "yes", "env.x.options.flag", "true"},
		{"timeout", "3", "env.x.options.timeout", "30s"},
		{"timeout", "-3s", "env.x.options.timeout", "30s"},
		{"max_message", "0", "env.x.options.max_message", "1 to 1024"},
		{"max_message", "1025", "env.x.options.max_message", "1 to 1024"},
		{"max_steps", "0", "env.x.options.max_steps", "from 1"},
		{"success", "NaN", "env.x.options.success", "number"},
		{"success", "high", "env.x.options.success", "number"},
		{"reset", "[1]", "env.x.options.reset", "JSON object"},
		{"reset", `{"a":1} {}`, "env.x.options.reset", "JSON object"},
		{"splits", "train=5", "env.x.options.splits", "train=1000-"},
		{"splits", "train=5-4", "env.x.options.splits", "train=1000-"},
		{"splits", "train=-5-4", "env.x.options.splits", "train=1000-"},
		{"splits", "a/b", "env.x.options.splits", "train=1000-"},
		{"splits", "a, a", "env.x.options.splits", "train=1000-"},
		{"splits", "=1-2", "env.x.options.splits", "train=1000-"},
		{"splits", "a=0-9223372036854775807", "env.x.options.splits", "train=1000-"},
		{"token_env", "SPARKD_TEST_EMPTY", "env.x.options.token_env", "before sparkd starts"},
	} {
		s := Read("x", map[string]string{tt.key: tt.value})
		s.Choice("execution_error", "fail", "observe")
		s.Bool("flag")
		s.Duration("timeout", time.Second)
		s.MiB("max_message", 1)
		s.Steps()
		s.Object("reset")
		s.Splits(nil)
		s.Reading()
		s.Token()
		wantInvalid(t, tt.key+"="+tt.value, s.Err(), tt.field, tt.remedy)
	}
	for _, address := range []string{"", "127.0.0.1:80", "ftp://x", "http://", "http://a b", "\x00"} {
		s := Read("x", nil)
		s.URL(address, "http", "https")
		wantInvalid(t, address, s.Err(), "env.x.url", "http://127.0.0.1")
	}
	s := Read("x", nil)
	s.Places(-1)
	wantInvalid(t, "workers", s.Err(), "env.x.workers", "65536")
}

func wantInvalid(t *testing.T, what string, err error, field, remedy string) {
	t.Helper()
	var e *sparkd.Error
	if !errors.As(err, &e) || e.Code != sparkd.CodeInvalid || e.Field != field || !strings.Contains(e.Remedy, remedy) {
		t.Errorf("%q: %v, want an invalid %s with the remedy %q", what, err, field, remedy)
	}
}

func TestSettings(t *testing.T) {
	t.Setenv("SPARKD_TEST_TOKEN", "secret")
	s := Read("x", map[string]string{"flag": " true ", "timeout": "3s", "max_message": "2",
		"max_steps": "7", "reset": `{"a": 1}`,
		"words": " a, ,b ", "success": "0.5", "token_env": "SPARKD_TEST_TOKEN", "splits": "train=1000-, test=5-9,all"})
	if !s.Bool("flag") || s.Duration("timeout", 0) != 3*time.Second ||
		s.MiB("max_message", 1) != 2<<20 || s.Steps() != 7 ||
		Text(s.Object("reset")) != `{"a":1}` || !slices.Equal(s.List("words"), []string{"a", "b"}) ||
		s.Token() != "secret" {
		t.Error("a value is not what was set")
	}
	if n, ok := s.Number("success"); n != 0.5 || !ok {
		t.Errorf("success = %v, %v", n, ok)
	}
	splits := s.Splits(nil)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	if sizes := splits.Sizes(); sizes["train"] != sparkd.Unbounded || sizes["test"] != 5 ||
		sizes["all"] != sparkd.Unbounded || len(sizes) != 3 {
		t.Errorf("sizes = %v", sizes)
	}
	for _, tt := range []struct {
		split       string
		index, want int
		field       string
	}{
		{"train", 3, 1003, ""},
		{"test", 0, 5, ""},
		{"test", 4, 9, ""},
		{"all", 1 << 40, 1 << 40, ""},
		{"test", 5, 0, "tasks.indices"},
		{"test", -1, 0, "tasks.indices"},
		{"train", math.MaxInt, 0, "tasks.indices"},
		{"dev", 0, 0, "tasks.split"},
	} {
		n, err := splits.Number(sparkd.Task{Env: "x", Split: tt.split, Index: tt.index})
		if tt.field != "" {
			wantInvalid(t, tt.split, err, tt.field, "")
		} else if err != nil || n != tt.want {
			t.Errorf("%s/%d is %d, %v; want %d", tt.split, tt.index, n, err, tt.want)
		}
	}
}

func FuzzSplits(f *testing.F) {
	f.Add("train=1000-, test=0-999")
	f.Add("all")
	f.Add("a=1-2,a=3-4")
	f.Fuzz(func(t *testing.T, text string) {
		s := Read("x", map[string]string{"splits": text})
		splits := s.Splits(Splits{"default": {}})
		if s.Err() != nil {
			return
		}
		for name, r := range splits {
			if _, err := splits.Number(sparkd.Task{Split: name}); err != nil && name != "default" {
				t.Fatalf("%q: split %q, %+v has no first task: %v", text, name, r, err)
			}
		}
	})
}

func TestReading(t *testing.T) {
	answer := `{"text": "a", "more": {"list": ["z", "b", "b"], "n": 1.50}, "metadata": {"time": 3}, "won": true, ` +
		`"score": 40, "null": null, "<": 1}`
	for _, tt := range []struct {
		options map[string]string
		reward  float64
		done    bool
		want    sparkd.Observation
	}{
		{nil, 1, false, sparkd.Observation{Text: "a", Reward: 1}},
		{nil, 1, true, sparkd.Observation{Text: "a", Reward: 1, Done: true, Success: true}},
		{nil, 0, true, sparkd.Observation{Text: "a", Done: true}},
		{map[string]string{"success": "0.5"}, 0.4, true, sparkd.Observation{Text: "a", Reward: 0.4, Done: true}},
		{map[string]string{"success": "-1"}, -1, true,
			sparkd.Observation{Text: "a", Reward: -1, Done: true, Success: true}},
		{map[string]string{"success_field": "won"}, 0, true, sparkd.Observation{Text: "a", Done: true, Success: true}},
		{map[string]string{"success_field": "score", "success": "50"}, 9, true,
			sparkd.Observation{Text: "a", Reward: 9, Done: true}},
		{map[string]string{"text": "more.n,null,text,gone"}, 0, false, sparkd.Observation{Text: "1.50\na"}},
		{map[string]string{"admissible": "more.list"}, 0, false,
			sparkd.Observation{Text: "a", Admissible: []string{"b", "z"}}},
		{map[string]string{"admissible": "gone"}, 0, false, sparkd.Observation{Text: "a"}},
	} {
		s := Read("x", tt.options)
		r := s.Reading("message", "text")
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		fields, err := Object([]byte(answer))
		if err != nil {
			t.Fatal(err)
		}
		o, err := r.Observe(fields, tt.reward, tt.done)
		if err != nil || o.Hash() != tt.want.Hash() || (o.Admissible == nil) != (tt.want.Admissible == nil) {
			t.Errorf("%v: %+v, %v; want %+v", tt.options, o, err, tt.want)
		}
	}
	all := Read("x", nil).Reading("message")
	fields, _ := Object([]byte(answer))
	if o, err := all.Observe(fields, 0, false); err != nil ||
		o.Text != `{"<":1,"more":{"list":["z","b","b"],"n":1.50},"null":null,"score":40,"text":"a","won":true}` {
		t.Errorf("all fields: %s, %v", o.Text, err)
	}
}

func TestReadingRefuses(t *testing.T) {
	fields, err := Object([]byte(`{"text": "a", "list": "b", "big": 1e999}`))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"text": "gone", "admissible": "list",
		"success_field": "big", "goal_field": "gone"} {
		r := Read("x", map[string]string{key: value}).Reading("text")
		_, err := r.Observe(fields, 1, true)
		if err == nil {
			_, err = r.Goal(fields)
		}
		var e *sparkd.Error
		if !errors.As(err, &e) || e.Code != sparkd.CodeEnv || e.Field != "env.x.options."+key ||
			!strings.Contains(e.Remedy, "big, list, text") {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]float64{"1": 1, "0.25": 0.25, "-3e2": -300, "true": 1, "false": 0, "null": 0} {
		v, err := Value([]byte(text))
		if n, bad := Number(v); err != nil || bad != nil || n != want {
			t.Errorf("%s is %v, %v %v", text, n, err, bad)
		}
	}
	for _, text := range []string{"1e999", `"1"`, "[1]", "{}"} {
		v, err := Value([]byte(text))
		if n, bad := Number(v); err != nil || bad == nil {
			t.Errorf("%s is %v, %v", text, n, err)
		}
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a": [1, {"b": null}]}`))
	f.Add([]byte(`{"a": 1} {"a": 1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Object(data)
		if err != nil {
			return
		}
		again, err := Object([]byte(Text(o)))
		if err != nil || Text(again) != Text(o) {
			t.Fatalf("%q becomes %q, and then %q, %v", data, Text(o), Text(again), err)
		}
	})
}

func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Read("x", nil).Places(2)
		for range 2 {
			if err := p.Take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		before := time.Now()
		err := p.Take(ctx)
		var e *sparkd.Error
		if !errors.As(err, &e) || e.Code != sparkd.CodeUnavailable || e.Field != "env.x.workers" ||
			!strings.Contains(e.Remedy, "env.x.workers") {
			t.Errorf("no place is free: %v", err)
		}
		if waited := time.Since(before); waited != 9*time.Second || ctx.Err() != nil {
			t.Errorf("waited %v, context %v: the error must come before the deadline", waited, ctx.Err())
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Take(canceled); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
		waiting := make(chan error)
		go func() { waiting <- p.Take(t.Context()) }()
		synctest.Wait()
		p.Free()
		if err := <-waiting; err != nil || p.Held() != 2 {
			t.Errorf("a place that gets free: %v, %d held", err, p.Held())
		}
	})
}

func TestEpisode(t *testing.T) {
	var e Episode
	check := func(what string, want string) {
		t.Helper()
		err := e.Stepping(t.Context())
		if want == "" && err == nil {
			return
		}
		if sparkd.CodeOf(err) != sparkd.CodeEnv || want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	check("at first", "no task")
	_, _ = e.Seen(sparkd.Observation{}, nil)
	check("after a reset", "")
	_, _ = e.Seen(sparkd.Observation{}, io.EOF)
	check("after an error", "cut")
	_, _ = e.Seen(sparkd.Observation{Done: true}, nil)
	check("after the end", "over")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Stepping(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	begin := func() error {
		_, err := e.Begin(t.Context(), Splits{"train": {Count: 1}}, sparkd.Task{Split: "train"})
		return err
	}
	if err := begin(); err != nil || !e.Close() || e.Close() {
		t.Errorf("before Close: %v; or it was not the first Close alone that ended it", err)
	}
	_, _ = e.Seen(sparkd.Observation{}, nil)
	check("after Close", "closed")
	if err := begin(); sparkd.CodeOf(err) != sparkd.CodeEnv {
		t.Errorf("after Close: %v", err)
	}
}

func TestExcerpt(t *testing.T) {
	if got := Excerpt(" a\xff "); got != "a�" {
		t.Errorf("%q", got)
	}
	if got := []rune(Excerpt(strings.Repeat("ü", 1000))); len(got) != 501 {
		t.Errorf("%d runes", len(got))
	}
}
