package engine_test

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/engine/enginetest"
)

// dialects are those of the doubles, in order.
func dialects() []string { return slices.Sorted(maps.Keys(enginetest.Doubles)) }

// TestSiblings runs the suite against doubles of all dialects, whatever becomes of several continuations in a request.
func TestSiblings(t *testing.T) {
	for _, dialect := range dialects() {
		for what, m := range map[string]enginetest.Mean{
			"as documented": {}, "copied": {N: "copied"}, "ignored": {N: "ignored"}, "refused": {N: "refused"},
			"refused in the body": {N: "refused in the body"}, "at most 2": {N: "at most 2"}, "capped": {N: "capped"},
			"more": {N: "more"}, "shuffled": {N: "shuffled"}, "31 bits": {MaxSeed: math.MaxInt32 + 8},
			"deterministic": {Version: "deterministic"},
		} {
			t.Run(dialect+" "+what, func(t *testing.T) {
				t.Parallel()
				e := open(t, enginetest.Serve(dialect, m))
				about := e.Describe()
				native := m.N == "" || slices.Contains([]string{"at most 2", "capped", "more", "shuffled"}, m.N)
				native = native && (dialect != "sglang" || m.Version == "")
				if about.Dialect != dialect || about.Capabilities.NativeK != native {
					t.Errorf("a %s of %+v", about.Dialect, about.Capabilities)
				}
				if what == "as documented" || what == "ignored" {
					enginetest.Run(t, e, enginetest.Options{})
				}
				enginetest.Draws(t, e, enginetest.Options{})
			})
		}
	}
}

// TestSeedsRepeat: the same seeds draw the same continuations, of a server that has seeds, one by one or together.
func TestSeedsRepeat(t *testing.T) {
	for _, dialect := range dialects() {
		e := open(t, enginetest.Serve(dialect, enginetest.Mean{N: "ignored"}))
		r := sampleOf(t, e)
		r.K, r.Seeds = 3, []uint64{1 << 60, 2, 1<<60 + 1<<31}
		first, err := e.Sample(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range first.Samples {
			r.K, r.Seeds = 1, []uint64{[]uint64{1 << 60, 2, 1<<60 + 1<<31}[i]}
			alone, err := e.Sample(t.Context(), r)
			if err != nil || !slices.Equal(alone.Samples[0].Tokens, want.Tokens) {
				t.Errorf("%s: seed %d draws %v, and alone %+v, %v", dialect, r.Seeds[0], want.Tokens, alone, err)
			}
		}
	}
}

// TestNames: a model has the names that its server lists with the same root, and that of what an alias stands for.
func TestNames(t *testing.T) {
	for _, dialect := range dialects() {
		names := []string{"base", "policy"}
		d := &enginetest.Double{Mean: enginetest.Mean{Names: names}}
		e := connect(t, d.Serve(dialect), "policy")
		alias := map[string]any{"vllm": nil, "sglang": nil, "llamacpp": "base", "generic": "base"}
		about := e.Describe()
		if got := about.Settings["answers_as"]; got != alias[dialect] || (got != nil) != (len(about.Warnings) == 1) {
			t.Errorf("%s answers as %v: %q", dialect, got, about.Warnings)
		}
		r := sampleOf(t, e)
		if _, err := e.Sample(t.Context(), r); err != nil || e.Describe().Model == "base" {
			t.Errorf("%s, another name: %v, %s", dialect, err, e.Describe().Model)
		}
		if d.Names = []string{"other", "policy"}; dialect == "sglang" {
			continue // does not say which model answers
		}
		if _, err := e.Sample(t.Context(), r); sparkd.CodeOf(err) != sparkd.CodeEngine ||
			sparkd.AsError(err).Field != "engine.served_model" {
			t.Errorf("%s, another model since: %v", dialect, err)
		}
	}
}

// words are errors in the body of an answer with status 200, and the code that they have.
var words = []struct {
	body string
	code sparkd.Code
}{
	{`{"error":{"message":"the grammar is too odd","type":"BadRequestError","code":400}}`, sparkd.CodeInvalid},
	{`{"error":{"message":"the grammar is too odd","type":"invalid_request_error","code":null}}`, sparkd.CodeInvalid},
	{`{"error":"the grammar is too odd"}`, sparkd.CodeEngine},
	{`{"error":{"message":"the grammar is too odd","type":"server_error"}}`, sparkd.CodeEngine},
	{`{"object":"error","message":"the grammar is too odd","type":"BadRequestError","code":400}`, sparkd.CodeInvalid},
	{`{"detail":"the grammar is too odd"}`, sparkd.CodeEngine},
	{`{"detail":[{"loc":["body","grammar"],"msg":"the grammar is too odd","type":"value_error"}]}`, sparkd.CodeInvalid},
	{`{"message":"the grammar is too odd","code":"400"}`, sparkd.CodeInvalid},
	{`{"errors":[{"code":1010,"message":"the grammar is too odd"}]}`, sparkd.CodeEngine},
	{`[{"error":{"message":"the grammar is too odd","code":400}}]`, sparkd.CodeInvalid},
	{"data: {\"error\":{\"message\":\"the grammar is too odd\",\"code\":400}}\n\ndata: [DONE]\n", sparkd.CodeInvalid},
	{"event: error\ndata: {\"message\":\"the grammar is too odd\"}\n\n", sparkd.CodeEngine},
	{`{"error":{"message":"the grammar is too odd","type":"overloaded_error"}}`, sparkd.CodeUnavailable},
	{`{"error":{"message":"the grammar is too odd","code":429}}`, sparkd.CodeUnavailable},
	{"<html><body>the grammar is too odd</body></html>", sparkd.CodeEngine},
	{"the grammar is too odd", sparkd.CodeEngine},
	{`{"choices":null,"note":"the grammar is too odd"}`, sparkd.CodeEngine},
	{`{"choices":[],"note":"the grammar is too odd"}`, sparkd.CodeEngine},
}

// TestWords: what a server says reaches the user, whatever the status and the shape.
func TestWords(t *testing.T) {
	for _, dialect := range dialects() {
		d := &enginetest.Double{}
		e := open(t, d.Serve(dialect))
		r := sampleOf(t, e)
		r.K, r.Seeds = 2, []uint64{1, 2}
		for _, status := range []int{200, 400, 500} {
			for _, x := range words {
				d.Spoil(func(w http.ResponseWriter, _ string) { w.WriteHeader(status); fmt.Fprint(w, x.body) })
				_, err := e.Sample(t.Context(), r)
				if code := sparkd.CodeOf(err); err == nil || !strings.Contains(err.Error(), "the grammar is too odd") ||
					status == 200 && code != x.code || sparkd.AsError(err).Remedy == "" && code != sparkd.CodeEngine {
					t.Errorf("%s, %d %s: %v (code %s)", dialect, status, x.body, err, code)
				}
			}
		}
		d.Spoil(nil)
		if _, err := e.Sample(t.Context(), r); err != nil {
			t.Errorf("%s afterwards: %v", dialect, err)
		}
	}
}
