package bench_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sparkd/bench"
	"sparkd/engine/embedded"
	"sparkd/engine/llamaserver"
	"sparkd/engine/remote"
	"sparkd/engine/vllm"
	"sparkd/internal/settings"
)

// contender is one way to have a workload sampled. It begins with an empty cache each time.
type contender struct {
	name  string
	flags []string // of the server
	begin func(t *testing.T, c *contender) (*replay, func() float64)
	costs []engineCost
	loads []float64
}

// llamaServer and vllmServer say where the servers are.
var (
	llamaServer = os.Getenv("SPARKD_LLAMA_SERVER") // path of the program
	vllmServer  = os.Getenv("SPARKD_VLLM_URL")     // address of a server with a small model
)

// What can be set to fit a machine: on one that others use, a second thread mostly waits
// for the first.
var (
	rounds  = setting("SPARKD_BENCH_ROUNDS", 3)
	threads = setting("SPARKD_BENCH_THREADS", 2) // of each engine
	trees   = setting("SPARKD_BENCH_TREES", 4)   // of the recording, which grow at once
	// What the names of the contenders begin with: llama_server leaves the embedded engine out.
	only = os.Getenv("SPARKD_BENCH_ONLY")
)

func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// TestEngines replays one recorded SPARK run through each engine, in turns.
func TestEngines(t *testing.T) {
	model := bench.Model(t)
	if llamaServer == "" && vllmServer == "" {
		t.Log("NOT RUN: llama-server and vLLM; SPARKD_LLAMA_SERVER names the program, SPARKD_VLLM_URL a running server")
	}
	bench.Print("machine", float64(runtime.NumCPU()), "cores", bench.Machine())
	work := openRecording(t)
	work.Trees = work.Trees[:min(trees, len(work.Trees))]
	t.Run("same GGUF", func(t *testing.T) { sameModel(t, model, work) })
	t.Run("vllm", func(t *testing.T) { onVLLM(t, work) })
}

// The server has a slot for the path of each leaf, and spare ones for siblings, each with
// room for the longest path.
const slotContext = 1152

var slots = min(8*trees, 32) + 16

func sameModel(t *testing.T, model string, work recorded) {
	file := endless(t, model)
	contenders := []*contender{{name: "embedded", begin: func(t *testing.T, _ *contender) (*replay, func() float64) {
		return beginEmbedded(t, file)
	}}}
	if llamaServer == "" {
		t.Log("NOT RUN: llama-server; SPARKD_LLAMA_SERVER names the program")
	} else {
		split := []string{"-np", strconv.Itoa(slots), "-c", strconv.Itoa(slots * slotContext), "--cache-ram", "0"}
		llama := func(driven bool) func(*testing.T, *contender) (*replay, func() float64) {
			return func(t *testing.T, c *contender) (*replay, func() float64) {
				return beginLlama(t, file, driven, c.flags)
			}
		}
		driven, alone := llama(true), llama(false)
		contenders = append(contenders,
			&contender{name: "llama_server_sparkd",
				flags: append(slices.Clone(split), "--slot-save-path", inMemory(t)), begin: driven},
			&contender{name: "llama_server_naive", flags: split, begin: alone})
	}
	contest(t, work, contenders)
	report(contenders)
	if len(contenders) == 3 {
		a, b, c := contenders[0], contenders[1], contenders[2]
		faster("engines_embedded_over_llama_server", a, b, c)
		faster("engines_llama_server_sparkd_over_naive", b, c)
	}
}

// inMemory returns a folder for copies of slots, on a RAM disk where there is one.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "sparkd-bench-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func beginEmbedded(t *testing.T, file string) (*replay, func() float64) {
	o := settings.Default[embedded.Options]()
	o.Model, o.Threads, o.Cells = file, threads, slots*slotContext
	e, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return &replay{source: e, block: 1}, func() float64 { return cpuSeconds(os.Getpid()) }
}

