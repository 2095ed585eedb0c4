package llamaserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"sparkd"
	"sparkd/engine/llamaserver"
	"sparkd/engine/remote"
	"sparkd/internal/httpclient"
)

// TestCopiesLive runs the plan "warm, then copies" on llama-servers that it starts:
// SPARKD_LLAMA_SERVER names the program, SPARKD_LLAMA_MODEL a GGUF.
func TestCopiesLive(t *testing.T) {
	program, model := os.Getenv("SPARKD_LLAMA_SERVER"), os.Getenv("SPARKD_LLAMA_MODEL")
	if program == "" || model == "" {
		t.Skip("SPARKD_LLAMA_SERVER and SPARKD_LLAMA_MODEL name no program and GGUF")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &llama{program: program, url: "http://" + l.Addr().String(), flags: []string{
		"-m", model, "--port", fmt.Sprint(l.Addr().(*net.TCPAddr).Port), "--host", "127.0.0.1", "--no-webui", "-t", "1",
		"-np", "8", "-c", "8192", "--cache-ram", "0", "--slot-save-path", t.TempDir(),
	}}
	l.Close()
	s.start(t)
	t.Cleanup(func() { s.stop() })
	e, err := llamaserver.Open(t.Context(), remote.Options{URL: s.url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	t.Run("fork", func(t *testing.T) { s.fork(t, e) })
	t.Run("opening", func(t *testing.T) { s.opening(t, e) })
	t.Run("cancel", func(t *testing.T) { s.cancel(t, e) })
	t.Run("restart", func(t *testing.T) { s.restart(t, e) })
}

// llama is a llama-server of this test.
type llama struct {
	program, url string
	flags        []string
	process      *exec.Cmd
}

func (s *llama) start(t *testing.T) {
	t.Helper()
	s.process = exec.Command(s.program, s.flags...)
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if w, err := http.Get(s.url + "/health"); err == nil {
			w.Body.Close()
			if w.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not answer", s.program)
		}
	}
}

func (s *llama) stop() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// busy is how many slots work on something.
func (s *llama) busy() (n int, err error) {
	w, err := http.Get(s.url + "/slots")
	if err != nil {
		return 0, err
	}
	defer w.Body.Close()
	var slots []struct {
		Processing bool `json:"is_processing"`
	}
	err = json.NewDecoder(w.Body).Decode(&slots)
	for _, slot := range slots {
		if slot.Processing {
			n++
		}
	}
	return n, err
}

// letters are n tokens that were not asked for before.
func letters(seed uint64, n int) []sparkd.Token {
	r := rand.New(rand.NewPCG(seed, 3))
	out := make([]sparkd.Token, n)
	for i := range out {
		out[i] = sparkd.Token(40 + r.IntN(200))
	}
	return out
}

func askFor(prefix []sparkd.Token, k int, seed uint64) sparkd.SampleRequest {
	r := sparkd.SampleRequest{Prefix: prefix, K: k, Tree: "x", Sampling: sparkd.Sampling{Temperature: 1, MaxTokens: 12}}
	for i := range k {
		r.Seeds = append(r.Seeds, seed+uint64(i))
	}
	return r
}

func sampled(t *testing.T, e *remote.Engine, r sparkd.SampleRequest) sparkd.SampleResult {
	t.Helper()
	got, err := e.Sample(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// fork: the prefix is computed once, every sibling draws from a seed of its own and has
// the model's logprobs, and goes on later where it is.
func (s *llama) fork(t *testing.T, e *remote.Engine) {
	const n, k = 300, 4
	shared := letters(1, n)
	got := sampled(t, e, askFor(shared, k, 50))
	if got.CachedTokens != 0 || got.ExpectedTokens != 0 || got.ComputedTokens != n-1+k || got.Forks != k-1 {
		t.Errorf("cold: cached %d, computed %d of %d tokens for %d", got.CachedTokens, got.ComputedTokens, n, k)
	}
	seen := map[string]bool{}
	for i, x := range got.Samples {
		seen[fmt.Sprint(x.Tokens)] = true
		alone := sampled(t, e, askFor(shared, 1, 50+uint64(i))).Samples[0]
		if x.Tokens[0] != alone.Tokens[0] {
			t.Errorf("sibling %d draws %v; alone, from the same seed, %v", i, x.Tokens, alone.Tokens)
		}
		for j := range x.Tokens[:min(3, len(x.Tokens))] {
			want := s.logprob(t, e.Describe().EOS, slices.Concat(shared, x.Tokens[:j]), x.Tokens[j])
			if math.Abs(want-float64(x.Logprobs[j])) > 0.05 {
				t.Errorf("sibling %d: logprob %d is %v, computed anew %v", i, j, x.Logprobs[j], want)
			}
		}
	}
	if len(seen) < k-1 {
		t.Errorf("%d different continuations of %d", len(seen), k)
	}
	var wg sync.WaitGroup
	for i, x := range got.Samples {
		wg.Go(func() {
			next := slices.Concat(shared, x.Tokens, letters(uint64(2+i), 100))
			grown, err := e.Sample(t.Context(), askFor(next, 1+i%2, 60))
			if err != nil {
				t.Error(err)
				return
			}
			if grown.CachedTokens != grown.ExpectedTokens || grown.CachedTokens < n ||
				grown.ComputedTokens != len(next)-grown.CachedTokens+i%2 {
				t.Errorf("sibling %d goes on: cached %d, expected %d, computed %d of %d", i, grown.CachedTokens,
					grown.ExpectedTokens, grown.ComputedTokens, len(next))
			}
		})
	}
	wg.Wait()
}

// logprob computes the logprob of a token anew, with nothing cached. Logprobs are listed
// behind a sampled token whose text is whole, and so eos is forced upon the sampler.
func (s *llama) logprob(t *testing.T, eos sparkd.Token, prefix []sparkd.Token, id sparkd.Token) float64 {
	t.Helper()
	body, err := json.Marshal(map[string]any{"prompt": prefix, "n_predict": 1, "cache_prompt": false,
		"n_probs": 1 << 16, "samplers": []string{},
		"logit_bias": [][]any{{eos, 1e6}}, "id_slot": 7})
	if err != nil {
		t.Fatal(err)
	}
	w, err := http.Post(s.url+"/completion", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	var got struct {
		Probs []struct {
			Tops []struct {
				ID      sparkd.Token
				Logprob float64
			} `json:"top_logprobs"`
		} `json:"completion_probabilities"`
	}
	if err := json.NewDecoder(w.Body).Decode(&got); err != nil || len(got.Probs) == 0 {
		t.Fatalf("%s: %v", w.Status, err)
	}
	for _, top := range got.Probs[0].Tops {
		if top.ID == id {
			return top.Logprob
		}
	}
	t.Fatalf("the server knows no token %d", id)
	return 0
}

// opening: trees that open alike and begin in one moment compute it once.
func (s *llama) opening(t *testing.T, e *remote.Engine) {
	const shared, own, k, trees = 400, 100, 2, 3
	opening, computed := letters(20, shared), make([]int, trees)
	var wg sync.WaitGroup
	for i := range trees {
		wg.Go(func() {
			got, err := e.Sample(t.Context(), askFor(slices.Concat(opening, letters(uint64(21+i), own)), k, 70))
			if err != nil {
				t.Error(err)
			}
			computed[i] = got.ComputedTokens
		})
	}
	wg.Wait()
	slices.Sort(computed)
	if computed[0] != own-1+k || computed[1] != computed[0] || computed[2] != shared+own-1+k {
		t.Errorf("%d trees of %d tokens, of which they share %d, computed %v", trees, shared+own, shared, computed)
	}
}

// cancel: siblings that are given up free their slots.
func (s *llama) cancel(t *testing.T, e *remote.Engine) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r := askFor(letters(30, 50), 8, 80)
	r.Sampling.MaxTokens = 900
	if _, err := e.Sample(ctx, r); sparkd.CodeOf(err) != sparkd.CodeDeadline {
		t.Errorf("given up: %v", err)
	}
	// The server checks for callers that went away when nothing was asked for a second.
	tick := time.NewTicker(1500 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		n, err := s.busy()
		if err != nil || time.Since(began) > time.Minute {
			t.Fatalf("%d requests run after a minute, %v", n, err)
		}
		if n == 0 {
			break
		}
	}
	r.Sampling.MaxTokens = 2
	if got := sampled(t, e, r); len(got.Samples) != 8 {
		t.Errorf("%d samples", len(got.Samples))
	}
}

// restart: a server that was started anew holds nothing, and what the old one wrote is not
// read, whether it was probed in between or not.
func (s *llama) restart(t *testing.T, e *remote.Engine) {
	for round, probed := range []bool{true, false} {
		shared := letters(uint64(40+round), 300)
		sampled(t, e, askFor(shared, 2, 90))
		s.stop()
		if _, err := e.Sample(t.Context(), askFor(shared, 2, 90)); !httpclient.IsPassing(err) {
			t.Errorf("a server that is gone: %v", err)
		}
		s.start(t)
		if probed {
			if err := e.Probe(t.Context()); !errors.Is(err, httpclient.ErrRestarted) {
				t.Errorf("probed after a restart: %v", err)
			}
		}
		fork := slices.Concat(shared[:250], letters(uint64(50+round), 50))
		if got := sampled(t, e, askFor(fork, 2, 91)); got.CachedTokens != 0 || got.ExpectedTokens != 0 ||
			got.ComputedTokens != len(fork)+1 {
			t.Errorf("probed: %v; cached %d, expected %d, computed %d of %d", probed, got.CachedTokens,
				got.ExpectedTokens, got.ComputedTokens, len(fork))
		}
	}
}
