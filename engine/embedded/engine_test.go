package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
)

// startToy runs an engine on a toy backend until the test ends.
func startToy(t *testing.T, b *toy, o Options) *Engine {
	t.Helper()
	e := newEngine(b, o)
	e.start()
	t.Cleanup(func() { e.Close() })
	return e
}

func TestConcurrentCallers(t *testing.T) {
	b := newToy(300)
	e := startToy(t, b, sharing)
	var wg sync.WaitGroup
	for i := range uint64(40) {
		wg.Go(func() {
			s := ask(ids(i%3, 20+int(i)), 2, 20, i)
			s.Tree = fmt.Sprint(i % 7)
			got, err := e.Sample(context.Background(), s)
			if err != nil {
				t.Error(err)
				return
			}
			for k := range s.K {
				if want := b.reference(s, k); fmt.Sprint(got.Samples[k]) != fmt.Sprint(want) {
					t.Errorf("request %d: got %v, want %v", i, got.Samples[k], want)
				}
			}
		})
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Requests != 40 || s.Failed != 0 || s.Running != 0 || s.BlocksHeld != 0 ||
		s.DecodeBatch.Sum == 0 || s.PrefillBatch.Sum != s.ComputedTokens {
		t.Errorf("%+v", s)
	}
	(&rig{e, t, b}).empty()
}

func TestBadRequests(t *testing.T) {
	b := newToy(100)
	e := startToy(t, b, sharing)
	for _, c := range []struct {
		field  string
		code   sparkd.Code
		change func(*sparkd.SampleRequest)
	}{
		{"prefix", sparkd.CodeInvalid, func(r *sparkd.SampleRequest) { r.Prefix = nil }},
		{"prefix[1]", sparkd.CodeInvalid, func(r *sparkd.SampleRequest) { r.Prefix[1] = 60 }},
		{"prefix[0]", sparkd.CodeInvalid, func(r *sparkd.SampleRequest) { r.Prefix[0] = -1 }},
		{"prefix", sparkd.CodeContext, func(r *sparkd.SampleRequest) { r.Prefix = ids(1, 6000) }},
		{"k", sparkd.CodeInvalid, func(r *sparkd.SampleRequest) { r.K = 0 }},
		{"seeds", sparkd.CodeInvalid, func(r *sparkd.SampleRequest) { r.K = 2 }},
		{"sampling.temperature", sparkd.CodeInvalid,
			func(r *sparkd.SampleRequest) { r.Sampling.Temperature = math.NaN() }},
		{"engine.cells", sparkd.CodeCapacity, func(r *sparkd.SampleRequest) { r.Sampling.MaxTokens = 5000 }},
	} {
		r := ask(ids(1, 5), 1, 5, 1)
		c.change(&r)
		_, err := e.Sample(context.Background(), r)
		if got := sparkd.AsError(err); got == nil || got.Code != c.code || got.Field != c.field || got.Remedy == "" {
			t.Errorf("%s: %v", c.field, err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for field, o := range map[string]Options{
		"engine.cells": {Cells: 7}, "engine.threads": {Threads: -1}, "engine.batch": {Batch: 5},
	} {
		if _, err := Open(context.Background(), o); sparkd.CodeOf(err) != sparkd.CodeInvalid ||
			sparkd.AsError(err).Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// startHeld is startToy with a gate: every forward waits for next to be called, or for
// open.
func startHeld(t *testing.T, b *toy, o Options) (e *Engine, next, open func()) {
	t.Helper()
	gate := make(chan struct{})
	b.before = func([]segment) error { <-gate; return nil }
	e = startToy(t, b, o)
	open = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	return e, func() { gate <- struct{}{} }, open
}

func TestCallersThatGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, next, open := startHeld(t, newToy(8).endless(), sharing)
		ctx, cancel := context.WithCancel(context.Background())
		deadline, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		errs := make(chan error, 3)
		call := func(ctx context.Context, prompt uint64) {
			_, err := e.Sample(ctx, ask(ids(prompt, 60), 1, 50, 1))
			errs <- err
		}
		go call(ctx, 1)
		synctest.Wait() // it runs: its prompt is at the gate
		go call(deadline, 2)
		synctest.Wait()
		next() // the second is taken, finds no room,
		next() // and that is published
		synctest.Wait()
		if s := e.Stats(); s.Running != 1 || s.Waiting != 1 {
			t.Fatalf("%+v", s)
		}
		time.Sleep(2 * time.Second) // of the bubble's clock
		if err := <-errs; sparkd.CodeOf(err) != sparkd.CodeDeadline {
			t.Fatalf("waiting with a deadline: %v", err)
		}
		cancel()
		if err := <-errs; sparkd.CodeOf(err) != sparkd.CodeCanceled {
			t.Fatalf("cancelled while running: %v", err)
		}
		go call(context.Background(), 3)
		open()
		if err := <-errs; err != nil {
			t.Fatalf("after them: %v", err)
		}
		synctest.Wait()
		if s := e.Stats(); s.Failed != 2 || s.BlocksHeld != 0 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newToy(8).endless()
		e, next, _ := startHeld(t, b, sharing)
		e.loop.waiting = 1
		errs := make(chan error, 4)
		for i := range uint64(4) { // one runs, one waits for room, two for the queue
			go func() {
				_, err := e.Sample(context.Background(), ask(ids(i, 60), 1, 50, 1))
				errs <- err
			}()
		}
		synctest.Wait()
		go e.Close()
		synctest.Wait()
		next() // the forward under way ends, and with it the loop
		for range 4 {
			if err := <-errs; sparkd.CodeOf(err) != sparkd.CodeUnavailable {
				t.Error(err)
			}
		}
		e.Close()
		_, err := e.Sample(context.Background(), ask(ids(1, 5), 1, 5, 1))
		if sparkd.CodeOf(err) != sparkd.CodeUnavailable {
			t.Error(err)
		}
		if _, err := e.Tokenize(context.Background(), "x", false); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
			t.Error(err)
		}
		if _, err := e.Detokenize(context.Background(), nil); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
			t.Error(err)
		}
		if b.closed != 1 {
			t.Errorf("the backend was closed %d times", b.closed)
		}
	})
}

func TestBreakdownAnswersEverybody(t *testing.T) {
	for name, spoil := range map[string]func(*toy){
		"forward": func(b *toy) { b.before = func([]segment) error { panic("boom") } },
		"choice":  func(b *toy) { b.broken = true },
	} {
		b := newToy(100)
		spoil(b)
		e := startToy(t, b, sharing)
		for range 2 { // the request that meets it, and one after it
			_, err := e.Sample(context.Background(), ask(ids(1, 5), 1, 5, 1))
			if got := sparkd.AsError(err); got == nil || got.Code != sparkd.CodeInternal ||
				!strings.Contains(got.Message, "boom") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestFailedForwardEndsOnlyItsRequests(t *testing.T) {
	b := newToy(100)
	e := startToy(t, b, sharing)
	b.before = func([]segment) error { b.before = nil; return errors.New("out of luck") }
	if _, err := e.Sample(context.Background(), ask(ids(1, 5), 2, 5, 1)); sparkd.CodeOf(err) != sparkd.CodeEngine ||
		!strings.Contains(err.Error(), "out of luck") {
		t.Error(err)
	}
	if _, err := e.Sample(context.Background(), ask(ids(1, 5), 2, 5, 1)); err != nil {
		t.Error(err)
	}
}

func TestDescribe(t *testing.T) {
	e := startToy(t, newToy(100), sharing)
	info := e.Describe()
	if info.Name != "toy" || info.Cells != 1600 || !info.Capabilities.NativeK || info.Capabilities.Logprobs != "both" {
		t.Errorf("%+v", info)
	}
	if ids, err := e.Tokenize(context.Background(), "abc", false); len(ids) != 3 || err != nil {
		t.Error(ids, err)
	}
	if text, err := e.Detokenize(context.Background(), []sparkd.Token{0, 1}); text != "AB" || err != nil {
		t.Error(text, err)
	}
}
