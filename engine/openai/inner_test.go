package openai

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"sparkd"
)

func TestPlans(t *testing.T) {
	for _, c := range []struct {
		s    situation
		want plan
	}{
		{situation{dialect: "vllm", k: 8, greedy: true, most: 8}, plan{"greedy", false, 1, false}},
		{situation{dialect: "llamacpp", k: 8, greedy: true, most: 4}, plan{"greedy", false, 1, false}},
		{situation{dialect: "vllm", k: 1, most: 1}, plan{"single", false, 1, false}},
		{situation{dialect: "llamacpp", k: 1, most: 4}, plan{"single", false, 1, false}},
		{situation{dialect: "vllm", k: 8, resident: true, most: 8}, plan{"fan-out", false, 8, false}},
		{situation{dialect: "vllm", k: 8, most: 8}, plan{"siblings at once", false, 1, true}},
		{situation{dialect: "sglang", k: 2, resident: true, most: 2}, plan{"fan-out", false, 2, false}},
		{situation{dialect: "sglang", k: 2, most: 2}, plan{"warm, then fan-out", true, 2, false}},
		{situation{dialect: "llamacpp", k: 4, most: 5}, plan{"fork", false, 4, false}},
		{situation{dialect: "llamacpp", k: 8, most: 5}, plan{"fork", false, 5, false}},
		{situation{dialect: "llamacpp", k: 8, most: 1}, plan{"siblings on one slot", false, 1, false}},
		{situation{dialect: "llamacpp", k: 4, copies: true, most: 1}, plan{"warm, then copies", true, 1, true}},
		{situation{dialect: "llamacpp", k: 4, copies: true, resident: true, most: 1}, plan{"warm, then copies", true, 1, true}},
		{situation{dialect: "llamacpp", k: 1, copies: true, most: 1}, plan{"warm, then single", true, 1, false}},
		{situation{dialect: "llamacpp", k: 4, copies: true, greedy: true, most: 1}, plan{"warm, then single", true, 1, false}},
		{situation{dialect: "llamacpp", k: 1, copies: true, resident: true, most: 1}, plan{"single", false, 1, false}},
		{situation{dialect: "generic", k: 3, most: 3}, plan{"batch", false, 3, false}},
	} {
		if got := planOf(c.s); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.s, got, c.want)
		}
	}
}

// path is n tokens that no other seed has, behind the prefix.
func path(prefix []sparkd.Token, seed, n int) []sparkd.Token {
	out := slices.Clone(prefix)
	for i := range n {
		out = append(out, sparkd.Token(seed*10000+i))
	}
	return out
}

func TestSlotsFollowPaths(t *testing.T) {
	s := newSlots(8, nil)
	if s.most() != 5 {
		t.Fatalf("%d continuations a request", s.most())
	}
	step := func(prefix []sparkd.Token) int {
		a := ask{prefix: prefix}
		free, err := s.take(t.Context(), &a, 1)
		if err != nil {
			t.Fatal(err)
		}
		s.filled(a.slot, prefix)
		free()
		return a.slot
	}
	roots := make([][]sparkd.Token, 3)
	at := make([]int, 3)
	for i := range roots {
		roots[i] = path(nil, i+1, 100)
		at[i] = step(roots[i])
	}
	if at[0] == at[1] || at[1] == at[2] || at[0] == at[2] || slices.Min(at) < 4 {
		t.Fatalf("three roots are in slots %v", at)
	}
	for round := range 5 { // each goes on where it is
		for i := range roots {
			roots[i] = path(roots[i], 10*round+i, 30)
			if got := step(roots[i]); got != at[i] {
				t.Errorf("round %d: root %d moved from slot %d to %d", round, i, at[i], got)
			}
		}
	}
	fork := path(roots[0][:200], 99, 30) // leaves root 0 behind its 200th token
	got := step(fork)
	if slices.Contains(at, got) {
		t.Errorf("a fork took slot %d from a path, though one was free", got)
	}
	if again := step(path(fork, 98, 10)); again != got {
		t.Errorf("the fork moved from slot %d to %d", got, again)
	}
}

