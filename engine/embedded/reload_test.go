package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"sparkd"
)

// offer gives the rig's loop new weights to take.
func (r *rig) offer(ctx context.Context, b backend) *exchange {
	x := &exchange{ctx: ctx, backend: b, done: make(chan struct{})}
	r.loop.next = x
	return x
}

func ended(done chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestNewWeightsWaitForWhatRuns(t *testing.T) {
	old, young := newToy(200).endless(), newToy(200).endless().versioned("v2", 2)
	r := newRig(t, old, sharing)
	prompt := ids(1, 100)
	first := r.send(context.Background(), ask(prompt, 2, 20, 1))
	r.tick()
	x := r.offer(context.Background(), young)
	waiting := r.send(context.Background(), ask(prompt, 2, 20, 1))
	for !first.ended {
		if r.tick(); r.Stats().Running+r.Stats().Waiting != 2 && !first.ended || r.loop.backend != old && !first.ended {
			t.Fatalf("%+v", r.Stats())
		}
	}
	r.drain()
	if !ended(x.done) || x.err != nil || r.Stats().Reloads != 1 {
		t.Fatal("the weights were not exchanged")
	}
	r.compare(first)
	r.toy = young
	r.compare(waiting)
	if a, b := first.result, waiting.result; a.PolicyVersion != "v1" || b.PolicyVersion != "v2" ||
		b.CachedTokens != 0 || b.ExpectedTokens != 0 {
		t.Errorf("%+v\n%+v", a, b)
	}
	if again := r.sample(ask(prompt, 1, 5, 1)); again.CachedTokens != 99 || again.ExpectedTokens != 99 {
		t.Errorf("%+v", again)
	}
	r.empty()
}

// TestRandomTrafficAcrossVersions is random traffic with new weights now and then, some of
// which are given up while they wait: every answer is that of the version it names.
func TestRandomTrafficAcrossVersions(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 4))
			blocks := 40 + random.IntN(100)
			versions := map[string]*toy{"v1": newToy(blocks)}
			r := newRig(t, versions["v1"], Options{PrefixCache: seed%5 != 0})
			r.loop.chunk = 1 + random.IntN(50)
			var calls []*request
			var exchanges []*exchange
			var give context.CancelFunc
			for turn := range 200 {
				if random.IntN(2) == 0 {
					s := ask(ids(random.Uint64N(3), 1+random.IntN(60)), 1+random.IntN(3), 1+random.IntN(20),
						random.Uint64N(4))
					if q, err := r.admit(context.Background(), s); err == nil {
						r.loop.enqueue(q)
						calls = append(calls, q)
					}
				}
				if r.loop.next == nil && random.IntN(10) == 0 {
					name := fmt.Sprint("v", turn+2)
					versions[name] = newToy(blocks).versioned(name, uint64(turn))
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					exchanges, give = append(exchanges, r.offer(ctx, versions[name])), cancel
				}
				if r.loop.next != nil && random.IntN(20) == 0 {
					give()
				}
				r.tick()
				r.toy = r.loop.backend.(*toy)
			}
			r.drain()
			r.tick() // for new weights that waited for the last of them
			taken := 0
			for _, x := range exchanges {
				if !ended(x.done) {
					t.Fatal("an exchange was not answered")
				}
				if x.err == nil {
					taken++
				}
			}
			last := r.loop.backend.(*toy)
			for _, q := range calls {
				r.toy = versions[q.result.PolicyVersion]
				r.compare(q)
			}
			if taken == 0 || r.Stats().Reloads != uint64(taken) {
				t.Errorf("%d exchanges, %d counted", taken, r.Stats().Reloads)
			}
			r.toy = last
			r.empty()
		})
	}
}

// loads makes e load toys: the one named by the path.
func (e *Engine) loads(toys map[string]*toy) {
	e.load = func(ctx context.Context, w sparkd.Weights, base checkpoint) (backend, checkpoint, error) {
		b, ok := toys[w.Path]
		if !ok {
			return nil, base, unusable("name a toy", "no toy %s", w.Path)
		}
		if err := ctx.Err(); err != nil {
			return nil, base, err
		}
		b.opened++
		return b, base, nil
	}
}

// busy waits until n more requests have reached the loop.
func busy(t *testing.T, e *Engine, n uint64) {
	for n += e.Stats().Requests; e.Stats().Requests < n && !t.Failed(); {
		runtime.Gosched()
	}
}

