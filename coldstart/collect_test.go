package coldstart

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"sparkd"
	"sparkd/env/alfworld"
	"sparkd/sampler"
)

// collected runs Collect on the household.
func collected(t *testing.T, edit func(*Options)) (all []*Trajectory, err error) {
	t.Helper()
	o := Options{Env: alfworld.Name, Split: "train", Tasks: 10_000, Count: 20, OwnShare: 0.1, MaxSteps: 30}
	edit(&o)
	err = Collect(t.Context(), alfworld.New(), o, func(tr *Trajectory) error {
		all = append(all, tr)
		return nil
	})
	return all, err
}

// Collect has as many trajectories as were asked for, and of them the share that was
// sought, spread evenly; every one ends in success and says why at every step.
func TestCollect(t *testing.T) {
	for _, c := range []struct {
		count int
		share float64
	}{{1, 0}, {1, 1}, {20, 0.1}, {30, 0.5}, {7, 1}, {9, 1. / 3}, {10, 0}} {
		all, err := collected(t, func(o *Options) { o.Count, o.OwnShare = c.count, c.share })
		if err != nil {
			t.Fatal(err)
		}
		own := 0
		for i, tr := range all {
			if tr.Source == Own {
				own++
			}
			if even := math.Floor(float64(i+1) * c.share); float64(own) != even {
				t.Errorf("%+v: %d of the first %d are sought", c, own, i+1)
			}
			if len(tr.Steps) == 0 || len(tr.Steps) > 30 || tr.Goal == "" {
				t.Errorf("%v: %d steps, goal %q", tr.Task, len(tr.Steps), tr.Goal)
			}
			for _, s := range tr.Steps {
				a := sampler.ParseAnswer(answer(&s, sampler.StyleCompact).Content, "explore", false)
				if !a.Valid || a.Action != s.Action {
					t.Errorf("%v: %q", tr.Task, answer(&s, sampler.StyleCompact).Content)
				}
			}
		}
		if len(all) != c.count {
			t.Errorf("%+v: %d trajectories", c, len(all))
		}
	}
}

// Retro trajectories go the expert's way, and own ones another.
func TestSources(t *testing.T) {
	longer := 0
	for index := range 12 {
		e := alfworld.New()
		retro, own := play(t, index, Retro), play(t, index, Own)
		if _, err := e.Reset(t.Context(), retro.Task); err != nil {
			t.Fatal(err)
		}
		plan, err := alfworld.Expert(e)
		if err != nil {
			t.Fatal(err)
		}
		var actions []string
		for _, s := range retro.Steps {
			actions = append(actions, s.Action)
		}
		if !slices.Equal(actions, plan) {
			t.Errorf("%v: %q, the expert's way is %q", retro.Task, actions, plan)
		}
		if len(own.Steps) > len(plan) {
			longer++
		}
	}
	if longer < 6 {
		t.Errorf("only %d of 12 searches took longer than the shortest way", longer)
	}
}

// Tasks go round, with other draws; the same seed collects the same.
func TestCollectAgain(t *testing.T) {
	text := func(edit func(*Options)) string {
		all, err := collected(t, func(o *Options) { o.OwnShare = 1; edit(o) })
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	plain := text(func(*Options) {})
	if plain != text(func(*Options) {}) {
		t.Error("the same options collect something else")
	}
	if plain == text(func(o *Options) { o.Seed = 1 }) {
		t.Error("another seed collects the same")
	}
	all, err := collected(t, func(o *Options) { o.From, o.Tasks, o.Count, o.OwnShare = 1, 3, 9, 1 })
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]bool{}
	for i, tr := range all {
		if tr.Task.Index != (1+i)%3 {
			t.Errorf("trajectory %d is of task %d", i, tr.Task.Index)
		}
		b, _ := json.Marshal(tr.Steps)
		ways[string(b)] = true
	}
	if len(ways) < 6 {
		t.Errorf("9 rounds of 3 tasks went %d ways", len(ways))
	}
}

// Where no task can be solved Collect gives up, and says what would help; an error of emit
// and the end of the context end it at once.
func TestCollectEnds(t *testing.T) {
	all, err := collected(t, func(o *Options) { o.MaxSteps = 1 })
	if e := sparkd.AsError(err); err == nil || e.Field != "max-steps" || e.Remedy == "" || len(all) > 0 {
		t.Errorf("%d trajectories, %v", len(all), err)
	}
	if _, err := collected(t, func(o *Options) { o.Split = "dev" }); sparkd.CodeOf(err) == "" {
		t.Error("an unknown split is collected from")
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	ten := Options{Env: alfworld.Name, Split: "train", Tasks: 10, Count: 10, MaxSteps: 30}
	err = Collect(ctx, alfworld.New(), ten, func(*Trajectory) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	if sparkd.CodeOf(err) != sparkd.CodeCanceled || n != 3 {
		t.Errorf("canceled: %d trajectories, %v", n, err)
	}
	full := sparkd.Errorf(sparkd.CodeStore, "the disk is full")
	err = Collect(t.Context(), alfworld.New(), ten, func(*Trajectory) error { return full })
	if err != full {
		t.Errorf("emit failed: %v", err)
	}
}

// Slips are as many as asked for, weigh nothing, and are never the end of the way.
func TestSlips(t *testing.T) {
	all, err := collected(t, func(o *Options) { o.Count, o.OwnShare, o.Slips = 200, 0.5, 0.2 })
	if err != nil {
		t.Fatal(err)
	}
	steps, slips, idle := 0, 0, 0
	for _, tr := range all {
		messages := Rows(tr, sampler.Prompt{Style: sampler.StyleCompact}, 0)[0].Messages
		windows := Rows(tr, sampler.Prompt{Style: sampler.StyleCompact}, 5)
		own := 0
		for i, s := range tr.Steps {
			steps++
			if weight := messages[2*i+1].Weight; s.Slip != (weight != nil && *weight == 0) {
				t.Errorf("%v, step %d: slip %v has weight %v", tr.Task, i, s.Slip, weight)
			}
			if !s.Slip {
				own++
				continue
			}
			slips++
			if i+1 < len(tr.Steps) && tr.Steps[i+1].Observation.Text == "Nothing happens." {
				idle++
			}
		}
		if len(windows) != own {
			t.Errorf("%v: %d rows of single steps, %d steps to be learnt", tr.Task, len(windows), own)
		}
	}
	if share := float64(slips) / float64(steps); share < 0.15 || share > 0.25 || idle < slips/3 {
		t.Errorf("%d of %d steps are slips, %d of them without effect", slips, steps, idle)
	}
}
