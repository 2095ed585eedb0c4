package daemon_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
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
	// An end is counted behind its event, and in front of the answer to who waits.
	got, err := r.Client.Wait(t.Context(), r.submit(spec(2)).ID)
	if err != nil {
		t.Fatal(err)
	}
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
	events, err := r.Daemon.Events(t.Context(), "", 1000)
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

// fleet is an engine of replicas that reports totals of its own.
type fleet struct{ daemontest.Engine }

func (*fleet) Replicas() []sparkd.Replica { return nil }
func (*fleet) Drain(string, bool) error   { return nil }
func (*fleet) Stats() sparkd.EngineStats  { return sparkd.EngineStats{} }

// docs/metrics.md has every metric that the program shows, with its labels and its help, and
// no other.
func TestMetricsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	rows := regexp.MustCompile("(?m)^\\| `(sparkd_[a-z_]+)` \\| (.*) \\|$")
	for _, row := range rows.FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = row[2]
	}
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{Engine: &fleet{}})
	have := map[string]string{}
	described := make(chan *prometheus.Desc, 1000)
	r.Gatherer().(*prometheus.Registry).Describe(described)
	close(described)
	form := regexp.MustCompile(`fqName: "(sparkd_[a-z_]+)", help: "([^"]*)",.* constLabels: {([^}]*)}, ` +
		`variableLabels: {([^}]*)}`)
	for d := range described {
		if m := form.FindStringSubmatch(d.String()); m != nil {
			constant, _, _ := strings.Cut(m[3], "=")
			have[m[1]] = strings.ReplaceAll(constant+m[4], ",", ", ") + " | " + m[2]
		}
	}
	if _, err := r.Client.Info(t.Context()); err != nil { // a first request, which has counters of its own
		t.Fatal(err)
	}
	answer, err := http.Get("http://" + r.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^# HELP (sparkd_[a-z_]+) (.*)$`).FindAllStringSubmatch(string(text), -1) {
		if _, ok := have[m[1]]; !ok { // the server's own
			labels, _, _ := strings.Cut(documented[m[1]], " | ")
			have[m[1]] = labels + " | " + m[2]
		}
	}
	if len(have) < 50 {
		t.Errorf("only %d metrics were found", len(have))
	}
	for name, is := range have {
		if documented[name] != is {
			t.Errorf("%s is documented as %q, and is %q", name, documented[name], is)
		}
	}
	for name := range documented {
		if _, ok := have[name]; !ok {
			t.Errorf("docs/metrics.md has %s, which the program does not show", name)
		}
	}
}
