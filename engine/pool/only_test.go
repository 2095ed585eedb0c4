package pool

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
)

// What the only replica answers is final, though it is not what was asked for; a failure that may pass is not.
func TestTheOnlyReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newServer("a")
		p := open(t, Options{}, a)
		for _, tt := range []struct {
			err  error
			most int
		}{{sparkd.Errorf(sparkd.CodeEngine, "out of memory"), 1}, {errGone, maxAttempts}} {
			a.change(func(s *server) {
				s.fault = func(context.Context, sparkd.SampleRequest) error { return tt.err }
			})
			for range mostFailures + 1 {
				before, began := a.count(), time.Now()
				_, err := p.Sample(t.Context(), ask(prefix(50), 7))
				if n := a.count() - before; sparkd.CodeOf(err) != sparkd.CodeOf(tt.err) || n > tt.most {
					t.Errorf("%v: %v after %d attempts", tt.err, err, n)
				}
				if took := time.Since(began); tt.most == 1 && took > 0 {
					t.Errorf("%v after %v", err, took)
				}
			}
		}
		closing(t, p, a)
	})
}
