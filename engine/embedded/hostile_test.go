//go:build cgo

package embedded

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sparkd"
	"sparkd/engine/embedded/gguftest"
)

// hostileMetadata is what llama.cpp does not expect: it asserts, throws or reads beyond an
// array.
func hostileMetadata() map[string]map[string]any {
	same, bytesOnly := make([]string, 320), make([]int32, 320)
	for i := range same {
		same[i], bytesOnly[i] = "\xff\xfe\x80", 6
	}
	cases := map[string]map[string]any{
		"an alignment that is a text":      {"general.alignment": "x"},
		"an alignment that is a list":      {"general.alignment": []int32{0, 0}},
		"an alignment that is no power":    {"general.alignment": 33},
		"no layers":                        {"llama.block_count": 0},
		"too many layers":                  {"llama.block_count": 1 << 20},
		"no heads":                         {"llama.attention.head_count": 0},
		"no KV heads":                      {"llama.attention.head_count_kv": 0},
		"a negative epsilon":               {"llama.attention.layer_norm_rms_epsilon": float32(-1)},
		"experts of which none is used":    {"llama.expert_count": 4},
		"too many experts":                 {"llama.expert_count": 1 << 20},
		"more experts used than there are": {"llama.expert_used_count": 3},
		"an unknown scaling":               {"llama.rope.scaling.type": "x"},
		"no context":                       {"llama.context_length": 0},
		"a context beyond all numbers":     {"llama.context_length": 1<<32 - 1},
		"tokens that are a number":         {"tokenizer.ggml.tokens": 7},
		"tokens that are a text":           {"tokenizer.ggml.tokens": "x"},
		"tokens that are numbers":          {"tokenizer.ggml.tokens": []int32{1, 2}},
		"no tokens":                        {"tokenizer.ggml.tokens": []int32{}},
		"fewer tokens than types":          {"tokenizer.ggml.tokens": []string{"a"}},
		"tokens that are all the same":     {"tokenizer.ggml.tokens": same},
		"fewer types than tokens":          {"tokenizer.ggml.token_type": []int32{1, 2}},
		"types that are fractions":         {"tokenizer.ggml.token_type": make([]float32, 320)},
		"types that are all of bytes":      {"tokenizer.ggml.token_type": bytesOnly},
		"fewer scores than tokens":         {"tokenizer.ggml.scores": []float32{1}},
		"scores that are texts":            {"tokenizer.ggml.scores": same},
		"merges that are a number":         {"tokenizer.ggml.merges": 7},
		"merges that are numbers":          {"tokenizer.ggml.merges": []int32{0, 0}},
		"merges of nothing":                {"tokenizer.ggml.merges": []string{"", " ", "a", "a ", " b", "\xff \xfe"}},
		"a BOS outside the vocabulary": {"tokenizer.ggml.bos_token_id": 1 << 30,
			"tokenizer.ggml.add_bos_token": true},
		"an end outside the vocabulary":     {"tokenizer.ggml.eos_token_id": 1<<32 - 1},
		"a charsmap of two numbers":         {"tokenizer.ggml.precompiled_charsmap": []int32{0, 0}},
		"an architecture without its parts": {"general.architecture": "baichuan"},
	}
	for _, tokenizer := range []string{"llama", "bert", "t5", "rwkv", "plamo2", "none", "no_vocab", "other"} {
		cases["the tokenizer "+tokenizer] = map[string]any{"tokenizer.ggml.model": tokenizer}
	}
	return cases
}

