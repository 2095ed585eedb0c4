package daemon_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"sparkd"
	"sparkd/daemon"
)

// values sums each metric over its labels, and over each value of a label.
func values(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			out[f.GetName()] += v
			for _, l := range m.Label {
				out[f.GetName()+"/"+l.GetValue()] += v
			}
		}
	}
	return out
}

func TestMetrics(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{Version: "v1.2.3"})
	got := r.wait(r.submit(spec(2)).ID)
	families, err := r.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sparkd_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s, have := got.Stats, values(t, r.Gatherer())
	for name, want := range map[string]int{
		"sparkd_rollouts_total/done": 1, "sparkd_trees_total/done": 2,
		"sparkd_rollouts": 0, "sparkd_trees_growing": 0, "sparkd_ready": 1,
		"sparkd_nodes_total": s.Nodes, "sparkd_forks_total": s.Forks,
		"sparkd_generated_tokens_total": s.GeneratedTokens,
		"sparkd_prompt_tokens_total":    s.PromptTokens, "sparkd_computed_prompt_tokens_total": s.ComputedTokens,
		"sparkd_cached_prompt_tokens_total": s.CachedTokens, "sparkd_env_steps_total": s.EnvSteps,
		"sparkd_env_step_seconds/household": s.Nodes, "sparkd_build_info/v1.2.3": 1,
	} {
		if have[name] != float64(want) {
			t.Errorf("%s is %v, want %d", name, have[name], want)
		}
	}
	if have["sparkd_store_commit_seconds"] == 0 {
		t.Error("no commit was timed")
	}
	if status := r.get("/metrics"); status != 200 {
		t.Errorf("/metrics answers %d", status)
	}
}

// The event log tells a rollout's whole story in order.
func TestEvents(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	got := r.wait(r.submit(spec(1)).ID)
	events, err := r.Daemon.Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var story []string
	rounds := 0
	for _, e := range events {
		switch {
		case e.Kind == sparkd.EventRound:
			rounds++
		default:
			story = append(story, string(e.Kind)+" "+e.State)
		}
	}
	if want := "rollout queued, rollout running, tree done, rollout done"; strings.Join(story, ", ") != want {
		t.Errorf("the story is %v", story)
	}
	if tree, err := r.Client.Tree(t.Context(), got.Trees[0]); err != nil || rounds != tree.Round {
		t.Errorf("%d rounds told, %v %+v", rounds, err, tree)
	}
}
