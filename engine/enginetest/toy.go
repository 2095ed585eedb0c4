package engine_test

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// toy is a language model of bytes and four control tokens, whose next token depends on
// the last six. It stands behind servers that cannot be had here.
type toy struct {
	mu    sync.Mutex
	cache [][]int // prompts and what followed them
}

const (
	toyBOS, toyEnd, toyVocabulary, toyContext = 256, 257, 260, 512
)

var toyControl = map[int]string{256: "<s>", 257: "</s>", 258: "<|im_start|>", 259: "<|im_end|>"}

// tokenize reads control tokens, as the tokenizers of Python servers do.
func (*toy) tokenize(text string) []int {
	ids := []int{}
	for text != "" {
		id, n := int(text[0]), 1
		for control, word := range toyControl {
			if strings.HasPrefix(text, word) {
				id, n = control, len(word)
			}
		}
		ids, text = append(ids, id), text[n:]
	}
	return ids
}

func (*toy) spell(ids []int) string {
	var b strings.Builder
	for _, id := range ids {
		if word, ok := toyControl[id]; ok {
			b.WriteString(word)
		} else {
			b.WriteByte(byte(id))
		}
	}
	return b.String()
}

// logprobs of the next token at a temperature: letters and blanks, and the end now and then.
func (*toy) logprobs(ids []int, temperature float64) []float64 {
	h := fnv.New64a()
	for _, id := range ids[max(0, len(ids)-6):] {
		h.Write([]byte{byte(id), byte(id >> 8)})
	}
	r := rand.New(rand.NewPCG(h.Sum64(), 1))
	logits, sum := make([]float64, toyVocabulary), 0.0
	for i := range logits {
		logits[i] = r.NormFloat64() * 2
		if i != ' ' && (i < 'a' || i > 'z') {
			logits[i] -= 12
		}
		logits[i] /= temperature
		sum += math.Exp(logits[i])
	}
	for i := range logits {
		logits[i] -= math.Log(sum)
	}
	return logits
}

// grown is one continuation.
type grown struct {
	ids    []int
	lps    []float64
	tops   [][][2]float64 // [logprob, id]
	finish string         // "stop", "length"
	match  any            // stop string, stop token
	text   string         // without a stop string
}

// grow continues ids.
func (m *toy) grow(ids []int, limit, top int, temperature float64, seed uint64, stops []string, stopIDs []int) grown {
	var g grown
	r := rand.New(rand.NewPCG(seed, 2))
	for g.finish == "" {
		if len(g.ids) >= limit || len(ids)+len(g.ids) >= toyContext {
			g.finish = "length"
			break
		}
		path := slices.Concat(ids, g.ids)
		raw := m.logprobs(path, 1)
		order := make([]int, len(raw))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return int(math.Copysign(1, raw[b]-raw[a])) })
		id := order[0]
		if temperature > 0 {
			u := r.Float64()
			for i, l := range m.logprobs(path, temperature) {
				if u -= math.Exp(l); u < 0 {
					id = i
					break
				}
			}
		}
		var best [][2]float64
		for _, i := range order[:top] {
			best = append(best, [2]float64{raw[i], float64(i)})
		}
		g.ids, g.lps, g.tops = append(g.ids, id), append(g.lps, raw[id]), append(g.tops, best)
		g.text = m.spell(g.ids)
		switch {
		case id == toyEnd || slices.Contains(stopIDs, id):
			g.finish, g.match, g.text = "stop", id, m.spell(g.ids[:len(g.ids)-1])
		default:
			for _, s := range stops {
				if i := strings.Index(g.text, s); i >= 0 {
					g.finish, g.match, g.text = "stop", s, g.text[:i]
				}
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cache = append(m.cache, slices.Concat(ids, g.ids))
	return g
}

// cached is how much of a prompt was there before.
func (m *toy) cached(ids []int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	most := 0
	for _, c := range m.cache {
		n := 0
		for n < min(len(c), len(ids)-1) && c[n] == ids[n] {
			n++
		}
		most = max(most, n)
	}
	return most
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

type object = map[string]any

// sglangServer is a server written from SGLang's documented schema
// (srt/managers/io_struct.py), for SGLang has no build for CPUs to be had here.
func sglangServer(m *toy) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /get_model_info", func(w http.ResponseWriter, r *http.Request) {
		reply(w, 200, object{"model_path": "toy", "tokenizer_path": "toy", "is_generation": true,
			"weight_version": "step-7"})
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) {
		reply(w, 200, object{"object": "list",
			"data": []object{{"id": "toy", "object": "model", "root": "toy", "max_model_len": toyContext}}})
	})
	mux.HandleFunc("POST /tokenize", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Prompt string
			Add    bool `json:"add_special_tokens"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		ids := m.tokenize(in.Prompt)
		if in.Add {
			ids = append([]int{toyBOS}, ids...)
		}
		reply(w, 200, object{"tokens": ids, "count": len(ids), "max_model_len": toyContext})
	})
	mux.HandleFunc("POST /detokenize", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Tokens []int }
		_ = json.NewDecoder(r.Body).Decode(&in)
		reply(w, 200, object{"text": m.spell(in.Tokens)})
	})
	mux.HandleFunc("POST /generate", func(w http.ResponseWriter, r *http.Request) { sglangGenerate(m, w, r) })
	mux.HandleFunc("POST /update_weights_from_disk", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Path string `json:"model_path"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		reply(w, 200, object{"success": in.Path == "/weights/8", "message": "looked at " + in.Path,
			"num_paused_requests": 0})
	})
	return mux
}

