package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
	"sparkd/internal/httpclient"
	"sparkd/internal/settings"
)

// step samples one continuation and returns the prefix of the next step, and who served.
func step(t *testing.T, p *Pool, at []sparkd.Token, seed uint64) ([]sparkd.Token, string) {
	t.Helper()
	res, err := p.Sample(t.Context(), ask(at, seed))
	if err != nil {
		t.Fatal(err)
	}
	return append(append(at, res.Samples[0].Tokens...), 5, 6, 7), res.Engine
}

// held is how many tokens a replica is thought to have computed.
func held(p *Pool, name string, tokens []sparkd.Token) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held.Held(name, tokens)
}

// A node's next expansion goes home; trees that share nothing spread.
func TestHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := []*server{newServer("a"), newServer("b"), newServer("c")}
		p := open(t, Options{}, servers...)
		homes := map[string]int{}
		for tree := range sparkd.Token(6) {
			at, home := step(t, p, prefix(500, tree), uint64(tree))
			homes[home]++
			for n := range uint64(5) {
				var on string
				if at, on = step(t, p, at, n); on != home {
					t.Errorf("tree %d: step %d went to %s, its home is %s", tree, n, on, home)
				}
			}
		}
		if len(homes) != 3 || homes["a"] != 2 {
			t.Errorf("trees live at %v", homes)
		}
		var expected, cached int
		for _, r := range p.Replicas() {
			expected, cached = expected+r.ExpectedTokens, cached+r.CachedTokens
		}
		if expected < 6*5*500 || expected > cached {
			t.Errorf("expected %d, cached %d", expected, cached)
		}
		closing(t, p, servers...)
	})
}

// Where the home has more to do than the prefix is worth, the request goes elsewhere.
func TestSpill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newServer("a"), newServer("b")
		p := open(t, Options{}, a, b)
		shared := prefix(200)
		if _, on := step(t, p, shared, 1); on != "a" {
			t.Fatalf("the first went to %s", on)
		}
		for _, s := range []*server{a, b} {
			s.change(func(s *server) { s.takes = time.Minute })
		}
		var wg sync.WaitGroup
		served := make([]string, 12)
		for i := range served {
			wg.Go(func() {
				res, err := p.Sample(t.Context(),
					ask(prefix(220, slices.Concat(shared, []sparkd.Token{sparkd.Token(i)})...), uint64(i)))
				if err != nil {
					t.Error(err)
				}
				served[i] = res.Engine
			})
			synctest.Wait()
		}
		wg.Wait()
		if n := len(slices.DeleteFunc(slices.Clone(served), func(s string) bool { return s == "a" })); n == 0 || n > 6 {
			t.Errorf("served by %v", served)
		}
		if served[0] != "a" {
			t.Errorf("the first went to %s", served[0])
		}
		closing(t, p, a, b)
	})
}

// Places are bounded, and given in order.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newServer("a")
		a.takes = time.Second
		p := open(t, Options{Inflight: 3}, a)
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if _, err := p.Sample(t.Context(), ask(prefix(20), uint64(i))); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if r := p.Replicas()[0]; r.Running != 3 || r.Waiting != 7 {
			t.Errorf("%d run, %d wait", r.Running, r.Waiting)
		}
		wg.Wait()
		if a.most != 3 || time.Since(begin) != 4*time.Second {
			t.Errorf("%d at once, %v", a.most, time.Since(begin))
		}
		closing(t, p, a)
	})
}

