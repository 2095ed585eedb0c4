package daemon

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/engine/remote"
	"sparkd/internal/gguf"
	"sparkd/sampler"
)

// TemplateReport is what the chat template of a model comes to.
type TemplateReport struct {
	Model    string               `json:"model"`
	Template string               `json:"template"` // "model" for its own, "chatml" or "plain" for a stand-in
	Style    string               `json:"style"`    // of the prompt
	Opens    string               `json:"opens"`    // the mark with which the generation prompt opens a thought, or ""
	Pieces   sampler.Pieces       `json:"pieces"`
	Differs  []sampler.Difference `json:"differs"`
	Warnings []string             `json:"warnings"`
}

// DescribeTemplate reads the chat template of the configured model: of servers, or of a file, which may also be a
// template alone, or a folder. With load weights are loaded, or the caller's engine is asked: that shows what is
// doubtful about the vocabulary.
func DescribeTemplate(ctx context.Context, c *Config, p Parts, load bool) (*TemplateReport, error) {
	e, err := p.Engine, error(nil)
	switch {
	case c.Engine.Kind == "remote":
		e, err = connectReplicas(ctx, c, zerolog.Nop())
	case !load:
		return describeFile(ctx, c.Engine.Model)
	case e == nil:
		e, err = loadModel(ctx, c, zerolog.Nop())
	}
	if err != nil {
		return nil, err
	}
	if e != p.Engine {
		defer e.Close()
	}
	t, err := sampler.ModelTemplate(ctx, e)
	if err != nil {
		return nil, err
	}
	about := e.Describe()
	doubts, err := sampler.ControlWarnings(ctx, e, t)
	if err != nil {
		return nil, err
	}
	return newTemplateReport(about.Model, about.ChatTemplate, t, append(slices.Clone(about.Warnings), doubts...)...)
}

func newTemplateReport(model, source string, t sampler.Template, warnings ...string) (*TemplateReport, error) {
	style, err := sampler.ModelStyle(source)
	if err != nil {
		return nil, err
	}
	if t.Warning != "" {
		warnings = slices.Insert(warnings, 0, t.Warning)
	}
	r := &TemplateReport{Model: model, Template: t.Name, Style: string(style), Opens: t.Opens, Pieces: t.Pieces(),
		Differs: t.Differences(), Warnings: warnings}
	if r.Differs == nil {
		r.Differs = []sampler.Difference{}
	}
	if r.Warnings == nil {
		r.Warnings = []string{}
	}
	return r, nil
}

// describeFile reads a GGUF's metadata, the files of Hugging Face in a folder, or one file with a template.
func describeFile(ctx context.Context, model string) (*TemplateReport, error) {
	path, err := modelPath(ctx, model)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		f, err := remote.ReadFiles(path)
		return describeFiles(name, f, err)
	}
	if ext := filepath.Ext(path); ext == ".jinja" || ext == ".json" {
		f, err := remote.ReadTemplate(path)
		return describeFiles(name, f, err)
	}
	m, err := gguf.Read(path)
	if err != nil {
		const remedy = "name a GGUF, a .jinja, a tokenizer_config.json, a folder with one, or the address of a server"
		return nil, badModel(err, remedy, "cannot read "+name+": "+err.Error())
	}
	source := m.Strings["tokenizer.chat_template"]
	if m.Strings["tokenizer.ggml.model"] == "llama" { // as llama.cpp has it
		for key, id := range map[string]int64{"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2} {
			if _, ok := m.Integers[key]; !ok {
				m.Integers[key] = id
			}
		}
	}
	bos, eos := m.Token("tokenizer.ggml.bos_token_id"), m.Token("tokenizer.ggml.eos_token_id")
	t := sampler.NewTemplate(source, bos, eos, slices.Contains(m.Tokens, "<|im_start|>"))
	return newTemplateReport(cmp.Or(m.Strings["general.name"], name), source, t)
}

func describeFiles(name string, f *remote.Files, err error) (*TemplateReport, error) {
	if err != nil {
		return nil, badModel(err, "name a .jinja, a tokenizer_config.json, or a folder with one",
			"no chat template can be read of "+name+": "+sparkd.AsError(err).Message)
	}
	var warnings []string
	bos, eos := f.BOS, f.EOS
	missing := func(text, variable string) bool { return text == "" && strings.Contains(f.Template, variable) }
	if missing(bos, "bos_token") || missing(eos, "eos_token") {
		bos, eos = cmp.Or(bos, "⟨bos_token⟩"), cmp.Or(eos, "⟨eos_token⟩")
		warnings = append(warnings, "nothing here tells bos_token and eos_token; these names stand for them")
	}
	t := sampler.NewTemplate(f.Template, bos, eos, slices.Contains(f.Special, "<|im_start|>"))
	return newTemplateReport(name, f.Template, t, warnings...)
}
