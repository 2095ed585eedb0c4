package ollama

import (
	"os"
	"path/filepath"
	"testing"

	"sparkd"
)

func TestTemplate(t *testing.T) {
	for _, c := range []struct {
		file, data, want string
		code             sparkd.Code
	}{
		{"chat_template.jinja", "{{ messages }}", "{{ messages }}", ""},
		{"tokenizer_config.json", `{"chat_template":"{{ x }}"}`, "{{ x }}", ""},
		{"tokenizer_config.json", `{}`, "", ""},
		{"tokenizer_config.json", `{`, "", sparkd.CodeInvalid},
		{"other", "", "", sparkd.CodeInvalid},
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, c.file), []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := template(folder, "{% shown %}"); got != c.want || sparkd.CodeOf(err) != c.code {
			t.Errorf("%s %q: %q, %v", c.file, c.data, got, err)
		}
	}
}

// TestShownTemplate: without a folder, the template is the one that Ollama shows, if that is the GGUF's.
func TestShownTemplate(t *testing.T) {
	const jinja = "{#- sparkd: prompt_style=compact -#}{%- for m in messages -%}{{ m['content'] }}{%- endfor -%}"
	for shown, want := range map[string]string{jinja: jinja, "": "", "{{ .Prompt }}": "",
		"{{- range .Messages }}{{ .Content }}{{ end }}": ""} {
		if got, err := template("", shown); got != want || err != nil {
			t.Errorf("%q: %q, %v", shown, got, err)
		}
	}
}