func beginLlama(t *testing.T, file string, driven bool, flags []string) (*replay, func() float64) {
	s := startLlama(t, llamaServer, file, flags...)
	p := &replay{source: naiveLlama(s.url), block: 1}
	if driven {
		e, err := llamaserver.Open(t.Context(), remote.Options{URL: s.url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		p.source = e
	}
	return p, func() float64 { return cpuSeconds(s.pid) }
}

// onVLLM measures the model that the server has: only the two ways to drive it compare.
func onVLLM(t *testing.T, work recorded) {
	if vllmServer == "" {
		t.Skip("NOT RUN: vLLM; SPARKD_VLLM_URL names a server")
	}
	begin := func(driven bool) func(*testing.T, *contender) (*replay, func() float64) {
		return func(t *testing.T, _ *contender) (*replay, func() float64) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			e, err := vllm.Open(ctx, remote.Options{URL: vllmServer, Transport: endlessly{}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { e.Close() })
			forgetVLLM(t)
			info := e.Describe()
			p := &replay{source: e, vocabulary: info.Vocabulary, block: max(info.BlockTokens, 1)}
			if !driven {
				p.source = naiveVLLM(vllmServer, info.Model)
			}
			return p, func() float64 { return 0 }
		}
	}
	contenders := []*contender{{name: "vllm_sparkd", begin: begin(true)}, {name: "vllm_naive", begin: begin(false)}}
	contest(t, work, contenders)
	report(contenders)
	faster("engines_vllm_sparkd_over_naive", contenders[0], contenders[1])
}

// forgetVLLM empties the server's prefix cache, which needs VLLM_SERVER_DEV_MODE=1.
func forgetVLLM(t *testing.T) {
	w, err := http.Post(vllmServer+"/reset_prefix_cache", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Close()
	if w.StatusCode != http.StatusOK {
		t.Fatalf("vLLM does not empty its cache (%s): start it with VLLM_SERVER_DEV_MODE=1", w.Status)
	}
}

// endlessly has vLLM go on after the end of text, so that samples have the recording's
// lengths.
type endlessly struct{}

func (endlessly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		body = bytes.Replace(body, []byte(`"ignore_eos":false`), []byte(`"ignore_eos":true`), 1)
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return connections.RoundTrip(r)
}

// connections are given up before the servers close them, after 5 seconds without a request.
var connections = func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.IdleConnTimeout = 2 * time.Second
	return t
}()

// contest lets the contenders replay the work, one after the other, several times over.
func contest(t *testing.T, work recorded, contenders []*contender) {
	for round := range rounds {
		for _, c := range contenders {
			if !strings.HasPrefix(c.name, only) {
				continue
			}
			ok := t.Run(fmt.Sprintf("%s %d", c.name, round), func(t *testing.T) {
				p, cpu := c.begin(t, c)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				busy, used := load(), cpu()
				cost, err := p.run(ctx, work)
				if err != nil {
					t.Fatal(err)
				}
				cost.cpu = cpu() - used
				c.costs, c.loads = append(c.costs, cost), append(c.loads, busy)
				t.Logf("%+v, load %.1f", cost, busy)
			})
			if !ok {
				t.FailNow()
			}
		}
	}
}

// report prints the figures of each contender, and how they compare round by round.
func report(contenders []*contender) {
	for _, c := range contenders {
		if len(c.costs) == 0 {
			continue // not asked for
		}
		c.print("tok_s", "tokens/s", func(k *engineCost) float64 { return float64(k.generated) / k.seconds })
		if c.costs[0].cpu > 0 {
			c.print("cpu_ms_per_token", "ms", func(k *engineCost) float64 { return 1e3 * k.cpu / float64(k.generated) })
		}
		c.print("computed_per_unique", "ratio",
			func(k *engineCost) float64 { return float64(k.computed) / float64(k.unique) })
		c.print("cached_per_expected", "ratio",
			func(k *engineCost) float64 { return float64(k.cached) / float64(k.expected) })
	}
}

func (c *contender) print(figure, unit string, of func(*engineCost) float64) {
	var values []float64
	for i := range c.costs {
		values = append(values, of(&c.costs[i]))
	}
	last := c.costs[len(c.costs)-1]
	detail := map[string]any{"runs": values, "lowest": slices.Min(values), "highest": slices.Max(values),
		"load": c.loads, "trees": trees, "threads": threads,
		"generated": last.generated, "prompt": last.prompt, "computed": last.computed, "unique": last.unique,
		"cached": last.cached, "expected": last.expected, "expected_by_engine": last.own}
	if len(c.flags) > 0 {
		detail["flags"] = strings.Join(c.flags, " ")
	}
	bench.Print("engines_"+c.name+"_"+figure, median(values), unit, detail)
}

// faster compares tokens a second with the best of others in the same round.
func faster(figure string, c *contender, others ...*contender) {
	rate := func(c *contender, round int) float64 {
		return float64(c.costs[round].generated) / c.costs[round].seconds
	}
	var ratios []float64
	for round := range c.costs {
		best := 0.0
		for _, o := range others {
			if len(o.costs) <= round {
				return // not asked for
			}
			best = max(best, rate(o, round))
		}
		ratios = append(ratios, rate(c, round)/best)
	}
	if len(ratios) == 0 {
		return
	}
	bench.Print(figure, median(ratios), "ratio",
		map[string]any{"runs": ratios, "lowest": slices.Min(ratios), "highest": slices.Max(ratios)})
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
