package gguf

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// file writes a GGUF of these entries: a key, its type, and the value's parts.
func file(version uint32, entries ...[]any) []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if s, ok := v.(string); ok {
				_ = binary.Write(&b, binary.LittleEndian, uint64(len(s)))
				b.WriteString(s)
				continue
			}
			_ = binary.Write(&b, binary.LittleEndian, v)
		}
	}
	b.WriteString("GGUF")
	put(version, uint64(0), uint64(len(entries)))
	for _, e := range entries {
		put(e...)
	}
	return b.Bytes()
}

var whole = file(3,
	[]any{"tokenizer.chat_template", uint32(typeString), "{{ 'é\xff' }}"},
	[]any{"general.alignment", uint32(4), uint32(32)}, []any{"a.float", uint32(6), float32(1.5)},
	[]any{"a.negative", uint32(5), int32(-7)}, []any{"a.bool", uint32(typeBool), uint8(1)},
	[]any{"a.large", uint32(10), uint64(1 << 63)},
	[]any{"a.scores", uint32(typeArray), uint32(6), uint64(2), float32(1), float32(2)},
	[]any{"a.merges", uint32(typeArray), uint32(typeString), uint64(2), "a b", "c d"},
	[]any{tokens, uint32(typeArray), uint32(typeString), uint64(3), "<s>", "</s>", "x"},
	[]any{"tokenizer.ggml.bos_token_id", uint32(4), uint32(0)},
	[]any{"tokenizer.ggml.eos_token_id", uint32(4), uint32(3)})

func TestDecode(t *testing.T) {
	m, err := Decode(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Strings["tokenizer.chat_template"]; got != "{{ 'é\uFFFD' }}" {
		t.Errorf("template %q", got)
	}
	if m.Integers["general.alignment"] != 32 || m.Integers["a.negative"] != -7 || m.Integers["a.bool"] != 1 ||
		len(m.Integers) != 5 {
		t.Errorf("integers %v", m.Integers)
	}
	if got := strings.Join(m.Tokens, " "); got != "<s> </s> x" {
		t.Errorf("tokens %q", got)
	}
	bos, eos, none := m.Token("tokenizer.ggml.bos_token_id"), m.Token("tokenizer.ggml.eos_token_id"), m.Token("x")
	if bos != "<s>" || eos != "" || none != "" {
		t.Errorf("BOS %q, EOS %q, none %q", bos, eos, none)
	}
}

func TestDecodeDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":           {nil, "no GGUF"},
		"another format":  {[]byte("PK\x03\x04 and more"), "no GGUF"},
		"version 1":       {file(1), "version 1"},
		"other end first": {[]byte("GGUF\x00\x00\x00\x03............................"), "version 50331648"},
		"cut off":         {whole[:len(whole)-3], "unexpected EOF"},
		"unknown type":    {file(3, []any{"a", uint32(77)}), "unknown type 77"},
		"list of lists":   {file(3, []any{"a", uint32(typeArray), uint32(typeArray), uint64(1)}), "unknown type 9"},
		"long text":       {file(3, []any{"a", uint32(typeString), uint64(1 << 62)}), "unexpected EOF"},
		"long list":       {file(3, []any{"a", uint32(typeArray), uint32(4), uint64(1 << 62)}), "unexpected EOF"},
		"longer list":     {file(3, []any{"a", uint32(typeArray), uint32(4), ^uint64(0)}), "unexpected EOF"},
		"many texts": {file(3, []any{tokens, uint32(typeArray), uint32(typeString), ^uint64(0)}),
			"unexpected EOF"},
	} {
		if _, err := Decode(bytes.NewReader(c.data), int64(len(c.data))); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// FuzzDecode: any file has metadata or an error.
func FuzzDecode(f *testing.F) {
	f.Add(whole)
	f.Add(whole[:60])
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(bytes.NewReader(data), int64(len(data)))
		if (m == nil) == (err == nil) {
			t.Errorf("%v, %v", m, err)
		}
	})
}
