package remote

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	goopenai "github.com/sashabaranov/go-openai"

	"sparkd"
	"sparkd/internal/httpclient"
	"sparkd/internal/loopback"
)

// Served is what answers: the model to ask for and the version of its weights.
type Served struct{ now atomic.Pointer[served] }

type served struct{ model, version string }

// Model is the name to ask for.
func (s *Served) Model() string { return s.now.Load().model }

// PolicyVersion names the weights that answer.
func (s *Served) PolicyVersion() string { return s.now.Load().version }

// Move notes that other weights answer from now on.
func (s *Served) Move(model, version string) { s.now.Store(&served{model, version}) }

// OpenAI is a server with OpenAI's routes /v1/models and /v1/completions, beside routes of its own.
type OpenAI struct {
	Served
	HTTP   *httpclient.Client
	Card   Card // of the model, as the server lists it
	api    *goopenai.Client
	folder string   // Options.Tokenizer
	names  []string // of the model: those that the server lists with the same root
	// answered is the name that the first answer had.
	answered atomic.Pointer[string]
}

// Card is what /v1/models says of a model: OpenAI's fields are few, the others are of vLLM
// and SGLang (root, max_model_len) and of llama-server (meta).
type Card struct {
	ID          string `json:"id"`
	Root        string `json:"root"`
	MaxModelLen int    `json:"max_model_len"`
	Meta        struct {
		Vocabulary int `json:"n_vocab"`
	} `json:"meta"`
}

// Connect opens the engine of a server with OpenAI's routes.
func Connect(ctx context.Context, o Options, server func(*OpenAI) Server) (*Engine, error) {
	api, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	return Open(ctx, api.HTTP, server(api), ProbeText)
}

// connect finds the model to ask for in the server's list.
func connect(ctx context.Context, o Options) (*OpenAI, error) {
	c, err := o.Client()
	if err != nil {
		return nil, err
	}
	config := goopenai.DefaultConfig(o.APIKey)
	config.BaseURL, config.HTTPClient = c.Base("/v1"), wire{c}
	s := &OpenAI{HTTP: c, api: goopenai.NewClientWithConfig(config), folder: o.Tokenizer}
	cards, err := s.cards(ctx)
	if err != nil {
		return nil, err
	}
	if s.Card, err = named(c.Name(), cards, cmp.Or(o.Model, cards[0].ID)); err != nil {
		return nil, err
	}
	for _, other := range cards {
		if other.ID == s.Card.ID || other.Root != "" && other.Root == s.Card.Root {
			s.names = append(s.names, other.ID)
		}
	}
	s.Move(s.Card.ID, s.Card.ID)
	return s, nil
}

// cards lists the server's models. There is at least one.
func (s *OpenAI) cards(ctx context.Context) ([]Card, error) {
	x := &exchange{}
	if _, err := s.api.ListModels(x.in(ctx)); err != nil {
		return nil, x.failure(err)
	}
	var list struct{ Data []Card }
	if err := json.Unmarshal(x.answer, &list); err != nil || len(list.Data) == 0 {
		return nil, s.HTTP.NotExpected("/v1/models", x.answer, errors.New("it lists no model"))
	}
	return list.Data, nil
}

// named returns the card of a model.
func named(server string, cards []Card, model string) (Card, error) {
	i := slices.IndexFunc(cards, func(c Card) bool { return c.ID == model })
	if i >= 0 {
		return cards[i], nil
	}
	names := make([]string, len(cards))
	for j, c := range cards {
		names[j] = c.ID
	}
	return Card{}, sparkd.Invalid("engine.served_model", "one of "+strings.Join(names, ", "),
		"%s serves no model %q", server, model)
}

// Lists makes sure that the server still lists the model as it did.
func (s *OpenAI) Lists(ctx context.Context) error {
	cards, err := s.cards(ctx)
	if err != nil {
		return err
	}
	now, err := named(s.HTTP.Name(), cards, s.Card.ID)
	if err == nil && now.Root == s.Card.Root && now.Meta == s.Card.Meta {
		return nil
	}
	return sparkd.NewError(sparkd.CodeEngine, "engine.served_model",
		"give it the model back that it had, or start sparkd anew",
		"%s lists another model than it did: %q of %q", s.HTTP.Name(), cmp.Or(now.ID, cards[0].ID), now.Root)
}

