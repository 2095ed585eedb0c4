package enginetest

import (
	"fmt"
	"net/http"
	"slices"
)

// completionRequest is what /v1/completions is asked; Prompt is text of OpenAI and ids of vLLM.
type completionRequest[Prompt any] struct {
	Model       string
	Prompt      Prompt
	Limit       int `json:"max_tokens"`
	N           int
	Temperature *float64
	Seed        *uint64
	Stop        []string
	StopIDs     []int `json:"stop_token_ids"`
	Top         int   `json:"logprobs"`
}

func (in *completionRequest[Prompt]) asked(ids []int) asked {
	return asked{ids, in.N, in.Limit, in.Top, *in.Temperature, in.Seed, in.Stop, in.StopIDs, false}
}

// known refuses a request without a temperature, or for another model.
func (d *Double) known(w http.ResponseWriter, temperature *float64, model, usual string) bool {
	if temperature == nil || !slices.Contains(d.names(usual), model) {
		fail(w, http.StatusBadRequest, "model", "no temperature, or another model")
		return false
	}
	return true
}

// openai has OpenAI's two routes and nothing else.
func (d *Double) openai() http.Handler {
	const usual = "gpt-4o"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) { d.models(w, usual, nil) })
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, r *http.Request) {
		var in completionRequest[string]
		if !d.read(w, r, &in) || !d.known(w, in.Temperature, in.Model, usual) {
			return
		}
		ids := d.tokenize(in.Prompt)
		a := in.asked(ids[max(0, len(ids)-100):])
		a.top = 1
		all, ok := d.grown(w, a)
		if !ok {
			return
		}
		var choices []object
		for _, g := range all {
			choices = append(choices,
				object{"index": g.index, "text": g.text, "logprobs": nil, "finish_reason": g.finish})
		}
		d.answer(w, object{"id": "x", "object": "text_completion", "model": d.names(usual)[0], "choices": choices,
			"usage": object{"prompt_tokens": len(in.Prompt)}})
	})
	return mux
}

// vllm is a server written from vLLM's entrypoints/openai.
func (d *Double) vllm() http.Handler {
	const usual = "toy"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, r *http.Request) {
		reply(w, 200, object{"version": "0.32.0"})
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) {
		d.models(w, usual, object{"root": "/models/toy", "max_model_len": toyContext})
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "process_start_time_seconds 1.%s\n", d.Version)
		fmt.Fprintln(w, `vllm:cache_config_info{block_size="16"} 1.0`)
	})
	d.tokens(mux, "prompt")
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, r *http.Request) {
		var in completionRequest[[]int]
		if !d.read(w, r, &in) || !d.known(w, in.Temperature, in.Model, usual) {
			return
		}
		if i := slices.IndexFunc(in.Prompt, func(id int) bool { return id >= toyVocabulary }); i >= 0 {
			fail(w, http.StatusBadRequest, "", "Token id %d is out of vocabulary", in.Prompt[i])
			return
		}
		all, ok := d.grown(w, in.asked(in.Prompt))
		if !ok {
			return
		}
		var choices []object
		for _, g := range all {
			choices = append(choices, vllmChoice(&g))
		}
		d.answer(w, object{"id": "x", "object": "text_completion", "model": d.names(usual)[0], "choices": choices,
			"usage": object{"prompt_tokens": len(in.Prompt),
				"prompt_tokens_details": object{"cached_tokens": all[len(all)-1].cached / 16 * 16}}})
	})
	return mux
}

func vllmChoice(g *grown) object {
	var words []string
	var tops []object
	for i, id := range g.ids {
		words = append(words, fmt.Sprintf("token_id:%d", id))
		row := object{words[i]: g.lps[i]}
		for _, x := range g.tops[i] {
			row[fmt.Sprintf("token_id:%d", int(x[1]))] = x[0]
		}
		tops = append(tops, row)
	}
	reason, _ := g.match.(string)
	choice := object{"index": g.index, "text": g.text, "finish_reason": g.finish, "stop_reason": nil,
		"token_ids": g.ids, "logprobs": object{"tokens": words, "token_logprobs": g.lps, "top_logprobs": tops}}
	if reason != "" {
		choice["stop_reason"] = reason
	}
	return choice
}

// llamaServer is a server written from llama.cpp's tools/server, without a folder to save slots in.
func (d *Double) llamaServer() http.Handler {
	const usual = "toy.gguf"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /props", func(w http.ResponseWriter, r *http.Request) {
		reply(w, 200, object{"total_slots": 8, "build_info": "b1-x", "model_path": "/models/toy.gguf",
			"media_marker": "<" + d.Version + ">", "bos_token": "<s>", "eos_token": "</s>",
			"default_generation_settings": object{"n_ctx": toyContext}})
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) {
		d.models(w, usual, object{"meta": object{"n_vocab": toyVocabulary}})
	})
	mux.HandleFunc("POST /slots/0", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotImplemented, "", "This server does not support slots action.")
	})
	mux.HandleFunc("POST /tokenize", d.llamaTokenize)
	mux.HandleFunc("POST /detokenize", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Tokens []int }
		if d.read(w, r, &in) {
			reply(w, 200, object{"content": d.spell(in.Tokens)})
		}
	})
	mux.HandleFunc("POST /completion", func(w http.ResponseWriter, r *http.Request) { d.llamaCompletion(w, r, usual) })
	return mux
}

func (d *Double) llamaTokenize(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Content string
		Add     bool `json:"add_special"`
		Parse   bool `json:"parse_special"`
	}
	if !d.read(w, r, &in) {
		return
	}
	ids := []int{}
	if in.Parse {
		ids = d.tokenize(in.Content)
	} else {
		for i := range len(in.Content) {
			ids = append(ids, int(in.Content[i]))
		}
	}
	if d.Other {
		slices.Reverse(ids)
	}
	if in.Add {
		ids = append([]int{ToyBOS}, ids...)
	}
	reply(w, 200, object{"tokens": ids})
}

func (d *Double) llamaCompletion(w http.ResponseWriter, r *http.Request, usual string) {
	var in struct {
		Prompt      []int
		Limit       int `json:"n_predict"`
		N           int `json:"n_cmpl"`
		Top         int `json:"n_probs"`
		Slot        int `json:"id_slot"`
		Temperature float64
		Seed        *uint64
		Stop        []string
	}
	if !d.read(w, r, &in) {
		return
	}
	a := asked{in.Prompt, in.N, max(in.Limit, 1), in.Top, in.Temperature, in.Seed, in.Stop, nil, false}
	all, ok := d.grown(w, a)
	if !ok {
		return
	}
	var list []object
	for _, g := range all {
		probs := []object{}
		for i, id := range g.ids {
			tops := []object{}
			for _, x := range g.tops[i] {
				tops = append(tops, object{"id": int(x[1]), "logprob": x[0]})
			}
			probs = append(probs, object{"id": id, "logprob": g.lps[i], "top_logprobs": tops})
		}
		kind, word := map[string]string{"length": "limit", "stop": "eos"}[g.finish], ""
		if text, ok := g.match.(string); ok {
			kind, word = "word", text
		}
		list = append(list, object{"content": g.text, "tokens": g.ids, "id_slot": in.Slot, "stop_type": kind,
			"stopping_word": word, "model": d.names(usual)[0], "completion_probabilities": probs,
			"timings": object{"cache_n": g.cached, "prompt_n": len(in.Prompt) - g.cached}})
	}
	if len(list) > 1 || in.N > 1 && d.N != "ignored" {
		d.answer(w, list)
		return
	}
	d.answer(w, list[0])
}