// Whatever a replica does wrong, the same request runs elsewhere, and what the request
// itself is at fault for does not.
func TestFaults(t *testing.T) {
	fail := func(err error) func(context.Context, sparkd.SampleRequest) error {
		return func(context.Context, sparkd.SampleRequest) error { return err }
	}
	for name, tt := range map[string]struct {
		fault func(ctx context.Context, r sparkd.SampleRequest) error
		want  sparkd.Code // "" succeeds elsewhere
	}{
		"refused":  {fail(errGone), ""},
		"not JSON": {fail(sparkd.Errorf(sparkd.CodeEngine, "not JSON")), ""},
		"hang": {func(ctx context.Context, _ sparkd.SampleRequest) error {
			<-ctx.Done()
			return ctx.Err()
		}, ""},
		"panic":        {fail(sparkd.Errorf(sparkd.CodeInternal, "panic")), ""},
		"bad request":  {fail(sparkd.Invalid("sampling.top_k", "less", "too many")), sparkd.CodeInvalid},
		"context":      {fail(&sparkd.Error{Code: sparkd.CodeContext, Message: "full"}), sparkd.CodeContext},
		"does not fit": {fail(&sparkd.Error{Code: sparkd.CodeCapacity, Message: "full"}), sparkd.CodeCapacity},
		"asks to pause": {fail(&sparkd.Error{Code: sparkd.CodeUnavailable, Message: "429",
			Err: &httpclient.Retry{After: time.Hour, Err: errors.New("429")}}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newServer("a"), newServer("b")
				p := open(t, Options{}, a, b)
				a.change(func(s *server) { s.fault = tt.fault })
				res, err := p.Sample(t.Context(), ask(prefix(50), 7, 8))
				if sparkd.CodeOf(err) != tt.want {
					t.Fatalf("error %v", err)
				}
				if tt.want == "" && (res.Engine != "b" || len(res.Samples) != 2 ||
					!slices.Equal(b.asked[0].Seeds, []uint64{7, 8})) {
					t.Errorf("served by %s: %+v", res.Engine, res)
				}
				if tt.want != "" && b.count() > 0 {
					t.Error("sent elsewhere")
				}
				closing(t, p, a, b)
			})
		})
	}
}

// A replica that fails again and again is left out until it answers; what it held is forgotten.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newServer("a"), newServer("b")
		p := open(t, Options{}, a, b)
		at, _ := step(t, p, prefix(300), 1)
		a.change(func(s *server) {
			s.fault = func(context.Context, sparkd.SampleRequest) error { return errGone }
			s.probe = func() error { return errGone }
		})
		for i := range uint64(6) {
			at, _ = step(t, p, at, i)
		}
		if n := a.count(); n > 1+mostFailures {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(time.Minute)
		if r := p.Replicas()[0]; r.State != sparkd.ReplicaDown || r.Error.Code != sparkd.CodeUnavailable {
			t.Errorf("%+v", r)
		}
		a.change(func(s *server) { s.fault, s.probe = nil, nil })
		time.Sleep(2 * longestRest)
		if r := p.Replicas()[0]; r.State != sparkd.ReplicaUp || r.Error != nil {
			t.Errorf("it came back and is %s: %v", r.State, r.Error)
		}
		if n := held(p, "a", at); n != 0 {
			t.Errorf("it is thought to hold %d tokens", n)
		}
		closing(t, p, a, b)
	})
}

// Without any replica requests wait for a while, and are served when one comes back.
func TestNoReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newServer("a")
		p := open(t, Options{}, a)
		a.change(func(s *server) {
			s.fault = func(context.Context, sparkd.SampleRequest) error { return errGone }
			s.probe = func() error { return errGone }
		})
		begin := time.Now()
		_, err := p.Sample(t.Context(), ask(prefix(9), 1))
		if sparkd.CodeOf(err) != sparkd.CodeUnavailable || time.Since(begin) > 3*time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		time.AfterFunc(20*time.Second, func() { a.change(func(s *server) { s.fault, s.probe = nil, nil }) })
		if _, err := p.Sample(t.Context(), ask(prefix(9), 1)); err != nil {
			t.Errorf("after it came back: %v", err)
		}
		closing(t, p, a)
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newServer("a")
		p := open(t, Options{}, a)
		var busy atomic.Bool
		busy.Store(true)
		a.fault = func(context.Context, sparkd.SampleRequest) error {
			if busy.Swap(false) {
				return &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "429",
					Err: &httpclient.Retry{After: 30 * time.Second, Err: errors.New("429")}}
			}
			return nil
		}
		begin := time.Now()
		if _, err := p.Sample(t.Context(), ask(prefix(9), 1)); err != nil || time.Since(begin) < 30*time.Second ||
			time.Since(begin) > 31*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		closing(t, p, a)
	})
}

