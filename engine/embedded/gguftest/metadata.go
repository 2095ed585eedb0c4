package gguftest

import (
	"maps"
	"slices"
	"strconv"
)

type entry struct {
	key   string
	value any
}

// Template is ChatML as SmolLM2 writes it, without its default system text.
const Template = "{% for message in messages %}" +
	"{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" +
	"{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

// CompactTemplate is the chat template of sparkd's own policy, which names its prompt style.
const CompactTemplate = "{#- sparkd: prompt_style=compact -#}{%- for m in messages -%}" +
	"{%- if m['role'] == 'assistant' -%}{{ '<|assistant|>' + m['content'] + '<|end|>' }}" +
	"{%- else -%}{{ '<|user|>' + m['content'] }}{%- endif -%}{%- endfor -%}" +
	"{%- if add_generation_prompt -%}{{ '<|assistant|>' }}{%- endif -%}"

func (s Shape) metadata() []entry {
	tokens, types := vocabulary(s.Vocabulary)
	template, bos, eos := Template, 1, 2
	if s.Compact {
		template, bos, eos = CompactTemplate, 0, 0
		copy(tokens, []string{"<|end|>", "<|user|>", "<|assistant|>"})
		for i, tag := range []string{"<explore>", "</explore>", "<think>", "</think>", "<action>", "</action>"} {
			tokens[firstWord+i], types[firstWord+i] = tag, userDefined
		}
	}
	a := s.Architecture + "."
	return s.replaced([]entry{
		{"general.architecture", s.Architecture}, {"general.name", "random"}, {"general.file_type", 0},
		{a + "block_count", s.Layers}, {a + "embedding_length", s.Width}, {a + "attention.head_count", s.Heads},
		{a + "attention.head_count_kv", s.KVHeads}, {a + "attention.layer_norm_rms_epsilon", float32(1e-5)},
		{a + "rope.freq_base", float32(10000)}, {a + "rope.dimension_count", s.Width / s.Heads},
		{a + "context_length", s.Context}, {a + "feed_forward_length", s.FeedForward}, {a + "vocab_size", s.Vocabulary},
		{"tokenizer.ggml.model", "gpt2"}, {"tokenizer.ggml.pre", "gpt-2"},
		{"tokenizer.ggml.tokens", tokens}, {"tokenizer.ggml.token_type", types},
		{"tokenizer.ggml.merges", []string{"Ġ Ġ"}}, {"tokenizer.ggml.bos_token_id", bos},
		{"tokenizer.ggml.eos_token_id", eos}, {"tokenizer.ggml.add_bos_token", false},
		{"tokenizer.chat_template", template},
	})
}

// replaced is meta with the values of s.Metadata, new keys last, in the order of their names.
func (s Shape) replaced(meta []entry) []entry {
	rest := maps.Clone(s.Metadata)
	for i, e := range meta {
		if v, ok := rest[e.key]; ok {
			meta[i].value = v
			delete(rest, e.key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		meta = append(meta, entry{key, rest[key]})
	}
	return slices.DeleteFunc(meta, func(e entry) bool { return e.value == nil })
}

// Types of tokens, and the place of the first filler word.
const (
	normal, unknown, control, userDefined, byteToken = 1, 2, 3, 4, 6
	firstWord                                        = 260
)

// vocabulary is three control tokens, the 256 bytes in the spelling of GPT-2's byte-level
// BPE, the one merge, and filler words.
func vocabulary(n int) ([]string, []int32) {
	tokens := []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
	types := []int32{control, control, control}
	tokens = append(tokens, byteSpellings()...)
	types = append(types, slices.Repeat([]int32{normal}, 256)...)
	for i := len(tokens); i < n; i++ {
		w := "Ġw" + strconv.Itoa(i)
		if i == 259 {
			w = "ĠĠ"
		}
		tokens, types = append(tokens, w), append(types, normal)
	}
	return tokens, types
}

// byteSpellings are the bytes as GPT-2's byte-level BPE spells them.
func byteSpellings() []string {
	out := make([]string, 256)
	next := rune(256)
	for b := range out {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		out[b] = string(r)
	}
	return out
}
