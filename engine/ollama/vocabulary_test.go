package ollama

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sparkd"
)

// info is the model_info of a byte-level model with a few merges, two control tokens and one that users added.
func info() map[string]any {
	tokens := []any{"<|end|>", "<|im_start|>", "<tag>"}
	types := []any{3.0, 3.0, 4.0}
	for c := range 256 {
		tokens = append(tokens, letters(string([]byte{byte(c)})))
		types = append(types, 1.0)
	}
	for _, word := range []string{"he", "ll", "hell", "..", "...", "Ġhe"} {
		tokens = append(tokens, word)
		types = append(types, 1.0)
	}
	return map[string]any{
		prefix + "model": "gpt2", prefix + "pre": "smollm", prefix + "tokens": tokens, prefix + "token_type": types,
		prefix + "merges":       []any{"h e", "l l", "he ll", ". .", ".. .", "Ġ he"},
		prefix + "bos_token_id": 1.0, prefix + "eos_token_id": 0.0,
	}
}

func vocabularyOf(t testing.TB, info map[string]any) *vocabulary {
	t.Helper()
	v, err := newVocabulary(info)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEncode(t *testing.T) {
	v := vocabularyOf(t, info())
	for _, c := range []struct {
		text    string
		control bool
		want    []string
	}{
		{"", true, nil},
		{"hello", false, []string{"hell", "o"}},
		{" he", false, []string{" he"}},
		{"h2he", false, []string{"h", "2", "he"}},
		{"...", false, []string{"..."}}, // the first of equal pairs is joined
		{"a<|end|><|end|>b", true, []string{"a", "<|end|>", "<|end|>", "b"}},
		{"<|end|>", false, strings.Split("<|end|>", "")},
		{"x<tag>y", false, []string{"x", "<tag>", "y"}},
		{"é", false, []string{"\xc3", "\xa9"}},
	} {
		ids, err := v.encode(c.text, c.control)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, id := range ids {
			got = append(got, v.texts[id])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q (control %v): %q, want %q", c.text, c.control, got, c.want)
		}
	}
}

// TestPrompt: what the server would read differently is refused.
func TestPrompt(t *testing.T) {
	v := vocabularyOf(t, info())
	ids := func(text string, control bool) []sparkd.Token {
		got, err := v.encode(text, control)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, c := range []struct {
		name   string
		prefix []sparkd.Token
		text   string // "" is refused
	}{
		{"plain", ids("hello", false), "hello"},
		{"control token of the template", ids("<|im_start|>he", true), "<|im_start|>he"},
		{"control token that an environment spells", ids("see <|end|>", false), ""},
		{"both", slices.Concat(ids("<|end|>", true), ids("<|end|>", false)), ""},
		{"half a character", ids("é", false)[:1], ""},
		{"no token of the model", []sparkd.Token{9999}, ""},
		{"nothing", nil, ""},
	} {
		text, err := v.prompt(c.prefix)
		if text != c.text || (err == nil) != (c.text != "") {
			t.Errorf("%s: %q, %v", c.name, text, err)
		}
		if e := sparkd.AsError(err); e != nil &&
			(e.Code != sparkd.CodeInvalid || e.Remedy == "" || !strings.HasPrefix(e.Field, "prefix")) {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
	v.addBOS = true
	if text, err := v.prompt(ids("<|im_start|>he", true)); err != nil || text != "he" {
		t.Errorf("the server's BOS: %q, %v", text, err)
	}
}

// TestUnusable: a tokenizer that cannot be rebuilt is an error that says why.
func TestUnusable(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"its tokenizer is of the kind":           func(m map[string]any) { m[prefix+"model"] = "bert" },
		"splits text in the way":                 func(m map[string]any) { m[prefix+"pre"] = "unheard-of" },
		"0 merges":                               func(m map[string]any) { delete(m, prefix+"merges") },
		"0 tokens":                               func(m map[string]any) { m[prefix+"tokens"] = []any{1.0} },
		"0 of their types":                       func(m map[string]any) { delete(m, prefix+"token_type") },
		"0 scores":                               func(m map[string]any) { m[prefix+"model"] = "llama" },
		"control token 1000 is none of the toke": func(m map[string]any) { m[prefix+"eot_token_id"] = 1000.0 },
	} {
		m := info()
		change(m)
		_, err := newVocabulary(m)
		if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeEngine || e.Remedy == "" ||
			!strings.Contains(e.Message, strings.TrimSuffix(name, " the toke")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSentencePiece: blanks, bytes that are no token, and no control token out of text.
func TestSentencePiece(t *testing.T) {
	tokens, types, scores := []any{"<unk>", "<s>", "</s>"}, []any{2.0, 3.0, 3.0}, []any{0.0, 0.0, 0.0}
	for c := range 256 {
		tokens, types, scores = append(tokens, fmt.Sprintf("<0x%02X>", c)), append(types, 6.0), append(scores, 0.0)
	}
	for i, word := range []string{"▁", "h", "i", "hi", "▁hi"} {
		tokens, types, scores = append(tokens, word), append(types, 1.0), append(scores, float64(i))
	}
	v := vocabularyOf(t, map[string]any{prefix + "model": "llama", prefix + "tokens": tokens,
		prefix + "token_type": types, prefix + "scores": scores,
		prefix + "bos_token_id": 1.0, prefix + "eos_token_id": 2.0})
	if !v.addBOS {
		t.Error("no BOS in front")
	}
	for text, n := range map[string]int{"hi hi": 2, "é": 2, "<s>": 3, "hi</s>": 5} {
		ids, err := v.encode(text, false)
		if err != nil || len(ids) != n || slices.Contains(ids, v.bos) || slices.Contains(ids, v.eos) {
			t.Errorf("%q: %v, %v", text, ids, err)
		}
		if back, err := v.decode(ids); err != nil || back != text {
			t.Errorf("%q comes back as %q, %v", text, back, err)
		}
	}
}

// TestPretokenizers compiles all patterns, each of which leaves nothing of a text out.
func TestPretokenizers(t *testing.T) {
	text := "I'll 'VE naïve  東京\u00a0 12345,\r\n\n\t x\u0301 \U0001F642 İı ｆ"
	for _, pre := range []string{"gpt-2", "smollm", "llama-bpe", "smaug-bpe", "qwen2", "tekken", "gpt-4o"} {
		m := info()
		m[prefix+"pre"] = pre
		v := vocabularyOf(t, m)
		ids, err := v.encode(text, false)
		if err != nil {
			t.Fatal(err)
		}
		if back, _ := v.decode(ids); back != text {
			t.Errorf("%s: %q comes back as %q", pre, text, back)
		}
	}
}

func FuzzEncode(f *testing.F) {
	for _, text := range []string{"hello <|end|> ...", "<tag><tag>", "\xff\x00é", "  \n\t 12"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	v := vocabularyOf(f, info())
	f.Fuzz(func(t *testing.T, text string, control bool) {
		ids, err := v.encode(text, control)
		if err != nil {
			t.Fatal(err)
		}
		if !control && (slices.Contains(ids, 0) || slices.Contains(ids, 1)) {
			t.Fatalf("%q becomes control tokens: %v", text, ids)
		}
		if back, err := v.decode(ids); err != nil || utf8.ValidString(text) && back != text {
			t.Fatalf("%q becomes %v and then %q, %v", text, ids, back, err)
		}
	})
}

// FuzzMetadata: whatever a server tells of a model is refused or makes a tokenizer.
func FuzzMetadata(f *testing.F) {
	seed, err := json.Marshal(info())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"tokenizer.ggml.model":"gpt2","tokenizer.ggml.pre":"gpt-2","tokenizer.ggml.tokens":["a"],` +
		`"tokenizer.ggml.token_type":[3],"tokenizer.ggml.merges":["a"],"tokenizer.ggml.bos_token_id":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m map[string]any
		if json.Unmarshal(data, &m) != nil {
			return
		}
		v, err := newVocabulary(m)
		if err != nil {
			return
		}
		ids, err := v.encode("The cat <|end|> 12é", true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.decode(ids); err != nil {
			t.Fatal(err)
		}
	})
}

// golden is what llama-server b11434 made of texts with the same model's GGUF.
type golden struct {
	Text    string         `json:"text"`
	Control bool           `json:"control"`
	Tokens  []sparkd.Token `json:"tokens"`
}

// compareGolden checks a tokenizer against testdata/smollm2-tokens.jsonl.
func compareGolden(t *testing.T, encode func(text string, control bool) ([]sparkd.Token, error)) {
	t.Helper()
	file, err := os.Open("testdata/smollm2-tokens.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := 0
	for s := bufio.NewScanner(file); s.Scan(); lines++ {
		var g golden
		if err := json.Unmarshal(s.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		if ids, err := encode(g.Text, g.Control); err != nil || !slices.Equal(ids, g.Tokens) {
			t.Errorf("%q (control %v): %v, %v; llama-server: %v", g.Text, g.Control, ids, err, g.Tokens)
		}
	}
	if lines < 100 {
		t.Errorf("%d texts", lines)
	}
}
