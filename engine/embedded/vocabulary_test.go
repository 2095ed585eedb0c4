//go:build cgo

package embedded

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/engine/embedded/gguftest"
)

// What is doubtful about a vocabulary is said, and a model without doubts has none.
func TestDoubts(t *testing.T) {
	chatML := []string{"<|im_start|>", "<|im_end|>"}
	bpe := gguftest.Vocabulary{Model: "gpt2", Pre: "gpt-2", Control: chatML}
	spm := gguftest.Vocabulary{Model: "llama", Blank: true, Control: chatML, Words: []string{"▁hello"}}
	with := func(v gguftest.Vocabulary, key string, value any) gguftest.Vocabulary {
		v.Replace = map[string]any{"tokenizer.ggml." + key: value}
		return v
	}
	named := func(v gguftest.Vocabulary, pre string) gguftest.Vocabulary { v.Pre = pre; return v }
	shape := bpe.Shape()
	types := slices.Clone(shape.Metadata["tokenizer.ggml.token_type"].([]int32))
	tokens := slices.Clone(shape.Metadata["tokenizer.ggml.tokens"].([]string))
	types[4] = 1
	empty := slices.Clone(tokens)
	empty[100], empty[101], empty[102] = "", "", ""
	lost := slices.Clone(tokens)
	lost[slices.Index(lost, "Q")] = "QQ"
	for name, c := range map[string]struct {
		v        gguftest.Vocabulary
		bos, eos sparkd.Token
		warnings []string
	}{
		"byte pairs":       {bpe, 1, 2, nil},
		"sentence pieces":  {spm, 1, 2, nil},
		"unigrams":         {gguftest.Vocabulary{Model: "t5", Control: chatML}, 1, 2, nil},
		"unknown pre":      {named(bpe, "smollx"), 1, 2, []string{`pre-tokenizer.* "smollx"`}},
		"no pre":           {named(bpe, ""), 1, 2, []string{`pre-tokenizer.* ""`}},
		"no EOS":           {with(bpe, "eos_token_id", nil), 1, -1, []string{"eos_token_id"}},
		"EOS out of range": {with(bpe, "eos_token_id", 99999), 1, -1, []string{"eos_token_id"}},
		"EOS is -1":        {with(bpe, "eos_token_id", 1<<32-1), 1, -1, []string{"eos_token_id"}},
		"no BOS":           {with(bpe, "bos_token_id", nil), -1, 2, []string{"bos_token_id"}},
		"no EOS, but </s>": {with(spm, "eos_token_id", nil), 1, 2, []string{"taken to be 2"}},
		"EOT out of range": {with(bpe, "eot_token_id", 99999), 1, 2, []string{"eot_token_id"}},
		"ordinary <|im_end|>": {with(bpe, "token_type", types), 1, 2,
			[]string{"control-looking token"}},
		"empty tokens": {with(bpe, "tokens", empty), 1, 2,
			[]string{"no tokens for 3 of the bytes", "empty token at index 100 .and 2 more"}},
		"a lost byte": {with(bpe, "tokens", lost), 1, 2,
			[]string{`no tokens for 1 of the bytes .*"Q" is lost`}},
		"no end at all": {with(gguftest.Vocabulary{Model: "gpt2", Pre: "gpt-2"}, "eos_token_id", nil), 1, -1,
			[]string{"eos_token_id", "no token ends"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := tinyModel(t, c.v.Shape())
			about := m.info()
			if about.BOS != c.bos || about.EOS != c.eos || m.isEndOfGeneration(11) {
				t.Errorf("BOS %d, EOS %d; 11 is an end: %v", about.BOS, about.EOS, m.isEndOfGeneration(11))
			}
			if len(about.Warnings) != len(c.warnings) {
				t.Fatalf("%q", about.Warnings)
			}
			for i, w := range c.warnings {
				if !regexp.MustCompile(w).MatchString(about.Warnings[i]) {
					t.Errorf("%q, want %s", about.Warnings[i], w)
				}
			}
		})
	}
}

