package engine_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"sparkd"
	"sparkd/engine"
	"sparkd/engine/enginetest"
	"sparkd/engine/remote"
)

func open(t *testing.T, h http.Handler) *remote.Engine { return connect(t, h, "") }

// serving returns the address of a server.
func serving(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// connect opens a server that is asked for a model.
func connect(t *testing.T, h http.Handler, model string) *remote.Engine {
	t.Helper()
	e, err := engine.Connect(t.Context(), "auto", remote.Options{URL: serving(t, h), Model: model})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestSGLang(t *testing.T) {
	e := open(t, enginetest.Serve("sglang", enginetest.Mean{}))
	about := e.Describe()
	if about.Dialect != "sglang" || about.PolicyVersion != "step-7" || about.BOS != enginetest.ToyBOS || !about.AddBOS {
		t.Errorf("%+v", about)
	}
	want := sparkd.Capabilities{TokenExact: true, Logprobs: "raw", Entropy: "top_k", NativeK: true, TopK: 20,
		CachedCounts: true, Abort: true, Reload: true}
	if got := about.Capabilities; got.Deterministic == "" {
		t.Error("nothing is said of seeds")
	} else if got.Deterministic = ""; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	enginetest.Run(t, e, enginetest.Options{})
}

func TestSGLangReload(t *testing.T) {
	e := open(t, enginetest.Serve("sglang", enginetest.Mean{}))
	for _, w := range []sparkd.Weights{{}, {Path: "/weights/8"}, {Path: "/weights/9", Version: "9"},
		{Path: "/weights/8", Version: "8", LoRA: true}} {
		if _, err := e.Reload(t.Context(), w); err == nil || e.Describe().PolicyVersion != "step-7" {
			t.Errorf("%+v: %v, now %s", w, err, e.Describe().PolicyVersion)
		}
	}
	version, err := e.Reload(t.Context(), sparkd.Weights{Path: "/weights/8", Version: "8"})
	if err != nil || version != "8" || e.Describe().PolicyVersion != "8" {
		t.Errorf("%s, %v, now %s", version, err, e.Describe().PolicyVersion)
	}
	got, err := e.Sample(t.Context(), sparkd.SampleRequest{Prefix: []sparkd.Token{'a'}, K: 1, Seeds: []uint64{1},
		Sampling: sparkd.Sampling{MaxTokens: 2}})
	if err != nil || got.PolicyVersion != "8" || got.ExpectedTokens != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestGeneric(t *testing.T) {
	e := open(t, enginetest.Serve("generic", enginetest.Mean{}))
	about := e.Describe()
	want := sparkd.Capabilities{Logprobs: "none", Entropy: "none", NativeK: true, Abort: true}
	if got := about.Capabilities; about.Dialect != "generic" || got.TokenExact {
		t.Errorf("%+v", about)
	} else if got.Deterministic, got.TopK = "", 0; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	enginetest.Run(t, e, enginetest.Options{})
	_, err := e.Reload(t.Context(), sparkd.Weights{Path: "x", Version: "1"})
	if sparkd.CodeOf(err) != sparkd.CodeInvalid {
		t.Errorf("reload: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	server := httptest.NewServer(enginetest.Serve("sglang", enginetest.Mean{}))
	defer server.Close()
	for field, o := range map[string]remote.Options{
		"engine.replicas":     {URL: "localhost:80"},
		"engine.dialect":      {URL: server.URL},
		"engine.served_model": {URL: server.URL, Model: "other"},
		"engine.tokenizer":    {URL: server.URL, Tokenizer: t.TempDir()},
	} {
		dialect := "auto"
		if field == "engine.dialect" {
			dialect = "tgi"
		}
		_, err := engine.Connect(t.Context(), dialect, o)
		if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeInvalid || e.Field != field || e.Remedy == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}
