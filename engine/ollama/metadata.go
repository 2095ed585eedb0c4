package ollama

import "sparkd"

// metadata is the field model_info of /api/show: the keys and values of the GGUF.
type metadata map[string]any

// prefix is what the keys of a tokenizer begin with (GGUF specification, "Tokenizer").
const prefix = "tokenizer.ggml."

func (m metadata) text(key string) string {
	text, _ := m[prefix+key].(string)
	return text
}

// id returns a token id, or -1.
func (m metadata) id(key string) sparkd.Token {
	n, ok := m[prefix+key].(float64)
	if !ok || n < 0 || n > 1<<30 {
		return -1
	}
	return sparkd.Token(n)
}

func (m metadata) texts(key string) []string {
	return list(m[prefix+key], func(s string) string { return s })
}

func (m metadata) ids(key string) []int32 {
	return list(m[prefix+key], func(n float64) int32 { return int32(max(-1, min(n, 1<<30))) })
}

func (m metadata) scores(key string) []float32 {
	return list(m[prefix+key], func(n float64) float32 { return float32(n) })
}

// list converts an array of which every element must be a From; else it is none.
func list[From, To any](value any, convert func(From) To) []To {
	array, _ := value.([]any)
	out := make([]To, len(array))
	for i, x := range array {
		from, ok := x.(From)
		if !ok {
			return nil
		}
		out[i] = convert(from)
	}
	return out
}

// pretokenizer returns the pattern that a byte-pair tokenizer splits text with, by the name that llama.cpp gives
// it (src/llama-vocab.cpp, "regex_exprs"), and whether words that are tokens stay whole ("ignore_merges"); "" is a
// name that is not known here. Where llama.cpp rewrote the model's own pattern for an engine of less power, it is
// the model's own here; where it has two, they are one here.
func pretokenizer(pre string) (pattern string, whole bool) {
	const (
		sp     = `\s\x0b\x85\p{Z}` // of a class: regexp2 takes \s for ASCII alone
		blanks = `[` + sp + `]+(?![^` + sp + `])|[` + sp + `]+`
		words  = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^` + sp + `\p{L}\p{N}]+|`
		gpt2   = ` ?\p{N}+|` + words + blanks
		digits = `\p{N}|` + words + `[` + sp + `]+(?![^` + sp + `\p{N}])|[` + sp + `]+`
		before = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`
		lines  = `[` + sp + `]*[\r\n]+|` + blanks
		behind = `| ?[^` + sp + `\p{L}\p{N}]+[\r\n]*|` + lines
		upper  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
		lower  = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
		slash  = `| ?[^` + sp + `\p{L}\p{N}]+[\r\n/]*|` + lines
		tail   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)?`
	)
	switch pre {
	case "gpt-2", "phi-2", "mpt", "olmo", "exaone4":
		return gpt2, false
	case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
		return digits, false
	case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2", "glm4":
		return before + `\p{N}{1,3}` + behind, true
	case "smaug-bpe", "dbrx", "chatglm-bpe":
		return before + `\p{N}{1,3}` + behind, false
	case "qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan":
		return before + `\p{N}` + behind, false
	case "tekken":
		return upper + `*` + lower + `+|` + upper + `+` + lower + `*|\p{N}` + slash, true
	case "gpt-4o", "llama4":
		return upper + `*` + lower + `+` + tail + `|` + upper + `+` + lower + `*` + tail + `|\p{N}{1,3}` + slash, false
	}
	return "", false
}

// addsBOS reports whether llama.cpp puts BOS in front where the GGUF does not say.
func addsBOS(m metadata) bool {
	switch m.text("pre") {
	case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2", "tekken":
		return m.text("model") == "gpt2"
	}
	return m.text("model") == "llama"
}
