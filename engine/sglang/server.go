// Package sglang is the engine that lives in SGLang's server: its native /generate with ids
// (srt/managers/io_struct.py, GenerateReqInput), /tokenize, /detokenize, /get_model_info and
// /update_weights_from_disk. It was written from their documented schema and never met a real server.
package sglang

import (
	"cmp"
	"context"
	"net/http"

	"sparkd"
	"sparkd/engine/remote"
)

// Open connects to a server.
func Open(ctx context.Context, o remote.Options) (*remote.Engine, error) {
	return remote.Connect(ctx, o, func(api *remote.OpenAI) remote.Server {
		return &server{remote.Tokenizer{OpenAI: api}}
	})
}

// server implements remote.Server and remote.Reloader.
type server struct{ remote.Tokenizer }

// modelInfo is what /get_model_info says.
type modelInfo struct {
	ModelPath     string `json:"model_path"`
	TokenizerPath string `json:"tokenizer_path"`
	WeightVersion string `json:"weight_version"`
	Version       string `json:"version"`
}

func (s *server) Describe(ctx context.Context, about *sparkd.EngineInfo) error {
	var m modelInfo
	if err := s.HTTP.JSON(ctx, http.MethodGet, "/get_model_info", nil, &m); err != nil {
		return err
	}
	s.Move(s.Model(), s.version(&m))
	f, err := s.Files(cmp.Or(m.TokenizerPath, m.ModelPath))
	if err != nil {
		return err
	}
	s.Know(f)
	about.Dialect, about.ServerVersion = "sglang", m.Version
	about.Model, about.ContextLength = s.Model(), s.Card.MaxModelLen
	about.Capabilities.TokenExact, about.Capabilities.NativeK = true, true
	return f.Describe(ctx, about, s.Tokenize, s.Added)
}

func (s *server) Detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	var out struct{ Text string }
	err := s.Post(ctx, "/detokenize",
		map[string]any{"model": s.Model(), "tokens": ids, "skip_special_tokens": false}, &out)
	return out.Text, err
}

func (s *server) Sample(ctx context.Context, a *remote.Ask) (remote.Drawn, error) {
	return plan(a).Run(ctx, *a, s.Generate)
}

// plan asks for all continuations in one request, once the prefix is resident. SGLang
// computes a cold prefix of n continuations once, too, but says of none that it did.
func plan(a *remote.Ask) remote.Plan {
	n := len(a.Seeds)
	return remote.Plan{Warm: n > 1 && !a.Resident, Each: n}
}

// FansOut implements remote.Server.
func (s *server) FansOut() bool { return true }

// version names the weights: as the server does, or else as the model.
func (s *server) version(m *modelInfo) string {
	if m.WeightVersion == "default" {
		return s.Card.ID
	}
	return cmp.Or(m.WeightVersion, s.Card.ID)
}

// Restarted implements remote.Server. SGLang does not tell when it was started, but a new process may have other
// weights than sparkd gave the one before.
func (s *server) Restarted(ctx context.Context) (bool, error) {
	var m modelInfo
	if err := s.HTTP.JSON(ctx, http.MethodGet, "/get_model_info", nil, &m); err != nil {
		return false, err
	}
	version := s.version(&m)
	if m.WeightVersion == "" || version == s.PolicyVersion() {
		return false, nil
	}
	s.Move(s.Model(), version)
	return true, nil
}

// Reload implements remote.Reloader: the server waits for what runs there and empties its cache.
func (s *server) Reload(_ context.Context, w sparkd.Weights) (func(context.Context) error, error) {
	if err := remote.CheckWeights(w); err != nil {
		return nil, err
	}
	if w.LoRA {
		return nil, sparkd.Invalid("lora", "merge the adapter into its model", "adapters of SGLang are not supported")
	}
	return func(ctx context.Context) error {
		var out struct {
			Success bool
			Message string
		}
		request := map[string]any{"model_path": w.Path, "weight_version": w.Version,
			"flush_cache": true, "abort_all_requests": false}
		if err := s.Post(ctx, "/update_weights_from_disk", request, &out); err != nil {
			return err
		}
		if !out.Success {
			return sparkd.Errorf(sparkd.CodeEngine, "the server did not take the weights: %s", out.Message)
		}
		s.Move(s.Model(), w.Version)
		return nil
	}, nil
}
