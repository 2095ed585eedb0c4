package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sparkd/daemon"
	"sparkd/engine/embedded/gguftest"
)

const thinking = "{%- for m in messages -%}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}" +
	"<|im_end|>\n{% endfor -%}{%- if add_generation_prompt -%}<|im_start|>assistant\n<think>\n{% endif -%}"

// A template is shown wherever it stands: in a GGUF, in files of Hugging Face, alone; the weights are not looked at.
func TestTemplateCommand(t *testing.T) {
	s := newSession(t)
	put := func(name, text string) string {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := filepath.Join(s.dir, "tiny.gguf")
	shape := gguftest.Shape{Metadata: map[string]any{"tokenizer.chat_template": thinking}}
	if err := gguftest.Write(file, shape, 1); err != nil {
		t.Fatal(err)
	}
	config, _ := json.Marshal(map[string]any{"chat_template": thinking, "bos_token": "<s>", "eos_token": "</s>"})
	folder := filepath.Dir(put("hf/tokenizer_config.json", string(config)))
	for _, model := range []string{file, folder, filepath.Join(folder, "tokenizer_config.json"),
		put("alone.jinja", thinking)} {
		var r daemon.TemplateReport
		if err := json.Unmarshal([]byte(s.must("template", "--json", "--model", model).stdout), &r); err != nil {
			t.Fatal(err)
		}
		if r.Template != "model" || r.Opens != "<think>" || len(r.Differs) != 2 || len(r.Warnings) != 1 ||
			r.Pieces.Turn[0] != "<|im_end|>\n<|im_start|>user\n" ||
			r.Pieces.Turn[1] != "<|im_end|>\n<|im_start|>assistant\n<think>\n" ||
			r.Pieces.Example != "<|im_end|>\n<|im_start|>assistant\n" {
			t.Errorf("%s: %+v", model, r)
		}
	}
	golden(t, "template.txt", s.timeless(s.must("template", "--model", filepath.Join(s.dir, "alone.jinja")).stdout))
}

// A template that cannot be used ends the command with 3 and says what is used in its place; a file that has none, with
// 2.
func TestTemplateCommandRefuses(t *testing.T) {
	s := newSession(t)
	path := filepath.Join(s.dir, "bad.jinja")
	for text, want := range map[string]string{
		"a\n{% include 'b' %}": `cannot be read: line 2, {% include 'b' %}: unknown tag "include"; using plain`,
		"{{ messages|length }}{% for m in messages %}{{ m.content }}{% endfor %}": "a longer conversation does not",
		"": "the model has no chat template",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := s.run("template", "--model", path)
		if r.code != exitProblems || !strings.Contains(r.stdout, want) ||
			!strings.Contains(r.stdout, "a stand-in, plain") {
			t.Errorf("%q: exit %d\n%s%s", text, r.code, r.stdout, r.stderr)
		}
	}
	if err := os.WriteFile(path, []byte("GGUF\x03\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".gguf"); err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]string{
		path + ".gguf": "its metadata is damaged", path: "there is no file", s.dir: "no chat template can be read",
		"http://127.0.0.1:1": "cannot be reached",
	} {
		if r := s.run("template", "--model", model); r.code == exitOK || !strings.Contains(r.stderr, want) ||
			!strings.Contains(r.stderr, "remedy: ") {
			t.Errorf("%s: exit %d\n%s%s", model, r.code, r.stdout, r.stderr)
		}
	}
}
