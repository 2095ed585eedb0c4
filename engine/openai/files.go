package openai

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sparkd"
	"sparkd/internal/loopback"
)

// files is what a model's Hugging Face folder says that a server may not: config.json,
// tokenizer_config.json, chat_template.jinja and tokenizer.json.
type files struct {
	template   string
	bos, eos   string          // spelled out
	special    []string        // control tokens, or added ones of which nothing says what they are
	plain      map[string]bool // added tokens that are no control tokens
	vocabulary int
	kind       string // "llama"
	weights    string // "bfloat16"
}

// tokenizerInfo is tokenizer_config.json, which vLLM's /tokenizer_info repeats with the
// control tokens by name alone.
type tokenizerInfo struct {
	Template any            `json:"chat_template"`
	BOS      any            `json:"bos_token"`
	EOS      any            `json:"eos_token"`
	Added    map[string]any `json:"added_tokens_decoder"`
}

// maxFile bounds what is read of a file.
const maxFile = 64 << 20

// files reads the folder that Options name or, where the server runs on this machine and
// says where its model is, that one.
func (s *server) files(root string) (*files, error) {
	folder := s.Tokenizer
	if folder == "" && filepath.IsAbs(root) && s.local() {
		if _, err := os.Stat(filepath.Join(root, "config.json")); err == nil {
			folder = root
		}
	}
	f := &files{plain: map[string]bool{}}
	if folder == "" {
		return f, nil
	}
	var config struct {
		Vocabulary int    `json:"vocab_size"`
		Kind       string `json:"model_type"`
		Weights    string `json:"dtype"`
		Older      string `json:"torch_dtype"`
	}
	var info tokenizerInfo
	var tokenizer struct {
		Added []struct {
			Content string
			Special bool
		} `json:"added_tokens"`
	}
	for name, into := range map[string]any{"config.json": &config, "tokenizer_config.json": &info, "tokenizer.json": &tokenizer} {
		data, err := readFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) && name != "config.json" {
			continue
		}
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			return nil, &sparkd.Error{Code: sparkd.CodeInvalid, Field: "engine.tokenizer", Message: "cannot read " + name + ": " + err.Error(),
				Remedy: "name a folder with the model's Hugging Face files", Err: err}
		}
	}
	f.vocabulary, f.kind, f.weights = config.Vocabulary, config.Kind, config.Weights+config.Older
	for _, a := range tokenizer.Added {
		f.add(a.Content, a.Special)
	}
	f.fill(info)
	if data, err := readFile(filepath.Join(folder, "chat_template.jinja")); err == nil {
		f.template = string(data)
	}
	return f, nil
}

// fill takes what the tokenizer's configuration says and is not known yet.
func (f *files) fill(info tokenizerInfo) {
	orElse := func(field *string, value any) {
		switch v := value.(type) {
		case string:
			if *field == "" {
				*field = v
			}
		case map[string]any:
			if text, ok := v["content"].(string); ok && *field == "" {
				*field = text
			}
		}
	}
	orElse(&f.template, info.Template)
	orElse(&f.bos, info.BOS)
	orElse(&f.eos, info.EOS)
	for _, a := range info.Added {
		word := ""
		orElse(&word, a)
		more, _ := a.(map[string]any)
		f.add(word, more["special"] != false)
	}
}

// add notes an added token. Where one source says that it is no control token and another
// does not say, it is none: /tokenizer_info tells names alone.
func (f *files) add(word string, special bool) {
	if special {
		f.special = append(f.special, word)
		return
	}
	f.plain[word] = true
}

// turnEnds are the tokens that end a turn in the templates of known families; a template
// that has one of them ends its turns with it.
var turnEnds = []string{"<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<turn|>", "<|end|>", "<|eot|>", "<|END_OF_TURN_TOKEN|>"}

// describe fills in what is known of the model. tokenize reads control tokens; added
// tokenises with what the model expects around a text.
func (f *files) describe(ctx context.Context, about *sparkd.EngineInfo,
	tokenize func(context.Context, string, bool) ([]sparkd.Token, error), added func(context.Context, string) ([]sparkd.Token, error)) error {
	about.ChatTemplate, about.Architecture = f.template, f.kind
	if f.vocabulary > 0 {
		about.Vocabulary = f.vocabulary
	}
	if f.weights != "" {
		about.WeightType = f.weights
	}
	one := func(word string) (sparkd.Token, error) {
		if word == "" {
			return -1, nil
		}
		ids, err := tokenize(ctx, word, true)
		if err != nil || len(ids) != 1 {
			return -1, err
		}
		return ids[0], nil
	}
	var err error
	if about.BOS, err = one(f.bos); err != nil {
		return err
	}
	if about.EOS, err = one(f.eos); err != nil {
		return err
	}
	about.EOT = about.EOS
	for _, word := range turnEnds {
		if !strings.Contains(f.template, word) {
			continue
		}
		if id, err := one(word); err != nil {
			return err
		} else if id >= 0 {
			about.EOT = id
			break
		}
	}
	with, err := added(ctx, "a")
	if err != nil {
		return err
	}
	plain, err := tokenize(ctx, "a", true)
	if err != nil {
		return err
	}
	if len(with) > len(plain) && len(with) > 0 && (about.BOS < 0 || about.BOS == with[0]) {
		about.AddBOS, about.BOS = true, with[0]
	}
	return nil
}

// local reports whether the server's address is this machine's own.
func (s *server) local() bool {
	u, err := url.Parse(s.http.Name())
	return err == nil && loopback.Is(u.Hostname())
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}