func sglangGenerate(m *toy, w http.ResponseWriter, r *http.Request) {
	var in struct {
		IDs    []int `json:"input_ids"`
		Top    int   `json:"top_logprobs_num"`
		Params struct {
			Limit       int `json:"max_new_tokens"`
			N           int
			Temperature float64
			Stop        []string
			StopIDs     []int  `json:"stop_token_ids"`
			Seed        uint64 `json:"sampling_seed"`
		} `json:"sampling_params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		reply(w, 400, object{"error": object{"message": err.Error()}})
		return
	}
	if len(in.IDs) >= toyContext {
		reply(w, 400, object{"error": object{
			"message": "The input (600 tokens) is longer than the model's context length (512 tokens).",
		}})
		return
	}
	var list []object
	for i := range in.Params.N {
		cached := m.cached(in.IDs)
		g := m.grow(in.IDs, in.Params.Limit, in.Top, in.Params.Temperature, in.Params.Seed+uint64(i), in.Params.Stop,
			in.Params.StopIDs)
		lps := [][]any{}
		for j, l := range g.lps {
			lps = append(lps, []any{l, g.ids[j], nil})
		}
		tops := [][][]any{}
		for _, t := range g.tops {
			row := [][]any{}
			for _, x := range t {
				row = append(row, []any{x[0], int(x[1]), nil})
			}
			tops = append(tops, row)
		}
		finish := object{"type": g.finish}
		if g.finish == "stop" {
			finish["matched"] = g.match
		} else {
			finish["length"] = len(g.ids)
		}
		list = append(list, object{"text": g.text, "output_ids": append([]int{}, g.ids...),
			"meta_info": object{"id": "x", "finish_reason": finish,
				"prompt_tokens": len(in.IDs), "completion_tokens": len(g.ids), "cached_tokens": cached,
				"output_token_logprobs": lps, "output_top_logprobs": tops}})
	}
	if in.Params.N > 1 {
		reply(w, 200, list)
		return
	}
	reply(w, 200, list[0])
}

// openaiServer has OpenAI's two routes and nothing else.
func openaiServer(m *toy) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) {
		reply(w, 200, object{"object": "list", "data": []object{{"id": "gpt-4o", "object": "model"}}})
	})
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Model, Prompt string
			Limit         int `json:"max_tokens"`
			N             int
			Temperature   *float64
			Seed          uint64
			Stop          []string
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Temperature == nil || in.Model != "gpt-4o" {
			reply(w, 400, object{"error": object{"message": "no temperature, or another model",
				"type": "invalid_request_error"}})
			return
		}
		var choices []object
		ids := m.tokenize(in.Prompt)
		for i := range in.N {
			g := m.grow(ids[max(0, len(ids)-100):], in.Limit, 1, *in.Temperature, in.Seed+uint64(i), in.Stop, nil)
			choices = append(choices, object{"index": i, "text": g.text, "logprobs": nil, "finish_reason": g.finish})
		}
		reply(w, 200, object{"id": "x", "object": "text_completion", "model": "gpt-4o", "choices": choices,
			"usage": object{"prompt_tokens": len(in.Prompt)}})
	})
	return mux
}