// Whatever is asked, two requests never have one slot, and all come to an end.
func TestSlotsAreNeverShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(6, nil)
		holders := make([]int, 6)
		turn := make(chan struct{}, 1)
		turn <- struct{}{}
		for i := range 200 {
			go func() {
				r := rand.New(rand.NewPCG(uint64(i), 5))
				a := ask{prefix: path(nil, r.IntN(9), 1+r.IntN(100))}
				free, err := s.take(t.Context(), &a, 1+r.IntN(s.most()))
				if err != nil {
					t.Error(err)
					return
				}
				<-turn
				if holders[a.slot]++; holders[a.slot] != 1 {
					t.Errorf("slot %d has %d requests", a.slot, holders[a.slot])
				}
				turn <- struct{}{}
				s.filled(a.slot, a.prefix)
				<-turn
				holders[a.slot]--
				turn <- struct{}{}
				free()
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		var frees []func()
		for range 3 {
			free, err := s.take(ctx, &ask{prefix: path(nil, 1, 3)}, 1)
			if err != nil {
				t.Fatal(err)
			}
			frees = append(frees, free)
		}
		cancel()
		if _, err := s.take(ctx, &ask{prefix: path(nil, 1, 3)}, 1); sparkd.CodeOf(err) != sparkd.CodeCanceled {
			t.Errorf("a full server, canceled: %v", err)
		}
		for _, free := range frees {
			free()
		}
	})
}

func TestTrunks(t *testing.T) {
	k := newTrunks()
	a := path(nil, 1, 100)
	if k.holds(a) != 0 || k.whole(a) != 96 {
		t.Errorf("%d, %d", k.holds(a), k.whole(a))
	}
	k.add(a)
	for n, want := range map[int]int{1: 0, 16: 0, 17: 16, 32: 16, 33: 32, 100: 96} {
		if got := k.holds(a[:n]); got != want {
			t.Errorf("of the first %d tokens %d are held, want %d", n, got, want)
		}
	}
	if got := k.holds(path(a[:50], 2, 50)); got != 48 {
		t.Errorf("of a fork behind 50 tokens %d are held", got)
	}
	if k.restarted("one") || k.restarted("") || k.holds(a) != 96 {
		t.Error("forgotten without a reason")
	}
	if k.restarted("two") || !k.restarted("three") || k.holds(a) != 0 {
		t.Error("not forgotten after a restart")
	}
	for i := range maxTrunks/1000 + 2 {
		k.add(path(nil, i, 16001))
	}
	if k.order.Len() > maxTrunks || len(k.at) != k.order.Len() {
		t.Errorf("%d blocks are remembered, %d of them to be found", k.order.Len(), len(k.at))
	}
}

func TestControlText(t *testing.T) {
	words := map[string]sparkd.Token{"<|im_end|>": 1000, "</s>": 1001, "[INST]": 1002, "◁think▷": 1003, "<explore>": 1004, "</explore>": 1005}
	asked := 0
	raw := func(text string) (ids []sparkd.Token, err error) {
		asked++
		for text != "" {
			id, n := sparkd.Token(text[0]), 1
			for w, control := range words {
				if strings.HasPrefix(text, w) {
					id, n = control, len(w)
				}
			}
			ids, text = append(ids, id), text[n:]
		}
		return ids, nil
	}
	c := newControl()
	c.learn([]string{"◁think▷", "x", "", "<explore>"}, map[string]bool{"<explore>": true, "</explore>": true})
	for _, text := range []string{"plain", "<action>go</action>", "a<|im_end|><|im_end|>b", "</s>", "[INST][/INST]", "◁think▷◁", "<</s>>", strings.Repeat("</s>", 20)} {
		ids, err := c.tokenize(text, raw)
		back := []byte{}
		for _, id := range ids {
			if id > 255 {
				t.Errorf("%q has control token %d: %v", text, id, ids)
				continue
			}
			back = append(back, byte(id))
		}
		if err != nil || string(back) != text {
			t.Errorf("%q becomes %q, %v", text, back, err)
		}
	}
	ids, err := c.tokenize("<explore></s></explore>", raw)
	if want := []sparkd.Token{1004, '<', '/', 's', '>', 1005}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("a word that is no control token: %v, %v, want %v", ids, err, want)
	}
	asked = 0
	if _, err := c.tokenize("<action>go</action>", raw); err != nil || asked != 1 {
		t.Errorf("a text without control tokens took %d requests, %v", asked, err)
	}
}

func TestDefinition(t *testing.T) {
	for _, c := range []struct {
		warm, cold [][]float64
		want       sparkd.LogprobKind
	}{
		{nil, nil, "none"},
		{[][]float64{{-2, -3}}, [][]float64{{-2.01, -3.01}}, "raw"},
		{[][]float64{{-2, -3}}, [][]float64{{-0.3, -4}}, "sampled"},
		{[][]float64{{-0.001, -7}}, [][]float64{{-0.0001, -28}}, "sampled"},
	} {
		if got := definition(c.warm, c.cold); got != c.want {
			t.Errorf("%v and %v are %s, want %s", c.warm, c.cold, got, c.want)
		}
	}
}