// An empty cache where much was expected: the server was restarted.
func TestRestartIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newServer("a")
		p := open(t, Options{}, a)
		at, _ := step(t, p, prefix(600), 1)
		a.change(func(s *server) { s.empty = true })
		old := prefix(300, 8, 8, 8)
		p.mu.Lock()
		p.held.Add("a", old)
		p.mu.Unlock()
		at, _ = step(t, p, at, 2)
		if n := held(p, "a", old); n != 0 {
			t.Errorf("it is thought to hold %d tokens of before", n)
		}
		if n := held(p, "a", at[:500]); n != 500 { // what was just computed is there again
			t.Errorf("it is thought to hold %d tokens", n)
		}
		other := prefix(400, 9, 9, 9)
		step(t, p, other, 3)
		a.change(func(s *server) {
			s.probe = func() error {
				return &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "new", Err: httpclient.ErrRestarted}
			}
		})
		time.Sleep(6 * time.Second)
		if n := held(p, "a", other); n != 0 || p.Replicas()[0].State != sparkd.ReplicaUp {
			t.Errorf("after a restart it is thought to hold %d tokens, %s", n, p.Replicas()[0].State)
		}
		closing(t, p, a)
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newServer("a"), newServer("b")
		p := open(t, Options{}, a, b)
		if err := p.Drain("c", true); sparkd.CodeOf(err) != sparkd.CodeNotFound {
			t.Errorf("an unknown replica: %v", err)
		}
		if err := p.Drain("a", true); err != nil {
			t.Fatal(err)
		}
		for i := range uint64(5) {
			step(t, p, prefix(30, sparkd.Token(i)), i)
		}
		time.Sleep(time.Minute)
		if a.count() != 0 || p.Replicas()[0].State != sparkd.ReplicaDraining {
			t.Errorf("%d requests, %s", a.count(), p.Replicas()[0].State)
		}
		if err := p.Drain("a", false); err != nil {
			t.Fatal(err)
		}
		for i := range uint64(4) {
			step(t, p, prefix(30, sparkd.Token(100+i)), i)
		}
		if a.count() == 0 {
			t.Error("it is back and gets nothing")
		}
		closing(t, p, a, b)
	})
}

func TestOpenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := Open(t.Context(), nil, Options{}); sparkd.CodeOf(err) != sparkd.CodeInvalid {
			t.Errorf("no replicas: %v", err)
		}
		a, b := newServer("a"), newServer("b")
		b.hash = "other"
		_, err := Open(t.Context(), []Target{a.target(), b.target()}, settings.Default[Options]())
		if sparkd.CodeOf(err) != sparkd.CodeInvalid {
			t.Errorf("another tokenizer: %v", err)
		}
		gone := newServer("gone")
		gone.probe = func() error { return errGone }
		_, err = Open(t.Context(), []Target{gone.target()}, settings.Default[Options]())
		if sparkd.CodeOf(err) != sparkd.CodeUnavailable {
			t.Errorf("no server there: %v", err)
		}
		p := open(t, Options{}, newServer("x"), gone) // one is enough
		gone.change(func(s *server) { s.probe = nil })
		time.Sleep(time.Minute)
		if got := p.Replicas()[1].State; got != sparkd.ReplicaUp {
			t.Errorf("the late one is %s", got)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestStorm: under random faults every request is answered, rightly or with a code, and nothing is left behind.
func TestStorm(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			var servers []*server
			for i := range 3 {
				s := newServer(string(rune('a' + i)))
				s.takes = 50 * time.Millisecond
				rng, mu := rand.New(rand.NewPCG(seed, uint64(i))), sync.Mutex{}
				s.fault = func(ctx context.Context, _ sparkd.SampleRequest) error {
					mu.Lock()
					x := rng.IntN(12)
					mu.Unlock()
					switch x {
					case 0, 1:
						return errGone
					case 2:
						return &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "429",
							Err: &httpclient.Retry{After: time.Second, Err: errors.New("429")}}
					case 3:
						<-ctx.Done()
						return ctx.Err()
					}
					return nil
				}
				servers = append(servers, s)
			}
			p := open(t, Options{Inflight: 4, Timeout: 5 * time.Second}, servers...)
			p.attempts = 6
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%60)*time.Second)
					defer cancel()
					res, err := p.Sample(ctx, ask(prefix(100, sparkd.Token(i%9)), uint64(i)))
					if err == nil && (len(res.Samples) != 1 || res.Samples[0].Tokens[0] != sparkd.Token(i)) {
						t.Errorf("seed %d: request %d got another's answer", seed, i)
					}
					if err != nil && sparkd.CodeOf(err) == sparkd.CodeInternal {
						t.Errorf("seed %d: request %d: %v", seed, i, err)
					}
				})
			}
			wg.Wait()
			closing(t, p, servers...)
		})
	}
}