func TestReloadsUnderLoad(t *testing.T) {
	toys := map[string]*toy{}
	for v := range 30 {
		name := fmt.Sprint("v", v+1)
		toys[name] = newToy(120).versioned(name, uint64(v))
	}
	e := startToy(t, toys["v1"], sharing)
	e.loads(toys)
	var over atomic.Bool
	var wg sync.WaitGroup
	for i := range uint64(8) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(i, 5))
			for !over.Load() && !t.Failed() {
				s := ask(ids(random.Uint64N(3), 1+random.IntN(60)), 1+random.IntN(3), 1+random.IntN(20),
					random.Uint64())
				got, err := e.Sample(t.Context(), s)
				if err != nil {
					t.Error(err)
					return
				}
				for k := range s.K {
					ran := &toy{context: 6000, words: toys["v1"].words, salt: toys[got.PolicyVersion].salt}
					if want := ran.reference(s, k); fmt.Sprint(got.Samples[k]) != fmt.Sprint(want) {
						t.Errorf("%s: got %v, want %v", got.PolicyVersion, got.Samples[k], want)
						return
					}
				}
				if _, err := e.Tokenize(t.Context(), "abc", false); err != nil || e.Describe().PolicyVersion == "" {
					t.Error(err)
				}
			}
		})
	}
	for v := 2; v <= 30; v++ {
		name := fmt.Sprint("v", v)
		busy(t, e, 20)
		if got, err := e.Reload(t.Context(), sparkd.Weights{Path: name}); err != nil || got != name ||
			e.Describe().PolicyVersion != name {
			t.Fatal(got, err)
		}
		got, err := e.Sample(t.Context(), ask(ids(0, 30), 1, 3, 1))
		if err != nil || got.PolicyVersion != name {
			t.Fatalf("after Reload a sample of %s: %v", got.PolicyVersion, err)
		}
	}
	over.Store(true)
	wg.Wait()
	e.Close()
	for name, b := range toys {
		if b.closed != 1 {
			t.Errorf("%s was closed %d times", name, b.closed)
		}
	}
	if s := e.Stats(); s.Reloads != 29 || s.Failed != 0 || s.BlocksHeld != 0 {
		t.Errorf("%+v", s)
	}
}

func TestReloadRefusesAnotherModel(t *testing.T) {
	for name, c := range map[string]func(*toy){
		"architecture": func(b *toy) { b.about.Architecture = "rnn" },
		"context":      func(b *toy) { b.context++ },
		"vocabulary":   func(b *toy) { b.words = append(b.words, "more") },
		"tokenizer":    func(b *toy) { b.about.TokenizerHash = "other" },
		"EOS":          func(b *toy) { b.about.EOS = 7 },
		"a token":      func(b *toy) { b.words[9] = "x" },
	} {
		other := newToy(50).versioned("v2", 2)
		c(other)
		e := startToy(t, newToy(50), sharing)
		e.loads(map[string]*toy{"other": other})
		_, err := e.Reload(t.Context(), sparkd.Weights{Path: "other"})
		if got := sparkd.AsError(err); got == nil || got.Code != sparkd.CodeModel || got.Field != "path" ||
			got.Remedy == "" || other.closed != 1 {
			t.Errorf("%s: %v, closed %d times", name, err, other.closed)
		}
		if got, err := e.Sample(t.Context(), ask(ids(1, 5), 1, 5, 1)); err != nil || got.PolicyVersion != "v1" {
			t.Errorf("%s: afterwards %v %v", name, got.PolicyVersion, err)
		}
	}
}

// The last request ends, and nothing else comes to wake the loop.
func TestNewWeightsAfterTheLastRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, next, open := startHeld(t, newToy(50).endless(), sharing)
		e.loads(map[string]*toy{"young": newToy(50).versioned("v2", 2)})
		errs := make(chan error, 2)
		go func() {
			_, err := e.Sample(context.Background(), ask(ids(1, 20), 1, 5, 1))
			errs <- err
		}()
		synctest.Wait()
		go func() {
			_, err := e.Reload(context.Background(), sparkd.Weights{Path: "young"})
			errs <- err
		}()
		synctest.Wait()
		next() // the loop hears of the new weights
		open()
		for range 2 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if v := e.Describe().PolicyVersion; v != "v2" {
			t.Error(v)
		}
	})
}

func TestReloadCallersThatGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, young := newToy(50).endless(), newToy(50).versioned("v2", 2)
		e, next, open := startHeld(t, old, sharing)
		e.loads(map[string]*toy{"young": young})
		ctx, cancel := context.WithCancel(context.Background())
		sampled, reloaded := make(chan error, 2), make(chan error, 2)
		go func() {
			_, err := e.Sample(context.Background(), ask(ids(1, 20), 1, 5, 1))
			sampled <- err
		}()
		synctest.Wait() // it runs: its prompt is at the gate
		go func() {
			_, err := e.Reload(ctx, sparkd.Weights{Path: "young"})
			reloaded <- err
		}()
		gone, leave := context.WithCancel(context.Background())
		synctest.Wait()
		go func() { // waits for its turn
			_, err := e.Reload(gone, sparkd.Weights{Path: "young"})
			reloaded <- err
		}()
		synctest.Wait()
		leave()
		if err := <-reloaded; sparkd.CodeOf(err) != sparkd.CodeCanceled {
			t.Fatalf("before its turn: %v", err)
		}
		next() // the loop hears of the new weights
		synctest.Wait()
		cancel()
		next()
		if err := <-reloaded; sparkd.CodeOf(err) != sparkd.CodeCanceled || young.closed != 1 {
			t.Fatalf("while a request ran: %v", err)
		}
		open()
		if err := <-sampled; err != nil || e.Describe().PolicyVersion != "v1" || e.Stats().Reloads != 0 {
			t.Fatal(err)
		}
	})
}

// Close while weights are loaded, and while loaded weights wait for a request to end.
func TestCloseDuringReload(t *testing.T) {
	for _, loading := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			old, young := newToy(50).endless(), newToy(50).versioned("v2", 2)
			e, next, _ := startHeld(t, old, sharing)
			e.loads(map[string]*toy{"young": young})
			if loading {
				e.load = func(ctx context.Context, _ sparkd.Weights, base checkpoint) (backend, checkpoint, error) {
					<-ctx.Done()
					return nil, base, ctx.Err()
				}
			}
			errs := make(chan error, 3)
			go func() {
				_, err := e.Sample(context.Background(), ask(ids(1, 20), 1, 5, 1))
				errs <- err
			}()
			synctest.Wait()
			for range 2 { // the second waits for its turn
				go func() {
					_, err := e.Reload(context.Background(), sparkd.Weights{Path: "young"})
					errs <- err
				}()
			}
			synctest.Wait()
			go e.Close()
			synctest.Wait()
			next()
			for range 3 {
				if err := <-errs; sparkd.CodeOf(err) != sparkd.CodeUnavailable {
					t.Error(err)
				}
			}
			e.Close()
			_, err := e.Reload(context.Background(), sparkd.Weights{Path: "young"})
			if sparkd.CodeOf(err) != sparkd.CodeUnavailable {
				t.Error(err)
			}
			if old.closed != 1 || young.closed != young.opened || loading != (young.opened == 0) {
				t.Errorf("the old model was closed %d times, the new %d times after %d loads", old.closed, young.closed,
					young.opened)
			}
		})
	}
}

func TestBreakdownEndsReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, young := newToy(50), newToy(50).versioned("v2", 2)
		e, _, open := startHeld(t, old, sharing)
		hold := old.before
		old.before = func(s []segment) error { _ = hold(s); panic("boom") }
		e.loads(map[string]*toy{"young": young})
		errs := make(chan error, 2)
		go func() {
			_, err := e.Sample(context.Background(), ask(ids(1, 20), 1, 5, 1))
			errs <- err
		}()
		synctest.Wait()
		go func() {
			_, err := e.Reload(context.Background(), sparkd.Weights{Path: "young"})
			errs <- err
		}()
		synctest.Wait()
		open()
		for range 2 {
			if err := <-errs; sparkd.CodeOf(err) != sparkd.CodeInternal {
				t.Error(err)
			}
		}
		if young.closed != 1 {
			t.Errorf("the new model was closed %d times", young.closed)
		}
	})
}

func TestFailedLoadLeavesTheOldWeights(t *testing.T) {
	e := startToy(t, newToy(50), sharing)
	e.load = func(context.Context, sparkd.Weights, checkpoint) (backend, checkpoint, error) {
		return nil, checkpoint{path: "other"}, errors.New("no luck")
	}
	if _, err := e.Reload(t.Context(), sparkd.Weights{Path: "x"}); sparkd.CodeOf(err) != sparkd.CodeInternal {
		t.Error(err)
	}
	if got, err := e.Sample(t.Context(), ask(ids(1, 5), 1, 5, 1)); err != nil || got.PolicyVersion != "v1" ||
		e.base.path != "" || e.Stats().Reloads != 0 {
		t.Error(got.PolicyVersion, err)
	}
}
