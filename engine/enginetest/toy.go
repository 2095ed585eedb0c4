package enginetest

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
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
	ToyBOS, toyEnd, toyVocabulary, toyContext = 256, 257, 260, 512
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
	cached int            // of the prompt
	index  int
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