// hostileFiles are damaged GGUFs by name.
func hostileFiles(t *testing.T) map[string][]byte {
	dir := t.TempDir()
	read := func(s gguftest.Shape) []byte {
		b, err := os.ReadFile(tinyFile(t, filepath.Join(dir, "tiny.gguf"), s, 1))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	files := map[string][]byte{}
	for name, meta := range hostileMetadata() {
		files[name] = read(gguftest.Shape{Metadata: meta})
	}
	for _, name := range []string{"gpt2", "gemma2", "phi3", "mamba", "t5", "baichuan", "deepseek2", "lfm2"} {
		files["the architecture "+name] = read(gguftest.Shape{Architecture: name})
	}
	whole := read(gguftest.Shape{})
	for i := range 40 {
		files[fmt.Sprintf("cut after %d of 40 parts", i)] = whole[:len(whole)*i/40]
	}
	// Bytes of the numbers in the metadata; in lengths they would only make llama.cpp allocate
	// as much as there is.
	const seed = 13
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range 60 {
		b := bytes.Clone(whole)
		for _, key := range []string{"head_count", "block_count", "dimension_count", "rms_epsilon", "token_id"} {
			if r.IntN(3) == 0 {
				at := bytes.Index(b, []byte(key))
				b[at+len(key)+4+r.IntN(2)] ^= byte(1 << r.IntN(8))
			}
		}
		files[fmt.Sprintf("flipped bits %d of seed %d", i, seed)] = b
	}
	return files
}

// hostileChild is set in the process in which the files are opened.
const hostileChild = "SPARKD_TEST_HOSTILE"

// A GGUF may be refused or used; it does not end the process. A child opens them, which says
// where it was if it dies.
func TestHostileFilesDoNotEndTheProcess(t *testing.T) {
	if os.Getenv(hostileChild) != "" {
		openHostileFiles(t)
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), hostileChild+"=1", "GGML_NO_BACKTRACE=1")
	out, err := child.CombinedOutput()
	opened := 0
	last := ""
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "opening "); ok {
			opened, last = opened+1, name
		}
	}
	if err != nil {
		t.Fatalf("%v after %d files, at %q:\n%.3000s", err, opened, last, out)
	}
	if opened < 140 {
		t.Errorf("%d files were opened", opened)
	}
}

func openHostileFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hostile.gguf")
	for name, b := range hostileFiles(t) {
		fmt.Printf("\nopening %s\n", name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := openFile(path, smallOptions)
		if err != nil {
			if code := sparkd.CodeOf(err); code != sparkd.CodeModel && code != sparkd.CodeEngine {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		ids, err := m.tokenize("hello\xff world \U0001F600\x00 <|im_end|>\n", true)
		if err == nil && len(ids) > 0 {
			err = m.forward([]segment{{path: blocksFrom(0, len(ids)), tokens: ids, output: true}})
		}
		if err != nil && sparkd.CodeOf(err) != sparkd.CodeEngine {
			t.Errorf("%s: %v", name, err)
		}
		m.close()
	}
}

// What used to be an assertion is the error of the call, with the text of the assertion.
func TestAssertionsAreErrors(t *testing.T) {
	for key, c := range map[string]struct {
		value any
		text  string
	}{
		// in C++, while the file is read
		"general.alignment":  {"x", "GGML_ASSERT(type_to_gguf_type<T>::value == type) failed"},
		"llama.expert_count": {4, "GGML_ASSERT(hparams.n_expert_used > 0) failed"},
		// in a forward, behind frames of C
		"llama.attention.layer_norm_rms_epsilon": {float32(-1), "GGML_ASSERT(eps >= 0.0f) failed"},
	} {
		shape := gguftest.Shape{Metadata: map[string]any{key: c.value}}
		path := tinyFile(t, filepath.Join(t.TempDir(), "asserts.gguf"), shape, 1)
		o := smallOptions
		o.threads = 4
		for range 3 { // nothing is left locked
			if _, err := openFile(path, o); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	m := tinyModel(t, gguftest.Shape{})
	good := segment{path: blocksFrom(0, 20), tokens: make([]sparkd.Token, 20), output: true}
	if err := m.forward([]segment{good}); err != nil {
		t.Error(err)
	}
}

// A forward that cannot be is an error, and the next one runs.
func TestForwardsOutOfBounds(t *testing.T) {
	m := tinyModel(t, gguftest.Shape{Context: 64})
	some := func(n int, id sparkd.Token) []sparkd.Token {
		out := make([]sparkd.Token, n)
		out[n-1] = id
		return out
	}
	good := segment{path: blocksFrom(0, 20), tokens: some(20, 0), output: true}
	for name, segs := range map[string][]segment{
		"nothing":                      {},
		"no new token":                 {{path: blocksFrom(0, 20)}},
		"more new tokens than cells":   {{path: blocksFrom(0, 20), tokens: some(21, 0)}},
		"no path":                      {{tokens: some(1, 0)}},
		"a negative block":             {{path: []blockRef{{-1, 5}}, tokens: some(5, 0)}},
		"a block beyond the last":      {{path: []blockRef{{512, 5}}, tokens: some(5, 0)}},
		"a block beyond all":           {{path: []blockRef{{1<<31 - 1, 5}}, tokens: some(5, 0)}},
		"more cells than a block has":  {{path: []blockRef{{0, 17}}, tokens: some(17, 0)}},
		"no cells":                     {{path: []blockRef{{0, 5}, {1, 0}}, tokens: some(5, 0)}},
		"a negative number of cells":   {{path: []blockRef{{0, 16}, {1, -3}}, tokens: some(5, 0)}},
		"beyond the context":           {{path: blocksFrom(0, 65), tokens: some(65, 0)}},
		"more tokens than a batch":     {good, {path: blocksFrom(8, 300), tokens: some(300, 0)}},
		"a negative token":             {{path: blocksFrom(0, 20), tokens: some(20, -1)}},
		"a token beyond the last":      {{path: blocksFrom(0, 20), tokens: some(20, 320)}},
		"a token beyond all":           {good, {path: blocksFrom(8, 20), tokens: some(20, 1<<31-1)}},
		"more segments than there may": make([]segment, 33),
	} {
		for i := range segs {
			if name == "more segments than there may" {
				segs[i] = segment{path: blocksFrom(int32(i), 1), tokens: some(1, 0)}
			}
		}
		err := m.forward(segs)
		if sparkd.CodeOf(err) != sparkd.CodeEngine {
			t.Errorf("%s: %v", name, err)
		}
		if err := m.forward([]segment{good}); err != nil {
			t.Fatalf("after %s: %v", name, err)
		}
	}
}

// Texts are tokenized, or refused where llama.cpp finds a character beyond Unicode in them; ids
// that are no tokens have no text.
func TestTextsOfAllKinds(t *testing.T) {
	m := tinyModel(t, gguftest.Shape{})
	r := rand.New(rand.NewPCG(5, 0))
	noise := make([]byte, 1<<16)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for name, s := range map[string]string{
		"every byte":          string(noise),
		"zeros":               strings.Repeat("\x00", 100),
		"half a character":    "\xf0\x9f\x98",
		"surrogates":          "\xed\xa0\x80\xed\xb0\x80",
		"overlong":            "\xc0\xaf\xe0\x80\xaf\xf8\x88\x80\x80\x80",
		"beyond Unicode":      "\xf4\x90\x80\x80\xff\xff\xff",
		"control tokens":      strings.Repeat("<|im_start|>", 1000),
		"half a control":      "<|im_start",
		"one letter, a lot":   strings.Repeat("a", 1<<16),
		"spaces and newlines": strings.Repeat(" \n\t\r", 1<<12),
	} {
		for _, control := range []bool{false, true} {
			ids, err := m.tokenize(s, control)
			if beyond := name == "every byte" || name == "beyond Unicode"; beyond {
				if sparkd.CodeOf(err) != sparkd.CodeEngine || !strings.Contains(err.Error(), "invalid codepoint") {
					t.Errorf("%s: %v", name, err)
				}
			} else if err != nil || len(ids) == 0 {
				t.Errorf("%s: %d tokens, %v", name, len(ids), err)
			}
		}
	}
	if _, err := m.tokenize(strings.Repeat("a", 16<<20+1), false); sparkd.CodeOf(err) != sparkd.CodeInvalid {
		t.Errorf("17 MiB: %v", err)
	}
	if s := m.detokenize([]sparkd.Token{-1, 320, 1<<31 - 1}); s != "" {
		t.Errorf("%q", s)
	}
	if m.isEndOfGeneration(-1) || m.isEndOfGeneration(320) {
		t.Error("what is no token ends no generation")
	}
}

// An allocation that fails is an error of its own. The KV store would be larger than the
// address space, whatever the system promises.
func TestNotEnoughMemory(t *testing.T) {
	o := smallOptions
	o.blocks = 1<<31 - 1
	_, err := openFile(tinyFile(t, filepath.Join(t.TempDir(), "deep.gguf"), gguftest.Shape{Layers: 40}, 1), o)
	if err == nil || !strings.Contains(err.Error(), "not enough memory") {
		t.Errorf("%v", err)
	}
}
