package remote

import (
	"os"
	"path/filepath"
	"testing"
)

// The template of a folder is that of chat_template.jinja, of chat_template.json or of tokenizer_config.json, in this
// order; of a list of templates it is the default one. A file alone takes from its folder what it lacks.
func TestReadTemplates(t *testing.T) {
	config := `{"bos_token":{"content":"<s>"},"eos_token":"</s>","chat_template":[{"name":"tool_use","template":"T"},` +
		`{"name":"default","template":"C"}]}`
	type files map[string]string
	for name, c := range map[string]struct {
		files files
		file  string // "" reads the folder
		want  string
		bos   string
	}{
		"a list": {files{"tokenizer_config.json": config}, "", "C", "<s>"},
		"of a processor": {files{"tokenizer_config.json": config, "chat_template.json": `{"chat_template":"P"}`}, "",
			"P", "<s>"},
		"Jinja":           {files{"tokenizer_config.json": config, "chat_template.jinja": "J"}, "", "J", "<s>"},
		"the list's file": {files{"tokenizer_config.json": config}, "tokenizer_config.json", "C", "<s>"},
		"Jinja's file":    {files{"tokenizer_config.json": config, "other.jinja": "O"}, "other.jinja", "O", "<s>"},
		"Jinja alone":     {files{"other.jinja": "O"}, "other.jinja", "O", ""},
		"no default": {files{"tokenizer_config.json": `{"chat_template":[{"name":"rag","template":"R"}]}`}, "",
			"", ""},
		"no template": {files{"tokenizer_config.json": `{"chat_template":7}`}, "tokenizer_config.json", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			read := func() (*Files, error) { return ReadFiles(dir) }
			if c.file != "" {
				read = func() (*Files, error) { return ReadTemplate(filepath.Join(dir, c.file)) }
			}
			f, err := read()
			if err != nil || f.Template != c.want || f.BOS != c.bos {
				t.Errorf("got %+v, error %v", f, err)
			}
		})
	}
	if _, err := ReadTemplate(filepath.Join(t.TempDir(), "none.jinja")); err == nil {
		t.Error("no error for a file that is not there")
	}
}
