package ollama

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sparkd"
)

// template returns the Jinja source of a chat template: of a folder with a model's Hugging
// Face files (chat_template.jinja, or the field of tokenizer_config.json), else what Ollama
// shows where that is the GGUF's. Its own templates are of another kind, Go's, and do not
// keep a conversation as it was. "" has none.
func template(folder, shown string) (string, error) {
	if folder == "" {
		if !strings.Contains(shown, "{%") { // Go's have no such brackets, and Jinja has no loop without
			return "", nil
		}
		return shown, nil
	}
	if data, err := readFile(filepath.Join(folder, "chat_template.jinja")); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return string(data), unreadable(err)
	}
	data, err := readFile(filepath.Join(folder, "tokenizer_config.json"))
	if err != nil {
		return "", unreadable(err)
	}
	var config struct {
		Template any `json:"chat_template"`
	}
	err = json.Unmarshal(data, &config)
	text, _ := config.Template.(string)
	return text, unreadable(err)
}

func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return sparkd.Invalid("engine.tokenizer", "name a folder with the model's Hugging Face files", "cannot read the chat template: %v", err)
}

// readFile reads at most 16 MiB of a file.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 16<<20))
}
