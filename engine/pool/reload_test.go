package pool

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
)

// New weights: one replica after the other is emptied and moved; no request fails, none
// runs while its replica moves, and what was computed before is not expected any more.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newServer("a"), newServer("b")
		a.takes, b.takes = time.Second, time.Second
		p := open(t, Options{}, a, b)
		var wg sync.WaitGroup
		versions := make([]string, 40)
		for i := range versions {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				res, err := p.Sample(t.Context(), ask(prefix(300, sparkd.Token(i%4)), uint64(i)))
				if err != nil {
					t.Error(err)
				}
				versions[i] = res.PolicyVersion
			})
		}
		time.Sleep(1500 * time.Millisecond)
		if v, err := p.Reload(t.Context(), sparkd.Weights{Path: "x", Version: "v2"}); err != nil || v != "v2" {
			t.Fatalf("%q, %v", v, err)
		}
		if n := held(p, "a", prefix(300, 1)) + held(p, "b", prefix(300, 1)); n > 300 {
			t.Errorf("%d tokens of the old weights are remembered", n)
		}
		if got := p.Describe().PolicyVersion; got != "v2" {
			t.Errorf("version %s", got)
		}
		wg.Wait()
		if versions[0] != "v1" || versions[39] != "v2" {
			t.Errorf("versions %v", versions)
		}
		closing(t, p, a, b)
	})
}

func TestReloadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newServer("a"), newServer("b")
		p := open(t, Options{}, a, b)
		bad := func(sparkd.Weights) (string, error) { return "", sparkd.Errorf(sparkd.CodeModel, "no such file") }
		a.change(func(s *server) { s.reload = bad })
		if _, err := p.Reload(t.Context(), sparkd.Weights{Version: "v2"}); sparkd.CodeOf(err) != sparkd.CodeModel {
			t.Errorf("%v", err)
		}
		if _, on := step(t, p, prefix(10), 1); on == "" || p.Describe().PolicyVersion != "v1" {
			t.Error("the old weights do not serve on")
		}
		a.change(func(s *server) { s.reload = nil })
		b.change(func(s *server) { s.reload = bad })
		v, err := p.Reload(t.Context(), sparkd.Weights{Version: "v2"})
		if sparkd.CodeOf(err) != sparkd.CodeUnavailable || v != "v2" {
			t.Errorf("%q, %v", v, err)
		}
		for i := range uint64(6) {
			if _, on := step(t, p, prefix(10, sparkd.Token(i)), i); on != "a" {
				t.Errorf("served by %s, whose weights are old", on)
			}
		}
		b.change(func(s *server) { s.reload = nil })
		if _, err := p.Reload(t.Context(), sparkd.Weights{Version: "v2"}); err != nil {
			t.Fatal(err)
		}
		served := map[string]bool{}
		for i := range uint64(6) {
			_, on := step(t, p, prefix(10, sparkd.Token(50+i)), i)
			served[on] = true
		}
		if len(served) != 2 {
			t.Errorf("served by %v", served)
		}
		closing(t, p, a, b)
	})
}
