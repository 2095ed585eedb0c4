package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	goopenai "github.com/sashabaranov/go-openai"

	"sparkd"
	"sparkd/internal/httpclient"
)

// server is one server: how it is asked and what is asked for.
type server struct {
	Options
	http *httpclient.Client
	api  *goopenai.Client
	card card // of the model, as the server lists it

	mu     sync.Mutex // guards below
	served string
	policy string
}

// card is what /v1/models says of a model: OpenAI's fields are few, the others are of vLLM
// and SGLang (root, max_model_len) and of llama-server (meta).
type card struct {
	ID          string `json:"id"`
	Root        string `json:"root"`
	MaxModelLen int    `json:"max_model_len"`
	Meta        struct {
		Vocabulary int `json:"n_vocab"`
		Context    int `json:"n_ctx"`
		Size       int `json:"size"`
	} `json:"meta"`
}

func newServer(o Options) (*server, error) {
	if o.TopLogprobs == 0 {
		o.TopLogprobs = 20
	}
	if o.TopLogprobs < 2 {
		return nil, sparkd.Invalid("engine.top_logprobs", "use 2 or more, or 0 for 20", "%d alternatives do not tell entropy and margin", o.TopLogprobs)
	}
	c, err := httpclient.New(httpclient.Options{URL: o.URL, Token: o.APIKey, Timeout: o.Timeout, Transport: o.Transport})
	if err != nil {
		return nil, err
	}
	config := goopenai.DefaultConfig(o.APIKey)
	config.BaseURL, config.HTTPClient = c.Base("/v1"), wire{c}
	return &server{Options: o, http: c, api: goopenai.NewClientWithConfig(config), policy: o.Version}, nil
}

// choose finds the model to ask for in the server's list.
func (s *server) choose(ctx context.Context) error {
	x := &exchange{}
	if _, err := s.api.ListModels(x.in(ctx)); err != nil {
		return x.failure(err)
	}
	var list struct{ Data []card }
	if err := json.Unmarshal(x.answer, &list); err != nil || len(list.Data) == 0 {
		return sparkd.Errorf(sparkd.CodeEngine, "%s lists no model", s.http.Base("/v1/models"))
	}
	i := 0
	if s.Model != "" {
		i = slices.IndexFunc(list.Data, func(c card) bool { return c.ID == s.Model })
	}
	if i < 0 {
		names := make([]string, len(list.Data))
		for j, c := range list.Data {
			names[j] = c.ID
		}
		return sparkd.Invalid("engine.served_model", "one of "+strings.Join(names, ", "), "%s serves no model %q", s.http.Name(), s.Model)
	}
	s.card, s.served = list.Data[i], list.Data[i].ID
	return nil
}

// model is the name to ask for.
func (s *server) model() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served
}

// version is the policy version of the weights that answer.
func (s *server) version() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.policy == "" {
		return s.served
	}
	return s.policy
}

// move notes that other weights answer from now on.
func (s *server) move(model, policy string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served, s.policy = model, policy
}

// post sends in to a route of the server's own and reads the answer into out.
func (s *server) post(ctx context.Context, path string, in, out any) error {
	return s.http.JSON(ctx, http.MethodPost, path, in, out)
}

// answersFor refuses an answer of another model than the one asked for.
func (s *server) answersFor(model string) error {
	if want := s.model(); model != "" && model != want {
		return &sparkd.Error{Code: sparkd.CodeEngine, Field: "engine.served_model", Message: fmt.Sprintf("%s answers as %q to a request for %q", s.http.Name(), model, want),
			Remedy: "check whether the server was given another model"}
	}
	return nil
}
