package enginetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

// Double is a server of one dialect with a toy model behind it, written from the documentation and the source of the
// real one. The zero value of Mean is that server; the other values are servers that users have met.
type Double struct {
	toy
	Mean
	spoil atomic.Pointer[func(w http.ResponseWriter, whole string)]
}

// Spoil has f answer samples in place of the server, which would have answered whole; nil lets it.
func (d *Double) Spoil(f func(w http.ResponseWriter, whole string)) {
	if f == nil {
		d.spoil.Store(nil)
		return
	}
	d.spoil.Store(&f)
}

// Mean says in what a server is not as its clients expect it.
type Mean struct {
	// N is what several continuations in one request become: "" as many, each from a seed of its own; "copied" as many,
	// all from one seed; "ignored" one; "refused" an error, "refused in the body" one with status 200; "at most 2" an
	// error beyond two; "capped" two; "more" one too many; "shuffled" as many, the last one first.
	N       string
	MaxSeed uint64   // larger ones are refused; 0 takes all
	Lacks   []string // parameters that are refused by name
	Names   []string // of the model: the first is the one that it answers with
	// Version names the weights of SGLang, and the process of others.
	Version string
	Missing []string // routes
	Other   bool     // has another model: one that reads text differently
}

// Doubles are the servers by their dialects.
var Doubles = map[string]func(*Double) http.Handler{
	"vllm": (*Double).vllm, "sglang": (*Double).sglang, "llamacpp": (*Double).llamaServer, "generic": (*Double).openai,
}

// Serve returns the server of a dialect.
func Serve(dialect string, m Mean) http.Handler {
	d := &Double{Mean: m}
	return d.Serve(dialect)
}

