package engine_test

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/engine"
	"sparkd/engine/enginetest"
	"sparkd/engine/remote"
	"sparkd/internal/httpclient"
)

// finish is how the dialects write why a continuation ended.
var finish = map[string]*regexp.Regexp{
	"vllm": regexp.MustCompile(`"finish_reason":"[^"]*"`), "generic": regexp.MustCompile(`"finish_reason":"[^"]*"`),
	"sglang": regexp.MustCompile(`"type":"(stop|length)"`), "llamacpp": regexp.MustCompile(`"stop_type":"[^"]*"`),
}

// TestFinishReasons: a continuation ends by itself, at a limit, or not at all, in the words of any server.
func TestFinishReasons(t *testing.T) {
	for _, dialect := range dialects() {
		d := &enginetest.Double{}
		e := open(t, d.Serve(dialect))
		r := sampleOf(t, e)
		for word, want := range map[string]any{
			"stop": sparkd.FinishStop, "eos": sparkd.FinishStop, "eos_token": sparkd.FinishStop,
			"tool_calls": sparkd.FinishStop, "STOP": sparkd.FinishStop, "end_turn": sparkd.FinishStop,
			"length": sparkd.FinishLength, "max_tokens": sparkd.FinishLength, "null": sparkd.FinishLength,
			"abort": sparkd.CodeUnavailable, "error": sparkd.CodeUnavailable,
			"content_filter": sparkd.CodeEngine, "tired": sparkd.CodeEngine,
		} {
			d.Spoil(func(w http.ResponseWriter, whole string) {
				value := `"` + word + `"`
				if word == "null" {
					value = word
				}
				key, _, _ := strings.Cut(finish[dialect].FindString(whole), ":")
				_, _ = io.WriteString(w, finish[dialect].ReplaceAllLiteralString(whole, key+":"+value))
			})
			got, err := e.Sample(t.Context(), r)
			switch {
			case err != nil && sparkd.CodeOf(err) != want:
				t.Errorf("%s %s: %v", dialect, word, err)
			case err == nil && got.Samples[0].Finish != want:
				t.Errorf("%s %s: %s", dialect, word, got.Samples[0].Finish)
			}
		}
	}
}