// Post sends in to a route of the server's own and reads the answer into out.
func (s *OpenAI) Post(ctx context.Context, path string, in, out any) error {
	return s.HTTP.JSON(ctx, http.MethodPost, path, in, out)
}

// Results asks a route that answers with a list for several continuations and with the one result for one. What is
// empty is no result.
func Results[T any](ctx context.Context, s *OpenAI, path string, request any, empty func(*T) bool) ([]T, error) {
	var body json.RawMessage
	if err := s.Post(ctx, path, request, &body); err != nil {
		return nil, err
	}
	list := make([]T, 1)
	var into any = &list[0]
	if body[0] == '[' { // also of a server that does not know of several, or always answers so
		into = &list
	}
	err := json.Unmarshal(body, into)
	if err != nil || len(list) == 0 || empty(&list[0]) {
		return nil, s.HTTP.NotExpected(path, body, cmp.Or(err, errors.New("it has no continuation")))
	}
	return list, nil
}

// Complete asks /v1/completions through go-openai and reads the answer into out as well.
// The prompt and the name of the model are among fields: go-openai refuses ids, and names
// that OpenAI serves elsewhere. An answer of another model is an error.
func (s *OpenAI) Complete(ctx context.Context, fields map[string]any, out any) (goopenai.CompletionResponse, error) {
	x := &exchange{fields: fields}
	got, err := s.api.CreateCompletion(x.in(ctx), goopenai.CompletionRequest{Model: "served", Prompt: ""})
	if err == nil && out != nil {
		err = json.Unmarshal(x.answer, out)
	}
	if err != nil {
		return got, x.failure(err)
	}
	if len(got.Choices) == 0 {
		return got, s.HTTP.NotExpected("/v1/completions", x.answer, errors.New("it has no choices"))
	}
	return got, s.AnswersAs(got.Model)
}

// AnswersAs refuses an answer of another model than the one asked for. Names that the server lists with the same root
// are one model, and so is the name that its first answer had: that of what an alias stands for.
func (s *OpenAI) AnswersAs(model string) error {
	want := s.Model()
	if model == "" {
		return nil
	}
	s.answered.CompareAndSwap(nil, &model)
	if model == want || want == s.Card.ID && (*s.answered.Load() == model || slices.Contains(s.names, model)) {
		return nil
	}
	return AnotherModel(s.HTTP.Name(), model, want)
}

// Alias is the name under which the server answers where that is none of the model's, else "".
func (s *OpenAI) Alias() string {
	if name := s.answered.Load(); name != nil && !slices.Contains(s.names, *name) {
		return *name
	}
	return ""
}

// CompletionFields are the sampling parameters that OpenAI's route has, with no filter left to the server's defaults.
func CompletionFields(a *Ask) map[string]any {
	return map[string]any{
		"temperature": a.Sampling.Temperature, "top_p": a.TopP(), "stop": a.Stop(),
		"presence_penalty": 0, "frequency_penalty": 0, "seed": a.Seed(),
		"n": len(a.Seeds), "max_tokens": a.Limit, "stream": false,
	}
}

// TopP is 1 where it is off.
func (a *Ask) TopP() float64 { return cmp.Or(a.Sampling.TopP, 1) }

// TopK is what stands for off where that is so.
func (a *Ask) TopK(off int) int { return cmp.Or(a.Sampling.TopK, off) }

// Stop is never nil, so that it is an empty list in JSON.
func (a *Ask) Stop() []string { return append([]string{}, a.Sampling.Stop...) }

// Files reads the folder that Options.Tokenizer names or, where the server runs on this
// machine and says where its model is, that one.
func (s *OpenAI) Files(root string) (*Files, error) {
	folder := s.folder
	if folder == "" && filepath.IsAbs(root) && s.IsLocal() {
		if _, err := os.Stat(filepath.Join(root, "config.json")); err == nil {
			folder = root
		}
	}
	return ReadFiles(folder, "config.json")
}

// IsLocal reports whether the server's address is this machine's own.
func (s *OpenAI) IsLocal() bool {
	u, err := url.Parse(s.HTTP.Name())
	return err == nil && loopback.Is(u.Hostname())
}
