package openai_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sparkd"
	"sparkd/engine/enginetest"
	"sparkd/engine/openai"
	"sparkd/internal/httpclient"
)

func open(t *testing.T, h http.Handler) *openai.Engine {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	e, err := openai.Open(t.Context(), openai.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestSGLang(t *testing.T) {
	e := open(t, sglangServer(&toy{}))
	about := e.Describe()
	if about.Dialect != "sglang" || about.PolicyVersion != "step-7" || about.BOS != toyBOS || !about.AddBOS {
		t.Errorf("%+v", about)
	}
	want := sparkd.Capabilities{TokenExact: true, Logprobs: "raw", Entropy: "top_k", NativeK: true, TopK: 20, CachedCounts: true, Abort: true, Reload: true}
	if got := about.Capabilities; got.Deterministic == "" {
		t.Error("nothing is said of seeds")
	} else if got.Deterministic = ""; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	enginetest.Run(t, e, enginetest.Options{})
}

func TestSGLangReload(t *testing.T) {
	e := open(t, sglangServer(&toy{}))
	for _, w := range []sparkd.Weights{{}, {Path: "/weights/8"}, {Path: "/weights/9", Version: "9"}, {Path: "/weights/8", Version: "8", LoRA: true}} {
		if _, err := e.Reload(t.Context(), w); err == nil || e.Describe().PolicyVersion != "step-7" {
			t.Errorf("%+v: %v, now %s", w, err, e.Describe().PolicyVersion)
		}
	}
	version, err := e.Reload(t.Context(), sparkd.Weights{Path: "/weights/8", Version: "8"})
	if err != nil || version != "8" || e.Describe().PolicyVersion != "8" {
		t.Errorf("%s, %v, now %s", version, err, e.Describe().PolicyVersion)
	}
	got, err := e.Sample(t.Context(), sparkd.SampleRequest{Prefix: []sparkd.Token{'a'}, K: 1, Seeds: []uint64{1}, Sampling: sparkd.Sampling{MaxTokens: 2}})
	if err != nil || got.PolicyVersion != "8" || got.ExpectedTokens != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestGeneric(t *testing.T) {
	e := open(t, openaiServer(&toy{}))
	about := e.Describe()
	want := sparkd.Capabilities{Logprobs: "none", Entropy: "none", NativeK: true, Abort: true}
	if got := about.Capabilities; about.Dialect != "generic" || got.TokenExact {
		t.Errorf("%+v", about)
	} else if got.Deterministic, got.TopK = "", 0; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	enginetest.Run(t, e, enginetest.Options{})
	if _, err := e.Reload(t.Context(), sparkd.Weights{Path: "x", Version: "1"}); sparkd.CodeOf(err) != sparkd.CodeInvalid {
		t.Errorf("reload: %v", err)
	}
}

func TestDetect(t *testing.T) {
	for want, routes := range map[string]map[string]string{
		"vllm":     {"/version": `{"version": "0.32.0"}`},
		"ollama":   {"/api/version": `{"version": "0.33.0"}`},
		"sglang":   {"/get_model_info": `{"model_path": "x"}`},
		"llamacpp": {"/props": `{"total_slots": 4, "build_info": "b1-x"}`, "/api/version": `{"version": "0"}`},
		"generic":  {"/version": `hello`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if text, ok := routes[r.URL.Path]; ok {
				_, _ = w.Write([]byte(text))
				return
			}
			http.NotFound(w, r)
		}))
		got, _, err := openai.Detect(t.Context(), httpclient.Options{URL: server.URL})
		server.Close()
		if got != want || err != nil {
			t.Errorf("%s is taken for %q, %v", want, got, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	server := httptest.NewServer(sglangServer(&toy{}))
	defer server.Close()
	for field, o := range map[string]openai.Options{
		"engine.replicas":     {URL: "localhost:80"},
		"engine.dialect":      {URL: server.URL, Dialect: "tgi"},
		"engine.served_model": {URL: server.URL, Model: "other"},
		"engine.top_logprobs": {URL: server.URL, TopLogprobs: 1},
		"engine.tokenizer":    {URL: server.URL, Tokenizer: t.TempDir()},
	} {
		_, err := openai.Open(t.Context(), o)
		if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeInvalid || e.Field != field || e.Remedy == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, err := openai.Open(t.Context(), openai.Options{URL: server.URL, Dialect: "ollama"})
	if err == nil || !strings.Contains(err.Error(), "package ollama") {
		t.Errorf("ollama: %v", err)
	}
}