// Serve returns the server; Mean may be changed while nobody asks it.
func (d *Double) Serve(dialect string) http.Handler {
	inner := Doubles[dialect](d)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(d.Missing, r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

type object = map[string]any

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status int, param, format string, args ...any) {
	reply(w, status, object{"error": object{"message": fmt.Sprintf(format, args...), "type": "BadRequestError",
		"param": param, "code": 400}})
}

// answer writes what a sample is answered.
func (d *Double) answer(w http.ResponseWriter, body any) {
	f := d.spoil.Load()
	if f == nil {
		reply(w, http.StatusOK, body)
		return
	}
	whole, _ := json.Marshal(body)
	(*f)(w, string(whole))
}

// names are those of the model.
func (d *Double) names(usual string) []string {
	if len(d.Names) > 0 {
		return d.Names
	}
	return []string{usual}
}

// models lists the model under all of its names.
func (d *Double) models(w http.ResponseWriter, usual string, more object) {
	var list []object
	for _, name := range d.names(usual) {
		card := object{"id": name, "object": "model"}
		for k, v := range more {
			card[k] = v
		}
		list = append(list, card)
	}
	reply(w, http.StatusOK, object{"object": "list", "data": list})
}

// asked is a request for continuations, whatever the dialect.
type asked struct {
	ids         []int
	n, limit    int
	top         int
	temperature float64
	seed        *uint64
	stops       []string
	stopIDs     []int
	copies      bool // the server copies the seed
}

// read reads the body of a request, and refuses what this server lacks.
func (d *Double) read(w http.ResponseWriter, r *http.Request, into any) bool {
	var fields map[string]any
	var body json.RawMessage
	if json.NewDecoder(r.Body).Decode(&body) != nil || json.Unmarshal(body, into) != nil ||
		json.Unmarshal(body, &fields) != nil {
		fail(w, http.StatusBadRequest, "", "%.200s cannot be read", body)
		return false
	}
	for _, name := range d.Lacks {
		if fields[name] != nil {
			fail(w, http.StatusBadRequest, "", "Unrecognized request argument supplied: '%s'", name)
			return false
		}
	}
	return true
}

// grown draws the continuations; it answers itself where it draws none.
func (d *Double) grown(w http.ResponseWriter, a asked) ([]grown, bool) {
	n := max(a.n, 1)
	switch {
	case len(a.ids) >= toyContext:
		fail(w, http.StatusBadRequest, "",
			"The input (%d tokens) is longer than the model's context length (%d tokens).", len(a.ids), toyContext)
		return nil, false
	case d.MaxSeed > 0 && a.seed != nil && *a.seed > d.MaxSeed:
		fail(w, http.StatusUnprocessableEntity, "seed", "Input should be less than or equal to %d", d.MaxSeed)
		return nil, false
	case d.N == "refused" && n > 1, d.N == "at most 2" && n > 2:
		fail(w, http.StatusBadRequest, "n", "n > 1 is not supported, got %d", n)
		return nil, false
	case d.N == "refused in the body" && n > 1:
		fail(w, http.StatusOK, "n", "n > 1 is not supported, got %d", n)
		return nil, false
	case d.N == "ignored":
		n = 1
	case d.N == "capped":
		n = min(n, 2)
	case d.N == "more" && n > 1:
		n++
	}
	var list []grown
	for i := range n {
		seed := uint64(7)
		if a.seed != nil {
			seed = *a.seed
		}
		if !a.copies && d.N != "copied" {
			seed += uint64(i)
		}
		cached := d.cached(a.ids)
		list = append(list, d.grow(a.ids, a.limit, a.top, a.temperature, seed, a.stops, a.stopIDs))
		list[i].cached, list[i].index = cached, i
	}
	if d.N == "shuffled" {
		slices.Reverse(list)
	}
	return list, true
}

// sglang is a server written from SGLang's documented schema (srt/managers/io_struct.py). With Version
// "deterministic" it runs with --enable-deterministic-inference, and copies the seed.
func (d *Double) sglang() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /get_model_info", func(w http.ResponseWriter, r *http.Request) {
		version := d.Version
		if version == "" || version == "deterministic" {
			version = "step-7"
		}
		reply(w, 200, object{"model_path": "toy", "tokenizer_path": "toy", "is_generation": true,
			"weight_version": version})
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) {
		d.models(w, "toy", object{"root": "toy", "max_model_len": toyContext})
	})
	d.tokens(mux, "text")
	mux.HandleFunc("POST /generate", d.sglangGenerate)
	mux.HandleFunc("POST /update_weights_from_disk", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Path    string `json:"model_path"`
			Version string `json:"weight_version"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		taken := in.Path == "/weights/8"
		if taken {
			d.Version = in.Version
		}
		reply(w, 200, object{"success": taken, "message": "looked at " + in.Path, "num_paused_requests": 0})
	})
	return mux
}

// tokens adds the routes of vLLM and SGLang for tokens; the answer of the second has the text in a field.
func (d *Double) tokens(mux *http.ServeMux, field string) {
	mux.HandleFunc("POST /tokenize", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Prompt string
			Add    bool `json:"add_special_tokens"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		ids := d.tokenize(in.Prompt)
		if d.Other {
			ids = d.tokenize(strings.ToUpper(in.Prompt))
		}
		if in.Add {
			ids = append([]int{ToyBOS}, ids...)
		}
		reply(w, 200, object{"tokens": ids, "count": len(ids), "max_model_len": toyContext})
	})
	mux.HandleFunc("POST /detokenize", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Tokens []int }
		_ = json.NewDecoder(r.Body).Decode(&in)
		reply(w, 200, object{field: d.spell(in.Tokens)})
	})
}

func (d *Double) sglangGenerate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		IDs    []int `json:"input_ids"`
		Top    int   `json:"top_logprobs_num"`
		Params struct {
			Limit       int `json:"max_new_tokens"`
			N           int
			Temperature float64
			Stop        []string
			StopIDs     []int   `json:"stop_token_ids"`
			Seed        *uint64 `json:"sampling_seed"`
		} `json:"sampling_params"`
	}
	if !d.read(w, r, &in) {
		return
	}
	p := &in.Params
	all, ok := d.grown(w, asked{in.IDs, p.N, p.Limit, in.Top, p.Temperature, p.Seed, p.Stop, p.StopIDs,
		d.Version == "deterministic"})
	if !ok {
		return
	}
	var list []object
	for _, g := range all {
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
				"prompt_tokens": len(in.IDs), "completion_tokens": len(g.ids), "cached_tokens": g.cached,
				"output_token_logprobs": lps, "output_top_logprobs": tops}})
	}
	if p.N > 1 {
		d.answer(w, list)
		return
	}
	d.answer(w, list[0])
}