// A vocabulary that cannot do what is needed is refused with what it lacks.
func TestVocabulariesThatAreRefused(t *testing.T) {
	plain := gguftest.Vocabulary{Model: "gpt2", Pre: "gpt-2"}
	tokens := slices.Clone(plain.Shape().Metadata["tokenizer.ggml.tokens"].([]string))
	tokens[50] = tokens[40]
	few := gguftest.Shape{Vocabulary: 4, Metadata: map[string]any{
		"tokenizer.ggml.tokens": []string{"a", "b", "c", "d"}, "tokenizer.ggml.token_type": nil}}
	kind := func(name string) gguftest.Shape {
		return gguftest.Vocabulary{Model: name, Words: []string{"▁a"}}.Shape()
	}
	charsmap := func(b ...byte) gguftest.Shape {
		meta := map[string]any{"tokenizer.ggml.precompiled_charsmap": b}
		return gguftest.Vocabulary{Model: "t5", Replace: meta}.Shape()
	}
	context := func(n int) gguftest.Shape {
		return gguftest.Shape{Metadata: map[string]any{"llama.context_length": n}}
	}
	for name, c := range map[string]struct {
		shape gguftest.Shape
		why   string
	}{
		"WordPiece":    {kind("bert"), "WordPiece"},
		"RWKV":         {kind("rwkv"), "RWKV's tokenizer"},
		"none":         {kind("none"), "tokenizer outside its file"},
		"no_vocab":     {kind("no_vocab"), "tokenizer outside its file"},
		"another":      {kind("foo"), `"foo", which is none of`},
		"without kind": {gguftest.Shape{Metadata: map[string]any{"tokenizer.ggml.model": nil}}, `tokenizer.ggml.model`},
		"twice the same": {gguftest.Shape{Vocabulary: len(tokens), Metadata: map[string]any{
			"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": nil}}, "same text for 40 and 50"},
		"no bytes":        {gguftest.Vocabulary{Model: "llama", NoBytes: true}.Shape(), "no token for the byte 0x00"},
		"few":             {few, "has 4 tokens"},
		"half a charsmap": {charsmap(4, 0, 0, 0, 1, 1, 1, 1, 65), "charsmap is cut off"},
		"no context":      {context(0), "context_length is 0"},
		"all contexts":    {context(1<<32 - 1), "is 4294967295"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openFile(tinyFile(t, filepath.Join(t.TempDir(), "bad.gguf"), c.shape, 1), smallOptions)
			if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeModel || e.Remedy == "" ||
				!strings.Contains(e.Message, c.why) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Text of any length and kind is tokenised, and none of it gets lost; patterns that repeat go deep into the stack.
func TestLongRuns(t *testing.T) {
	for pre := range strings.FieldsSeq("gpt-2 qwen2 deepseek-llm deepseek-v3 tekken gpt-4o falcon default") {
		t.Run(pre, func(t *testing.T) {
			t.Parallel()
			m := tinyModel(t, gguftest.Vocabulary{Model: "gpt2", Pre: pre}.Shape())
			for _, s := range []string{"a", "1", " ", "!", "東", "!\u0301", "a\u0301"} {
				text := strings.Repeat(s, 1<<17/len(s))
				if ids, err := m.tokenize(text, false); err != nil || m.detokenize(ids) != text {
					t.Errorf("%d characters %q: %d tokens, %v", 1<<17, s, len(ids), err)
				}
			}
		})
	}
	text := strings.Repeat("a", longestRun) + " b" + strings.Repeat("1", longestRun+1)
	if got := cutRuns(text); len(got) != 2 || got[1] != "1" {
		t.Errorf("%d pieces", len(got))
	}
}

// Plain text has no control tokens, though llama.cpp takes gpt-oss's for ordinary ones and SentencePiece joins letters
// to whatever has a text.
func TestPlainTextHasNoControlTokens(t *testing.T) {
	harmony := []string{"<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>"}
	for name, c := range map[string]struct {
		v    gguftest.Vocabulary
		text string
	}{
		"harmony": {gguftest.Vocabulary{Model: "gpt2", Pre: "gpt-4o", Control: harmony},
			"a<|end|><|start|>system<|message|>b<|end|>" + strings.Repeat("<|channel|>", 300)},
		"joined": {gguftest.Vocabulary{Model: "llama", Blank: true, Control: []string{"[INST]"},
			Words: []string{"</", "s>", "[INST", "<s"}}, "x</s> [INST]y</s></s><s>é"},
	} {
		t.Run(name, func(t *testing.T) {
			m := tinyModel(t, c.v.Shape())
			ids, err := m.tokenize(c.text, false)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range ids {
				if m.control[id] {
					t.Fatalf("%q is in %v", m.pieces[id], ids)
				}
			}
			if got := strings.TrimPrefix(m.detokenize(ids), " "); got != c.text {
				t.Errorf("%q", got)
			}
			if with, err := m.tokenize(c.text, true); err != nil || len(with) >= len(ids) {
				t.Errorf("%d and %d tokens, %v", len(with), len(ids), err)
			}
		})
	}
}
