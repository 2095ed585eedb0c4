package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
)

// Who waits for a rollout is answered at its end, at the end of the wait, however short other requests are kept, and
// at a shutdown, which does not wait for it.
func TestWaitForRollout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake()
		withRollout(f)
		ended := make(chan struct{})
		f.fault("Wait", func(ctx context.Context) error {
			select {
			case <-ended:
			case <-ctx.Done():
			}
			return nil
		})
		s := serve(t, f, api.Options{RequestTimeout: time.Second})
		ask := func(wait string) (status int, took time.Duration) {
			start := time.Now()
			resp, err := s.http.Get("http://localhost/v1/rollouts/night-1?wait=" + wait)
			if err != nil {
				t.Error(err)
				return 0, 0
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			return resp.StatusCode, time.Since(start)
		}
		if status, took := ask("30s"); status != http.StatusOK || took != 30*time.Second {
			t.Errorf("the wait's end: %d after %v", status, took)
		}
		if status, took := ask("0"); status != http.StatusOK || took != 0 {
			t.Errorf("no wait: %d after %v", status, took)
		}
		var waiters sync.WaitGroup
		for range 200 {
			waiters.Go(func() {
				if status, took := ask("60"); status != http.StatusOK || took != 10*time.Second {
					t.Errorf("the rollout's end: %d after %v", status, took)
				}
			})
		}
		time.Sleep(10 * time.Second)
		close(ended)
		waiters.Wait()
		ended = make(chan struct{})
		waiters.Go(func() {
			if status, took := ask("1m"); status != http.StatusOK || took != 5*time.Second {
				t.Errorf("the shutdown: %d after %v", status, took)
			}
		})
		time.Sleep(5 * time.Second)
		if err := s.server.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		waiters.Wait()
		synctest.Wait()
	})
}

// The client asks again until the rollout has ended.
func TestClientWaits(t *testing.T) {
	f := newFake()
	withRollout(f)
	asked := 0
	f.fault("Wait", func(context.Context) error {
		if asked++; asked == 2 {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.rollouts[0].State = sparkd.RolloutDone
		}
		return nil
	})
	c, err := client.New(overTCP(t, f, api.Options{}), "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Wait(t.Context(), "night-1"); err != nil || r.State != sparkd.RolloutDone || asked != 2 {
		t.Errorf("%+v, %v after %d requests", r, err, asked)
	}
	if _, err := c.Wait(t.Context(), "night-9"); !strings.Contains(err.Error(), "night-9") {
		t.Errorf("an unknown one: %v", err)
	}
}
