package remote

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sparkd"
)

// Files is what a model's Hugging Face folder says that a server may not: config.json,
// tokenizer_config.json, chat_template.jinja and tokenizer.json.
type Files struct {
	Template   string          // Jinja source
	BOS, EOS   string          // spelled out
	Special    []string        // control tokens, or added ones of which nothing says what they are
	Plain      map[string]bool // added tokens that are no control tokens
	vocabulary int
	kind       string // "llama"
	weights    string // "bfloat16"
}

// TokenizerInfo is tokenizer_config.json, which vLLM's /tokenizer_info repeats with the control tokens by name alone.
type TokenizerInfo struct {
	Template any            `json:"chat_template"`
	BOS      any            `json:"bos_token"`
	EOS      any            `json:"eos_token"`
	Added    map[string]any `json:"added_tokens_decoder"`
}

// maxFile bounds what is read of a file.
const maxFile = 64 << 20

// ReadFiles reads a folder, "" for none. At least one of the files must be there, and those that are needed.
func ReadFiles(folder string, needed ...string) (*Files, error) {
	f := &Files{Plain: map[string]bool{}}
	if folder == "" {
		return f, nil
	}
	var config struct {
		Vocabulary int    `json:"vocab_size"`
		Kind       string `json:"model_type"`
		Weights    string `json:"dtype"`
		Older      string `json:"torch_dtype"`
	}
	var info TokenizerInfo
	var tokenizer struct {
		Added []struct {
			Content string
			Special bool
		} `json:"added_tokens"`
	}
	var processor TokenizerInfo // of a model that sees pictures
	text := func(data []byte, into any) (err error) { *into.(*string) = string(data); return nil }
	template, found := "", false
	for _, x := range []struct {
		name string
		into any
		read func([]byte, any) error
	}{
		{"config.json", &config, json.Unmarshal}, {"tokenizer_config.json", &info, json.Unmarshal},
		{"tokenizer.json", &tokenizer, json.Unmarshal}, {"chat_template.jinja", &template, text},
		{"chat_template.json", &processor, json.Unmarshal},
	} {
		data, err := readFile(filepath.Join(folder, x.name))
		if errors.Is(err, fs.ErrNotExist) && !slices.Contains(needed, x.name) {
			continue
		}
		if err == nil {
			err = x.read(data, x.into)
		}
		if err != nil {
			return nil, unreadable(x.name, err)
		}
		found = true
	}
	if !found {
		return nil, unreadable("chat_template.jinja or tokenizer_config.json", fs.ErrNotExist)
	}
	f.vocabulary, f.kind, f.weights = config.Vocabulary, config.Kind, config.Weights+config.Older
	for _, a := range tokenizer.Added {
		f.add(a.Content, a.Special)
	}
	f.Template = template
	f.Fill(processor)
	f.Fill(info)
	return f, nil
}

// ReadTemplate reads a file with a chat template, JSON or Jinja, and what lies beside it.
func ReadTemplate(path string) (*Files, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, unreadable(filepath.Base(path), err)
	}
	f := &Files{Plain: map[string]bool{}, Template: string(data)}
	if filepath.Ext(path) == ".json" {
		var info TokenizerInfo
		if err := json.Unmarshal(data, &info); err != nil {
			return nil, unreadable(filepath.Base(path), err)
		}
		f.Template = ""
		f.Fill(info)
	}
	if beside, err := ReadFiles(filepath.Dir(path)); err == nil {
		f.BOS, f.EOS = cmp.Or(f.BOS, beside.BOS), cmp.Or(f.EOS, beside.EOS)
		f.Special = append(f.Special, beside.Special...)
	}
	return f, nil
}

func unreadable(name string, err error) error {
	return sparkd.NewError(sparkd.CodeInvalid, "engine.tokenizer", "name a folder with the model's Hugging Face files",
		"cannot read %s: %s", name, err.Error()).Because(err)
}

// Fill takes what the tokenizer's configuration says and is not known yet.
func (f *Files) Fill(info TokenizerInfo) {
	word := func(value any) string { // itself, or its field content
		if object, ok := value.(map[string]any); ok {
			value = object["content"]
		}
		text, _ := value.(string)
		return text
	}
	f.Template = cmp.Or(f.Template, templateOf(info.Template))
	f.BOS, f.EOS = cmp.Or(f.BOS, word(info.BOS)), cmp.Or(f.EOS, word(info.EOS))
	for _, a := range info.Added {
		more, _ := a.(map[string]any)
		f.add(word(a), more["special"] != false)
	}
}

// templateOf returns the template of a setting that is one, or a list of several with names: then the one that is for
// conversations without tools.
func templateOf(setting any) string {
	list, _ := setting.([]any)
	for _, item := range list {
		if named, _ := item.(map[string]any); named["name"] == "default" {
			setting = named["template"]
		}
	}
	text, _ := setting.(string)
	return text
}

// add notes an added token. Where one source says that it is no control token and another
// does not say, it is none: /tokenizer_info tells names alone.
func (f *Files) add(word string, special bool) {
	if special {
		f.Special = append(f.Special, word)
		return
	}
	f.Plain[word] = true
}

// turnEnds are the tokens that end a turn in the templates of known families; a template
// that has one of them ends its turns with it.
var turnEnds = []string{
	"<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<turn|>", "<|end|>", "<|eot|>", "<|END_OF_TURN_TOKEN|>",
}

// Describe fills in what is known of the model. tokenize reads control tokens; added
// tokenises with what the model expects around a text.
func (f *Files) Describe(ctx context.Context, about *sparkd.EngineInfo,
	tokenize func(ctx context.Context, text string, control bool) ([]sparkd.Token, error),
	added func(ctx context.Context, text string) ([]sparkd.Token, error),
) (err error) {
	about.ChatTemplate, about.Architecture = f.Template, f.kind
	about.Vocabulary, about.WeightType = f.vocabulary, f.weights
	one := func(word string) sparkd.Token {
		if word == "" || err != nil {
			return -1
		}
		var ids []sparkd.Token
		if ids, err = tokenize(ctx, word, true); len(ids) != 1 {
			return -1
		}
		return ids[0]
	}
	about.BOS, about.EOS = one(f.BOS), one(f.EOS)
	about.EOT = about.EOS
	for _, word := range turnEnds {
		if !strings.Contains(f.Template, word) {
			continue
		}
		if id := one(word); id >= 0 {
			about.EOT = id
			break
		}
	}
	if err != nil {
		return err
	}
	with, err := added(ctx, "a")
	if err != nil {
		return err
	}
	plain, err := tokenize(ctx, "a", true)
	if err != nil {
		return err
	}
	if len(with) > len(plain) && (about.BOS < 0 || about.BOS == with[0]) {
		about.AddBOS, about.BOS = true, with[0]
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}