// TestNoFinishReason: a continuation shorter than its limit of which nothing says why it ended has ended by itself.
func TestNoFinishReason(t *testing.T) {
	for _, dialect := range []string{"vllm", "sglang", "llamacpp"} {
		d := &enginetest.Double{}
		e := open(t, d.Serve(dialect))
		r := sampleOf(t, e)
		r.Sampling = sparkd.Sampling{Temperature: 0, MaxTokens: 40}
		whole, err := e.Sample(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		r.Sampling.Stop = []string{whole.Samples[0].Text[5:7]}
		d.Spoil(func(w http.ResponseWriter, whole string) {
			key, _, _ := strings.Cut(finish[dialect].FindString(whole), ":")
			_, _ = io.WriteString(w, finish[dialect].ReplaceAllLiteralString(whole, key+":null"))
		})
		got, err := e.Sample(t.Context(), r)
		if err != nil || got.Samples[0].Finish != sparkd.FinishStop {
			t.Errorf("%s: %+v, %v", dialect, got.Samples, err)
		}
	}
}

// odd are answers that are not quite as documented, by their dialects; "" is read, else the code of the error.
var odd = []struct {
	dialect, from, to string
	code              sparkd.Code
	says              string
}{
	{"vllm", `"usage":{.*?}}`, `"usage":null`, "", ""},
	{"vllm", `"index":\d+,`, ``, "", ""},
	{"vllm", `"index":\d+`, `"index":7`, "", ""},
	{"vllm", `"id":"x",`, `"id":null,`, "", ""},
	{"vllm", `"token_ids":`, `"ids":`, "", ""}, // of older servers; the tokens of the logprobs are ids
	{"vllm", `"token_ids":\[[^\]]*\]|"tokens":\[[^\]]*\]`, `"a":1`, sparkd.CodeEngine, "generic"},
	{"vllm", `"logprobs":{"token_logprobs".*?}\]}`, `"logprobs":null`, sparkd.CodeEngine, "no logprobs"},
	{"vllm", `"token_logprobs":\[[^,]*,`, `"token_logprobs":[null,`, sparkd.CodeEngine, "no logprob for token 0"},
	{"vllm", `"token_logprobs":\[[^,]*,`, `"token_logprobs":[-1e999,`, sparkd.CodeEngine, "expected"},
	{"vllm", `("token_id:\d+"):[^,}]*}`, `$1:null}`, "", ""}, // an alternative that cannot come
	{"vllm", `"text":"[^"]*"`, `"text":null`, "", ""},
	{"sglang", `"output_ids":`, `"ids":`, "", ""},
	{"sglang", `"cached_tokens":\d+`, `"cached_tokens":null`, "", ""},
	{"sglang", `"output_token_logprobs":.*?\]\]`, `"output_token_logprobs":null`, sparkd.CodeEngine, "0 logprobs"},
	{"sglang", `"output_token_logprobs":\[\[[^,]*,`, `"output_token_logprobs":[[null,`, sparkd.CodeEngine, "token 0"},
	{"sglang", `"output_top_logprobs":\[\[\[[^,]*,`, `"output_top_logprobs":[[[null,`, "", ""},
	{"sglang", `"type":"(stop|length)"`, `"type":"abort","message":"no room","status_code":503`, sparkd.CodeUnavailable,
		"no room"},
	{"sglang", `"type":"(stop|length)"`, `"type":"abort","message":"bad","status_code":400`, sparkd.CodeInvalid, "bad"},
	{"llamacpp", `"timings":{[^}]*}`, `"timings":null`, "", ""},
	{"llamacpp", `"model":"[^"]*"`, `"model":null`, "", ""},
	{"llamacpp", `"logprob":[^,}]*,"top_logprobs"`, `"logprob":null,"top_logprobs"`, sparkd.CodeEngine, "no logprob"},
	{"llamacpp", `"completion_probabilities":`, `"probabilities":`, sparkd.CodeEngine, "no logprob"},
	{"generic", `"usage":{.*?}`, `"usage":null`, "", ""},
	{"generic", `"index":\d+,`, ``, "", ""},
	{"generic", `"model":"[^"]*"`, `"model":null`, "", ""},
	{"generic", `"text":"[^"]*"`, `"text":null`, sparkd.CodeEngine, "no tokens"},
	{"generic", `"finish_reason":"length"(.*?)"text":"[^"]*"`, `"finish_reason":"stop"$1"text":null`, sparkd.CodeEngine,
		"no text"},
	{"generic", `"finish_reason":"length"(.*?)"text":"[^"]*"`,
		`"finish_reason":"stop"$1"message":{"role":"assistant","content":"hi"}`, sparkd.CodeEngine, "no text"},
}

// TestOddAnswers: what is missing is missing, what is wrong is an error, and nothing is read as something else.
func TestOddAnswers(t *testing.T) {
	for _, x := range odd {
		d := &enginetest.Double{}
		e := open(t, d.Serve(x.dialect))
		r := sampleOf(t, e)
		r.Sampling.Temperature = 0
		want, err := e.Sample(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		d.Spoil(func(w http.ResponseWriter, whole string) {
			spoilt := regexp.MustCompile(x.from).ReplaceAllString(whole, x.to)
			if spoilt == whole {
				t.Errorf("%s %s spoils nothing", x.dialect, x.from)
			}
			_, _ = io.WriteString(w, spoilt)
		})
		got, err := e.Sample(t.Context(), r)
		switch {
		case sparkd.CodeOf(err) != x.code, err != nil && !strings.Contains(err.Error(), x.says):
			t.Errorf("%s %s: %v (%s), want %s", x.dialect, x.to, err, sparkd.CodeOf(err), x.code)
		case err == nil && !slices.Equal(got.Samples[0].Tokens, want.Samples[0].Tokens),
			err == nil && !slices.Equal(got.Samples[0].Logprobs, want.Samples[0].Logprobs):
			t.Errorf("%s %s: %+v, want %+v", x.dialect, x.to, got.Samples[0], want.Samples[0])
		}
	}
}

// TestAnotherModel: a server that comes back with another model is found out before it is asked again, until it has
// its own again.
func TestAnotherModel(t *testing.T) {
	for _, dialect := range []string{"vllm", "llamacpp"} {
		d := &enginetest.Double{}
		e := open(t, d.Serve(dialect))
		for _, x := range []struct {
			version string
			other   bool
			want    sparkd.Code
			once    bool // ErrRestarted
		}{
			{"", false, "", false}, {"2", true, sparkd.CodeEngine, false}, {"2", true, sparkd.CodeEngine, false},
			{"3", false, sparkd.CodeUnavailable, true}, {"3", false, "", false},
		} {
			d.Version, d.Other = x.version, x.other
			err := e.Probe(t.Context())
			if e := sparkd.AsError(err); sparkd.CodeOf(err) != x.want || x.want == sparkd.CodeEngine &&
				e.Field != "engine.served_model" || httpclient.IsPassing(err) {
				t.Errorf("%s %+v: %v", dialect, x, err)
			}
		}
		d.Names, d.Version = []string{"another"}, "4"
		if err := e.Probe(t.Context()); sparkd.CodeOf(err) != sparkd.CodeEngine {
			t.Errorf("%s lists another model: %v", dialect, err)
		}
	}
	d := &enginetest.Double{}
	e := open(t, d.Serve("generic"))
	if d.Names = []string{"another"}; sparkd.CodeOf(e.Probe(t.Context())) != sparkd.CodeEngine {
		t.Error("a server that lists another model is taken for what it was")
	}
}

// TestWeightsOfARestart: a server that was started anew has the weights again that it was started with.
func TestWeightsOfARestart(t *testing.T) {
	d := &enginetest.Double{}
	e := open(t, d.Serve("sglang"))
	if _, err := e.Reload(t.Context(), sparkd.Weights{Path: "/weights/8", Version: "8"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Probe(t.Context()); err != nil || e.Describe().PolicyVersion != "8" {
		t.Errorf("%v, %s", err, e.Describe().PolicyVersion)
	}
	d.Version = ""
	if err := e.Probe(t.Context()); err == nil || e.Describe().PolicyVersion != "step-7" {
		t.Errorf("after a restart: %v, %s", err, e.Describe().PolicyVersion)
	}
}

// TestMissing: what a server lacks is said with what to do, when it is connected.
func TestMissing(t *testing.T) {
	for _, x := range []struct {
		dialect  string
		m        enginetest.Mean
		says     string // "" opens
		samples2 bool
	}{
		{"vllm", enginetest.Mean{Missing: []string{"/tokenize"}}, `engine.dialect = "generic"`, false},
		{"sglang", enginetest.Mean{Missing: []string{"/tokenize"}}, `engine.dialect = "generic"`, false},
		{"vllm", enginetest.Mean{Missing: []string{"/v1/models"}}, "404", false},
		{"vllm", enginetest.Mean{Lacks: []string{"return_token_ids"}}, "return_token_ids", false},
		{"generic", enginetest.Mean{Lacks: []string{"seed"}}, "", true},
		{"generic", enginetest.Mean{Lacks: []string{"presence_penalty", "frequency_penalty", "n"}}, "", true},
		{"generic", enginetest.Mean{Lacks: []string{"temperature"}}, "temperature", false},
	} {
		server := serving(t, enginetest.Serve(x.dialect, x.m))
		e, err := engine.Connect(t.Context(), "auto", remote.Options{URL: server})
		if err == nil {
			r := sampleOf(t, e)
			r.K, r.Seeds = 2, []uint64{1, 2}
			if _, err := e.Sample(t.Context(), r); err != nil {
				t.Errorf("%s %+v: %v", x.dialect, x.m, err)
			}
			e.Close()
		}
		if (err == nil) != x.samples2 || err != nil && !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s %+v: %v", x.dialect, x.m, err)
		}
	}
}
