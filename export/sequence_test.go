package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sequence is what any format says of one token sequence: lists of one value a token.
type sequence struct {
	ids      []int32
	trained  []bool
	logprobs []float32 // nil: the format has none
	credit   []float64 // weight · advantage
	weights  []float64 // nil: the format does not tell them apart
}

// read turns the lines of a format into sequences, by the names of its fields alone.
func read(t testing.TB, format string, lines []byte) []sequence {
	t.Helper()
	var out []sequence
	for line := range bytes.Lines(lines) {
		if format == "atropos" {
			out = append(out, readGroup(t, line)...)
		} else {
			out = append(out, readLine(t, format, line))
		}
	}
	return out
}

func readLine(t testing.TB, format string, line []byte) sequence {
	t.Helper()
	switch r := (reader{t, line}); format {
	case "rows":
		return r.response("prompt_ids", "response_ids", "response_mask", "logprobs", r.constant("response_ids"))
	case "verl-agent":
		return r.response("prompts", "responses", "response_mask", "rollout_log_probs", r.constant("responses"))
	case "verl":
		c := at[credit](r, "extra_fields.sparkd")
		return r.response("prompt_ids", "response_ids", "response_mask", "response_logprobs", c)
	case "trl-grpo":
		return r.response("prompt_ids", "completion_ids", "env_mask", "logprobs", r.metadata())
	case "skyrl":
		return r.response("prompt_token_ids", "response_ids", "loss_masks", "rollout_logprobs", r.metadata())
	case "slime":
		tokens := at[[]int32](r, "tokens")
		n := len(tokens) - at[int](r, "response_length")
		logprobs := at[[]float32](r, "rollout_log_probs")
		return joined(tokens[:n], tokens[n:], at[[]int](r, "loss_mask"), logprobs, r.metadata())
	case "areal":
		return readTensors(r)
	case "openrlhf":
		tokens := at[[]int32](r, "observation_tokens")
		mask := make([]int, len(tokens))
		for _, between := range at[[][]int](r, "action_ranges") {
			for i := between[0]; i < between[1]; i++ {
				mask[i]++
			}
		}
		return joined(nil, tokens, mask, at[[]float32](r, "rollout_log_probs"), r.metadata())
	case "trl-sft":
		ids := at[[]int32](r, "input_ids")
		return joined(nil, ids, maskOf(t, ids, at[[]int32](r, "labels")), nil, r.metadata())
	case "trl-async":
		ids := at[[]int32](r, "input_ids")
		c := constant(at[float64](r, "advantage"), 1, len(ids))
		s := joined(nil, ids, at[[]int](r, "completion_mask"), at[[]float32](r, "old_log_probs"), c)
		s.weights = nil
		return s
	}
	t.Fatalf("format %s has no sequences", format)
	return sequence{}
}

// readTensors reads a line of areal.
func readTensors(r reader) sequence {
	mask, attention := at[[]int](r, "loss_mask"), at[[]int](r, "attention_mask")
	for i, v := range at[[]int](r, "versions") {
		if (v == -1) != (mask[i] == 0) || attention[i] != 1 {
			r.t.Fatalf("version %d where the mask is %d", v, mask[i])
		}
	}
	return joined(nil, at[[]int32](r, "input_ids"), mask, at[[]float32](r, "logprobs"), r.metadata())
}

// readGroup reads a line of atropos.
func readGroup(t testing.TB, line []byte) []sequence {
	r := reader{t, line}
	masks, logprobs := at[[][]int32](r, "masks"), at[[][]float32](r, "inference_logprobs")
	advantages := at[[][]float64](r, "advantages")
	var out []sequence
	for i, ids := range at[[][]int32](r, "tokens") {
		c := constant(0, 1, len(ids))
		c.Advantages = advantages[i]
		s := joined(nil, ids, maskOf(t, ids, masks[i]), logprobs[i], c)
		for j := range s.logprobs {
			if !s.trained[j] {
				if s.logprobs[j] != 1 {
					t.Fatalf("filler %v", s.logprobs[j])
				}
				s.logprobs[j] = 0
			}
		}
		s.weights = nil
		out = append(out, s)
	}
	return out
}

// reader reads the fields of a line.
type reader struct {
	t    testing.TB
	line []byte
}

// at reads the field at a path, "a.b" for the field b of a.
func at[T any](r reader, path string) (v T) {
	r.t.Helper()
	value := json.RawMessage(r.line)
	for name := range strings.SplitSeq(path, ".") {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(value, &fields); err != nil {
			r.t.Fatal(err)
		}
		found := false
		if value, found = fields[name]; !found {
			r.t.Fatalf("no %s in %s", path, r.line)
		}
	}
	if err := json.Unmarshal(value, &v); err != nil {
		r.t.Fatal(err)
	}
	return v
}

// credit is what a sequence says of its tokens beside their mask.
type credit struct{ Advantages, Weights []float64 }

func (r reader) metadata() credit { return at[credit](r, "metadata") }

// constant is the credit of all tokens of a step.
func (r reader) constant(ids string) credit {
	return constant(at[float64](r, "advantage"), at[float64](r, "weight"), len(at[[]int32](r, ids)))
}

func constant(advantage, weight float64, n int) credit {
	return credit{slices.Repeat([]float64{advantage}, n), slices.Repeat([]float64{weight}, n)}
}

// response reads a sequence of which all lists but the prompt are about the response.
func (r reader) response(prompt, ids, mask, logprobs string, c credit) sequence {
	return joined(at[[]int32](r, prompt), at[[]int32](r, ids), at[[]int](r, mask), at[[]float32](r, logprobs), c)
}

// maskOf is the mask of labels.
func maskOf(t testing.TB, ids, labels []int32) []int {
	t.Helper()
	mask := make([]int, len(labels))
	for i, id := range labels {
		if id != -100 {
			mask[i] = 1
			if id != ids[i] {
				t.Fatalf("label %d of token %d", id, ids[i])
			}
		}
	}
	return mask
}

// joined puts a prompt in front of per-token arrays.
func joined(prompt, ids []int32, mask []int, logprobs []float32, c credit) sequence {
	n := len(ids)
	if len(mask) != n || len(c.Advantages) != n || len(c.Weights) != n || logprobs != nil && len(logprobs) != n {
		panic(fmt.Sprintf("%d ids, %d masks, %d advantages, %d weights, %d logprobs",
			n, len(mask), len(c.Advantages), len(c.Weights), len(logprobs)))
	}
	s := sequence{ids: slices.Concat(prompt, ids), trained: make([]bool, len(prompt)),
		credit: make([]float64, len(prompt)), weights: make([]float64, len(prompt))}
	if logprobs != nil {
		s.logprobs = slices.Concat(make([]float32, len(prompt)), logprobs)
	}
	for i := range ids {
		if mask[i] == 0 && (i < len(logprobs) && logprobs[i] != 0 && logprobs[i] != 1) {
			panic(fmt.Sprintf("logprob %v where the mask is 0", logprobs[i]))
		}
		s.trained = append(s.trained, mask[i] == 1)
		s.credit = append(s.credit, float64(mask[i])*c.Advantages[i]*c.Weights[i])
		s.weights = append(s.weights, float64(mask[i])*c.Weights[i])
	}
	return s
}
