package alfworld

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sparkd"
	"sparkd/env/envtest"
)

// write writes files below a new folder.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func open(t testing.TB, root string) *Source {
	t.Helper()
	s, err := Open(t.Context(), "alf", Options{Data: root})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// downloaded is a folder as alfworld-download makes it, with games of every type.
func downloaded(t testing.TB) map[string]string {
	t.Helper()
	files := map[string]string{"logic/alfred.pddl": domainText}
	for i, kind := range TaskTypes() {
		p, err := ProblemOf(sparkd.Task{Split: "train", Index: i})
		if err != nil {
			t.Fatal(err)
		}
		game := string(gameBytes(t, p))
		for split, trials := range map[string]int{"train": 3, "valid_seen": 1, "valid_unseen": 2} {
			for n := range trials {
				folder := fmt.Sprintf("json_2.1.1/%s/%s-X-None-Y-%d/trial_T%d", split, kind, 300+i, n)
				files[folder+"/"+gameFile], files[folder+"/"+trajectoryFile] = game, "{}"
			}
		}
		// Raw trajectories of which alfworld-generate made no game, and one without a solution.
		files[fmt.Sprintf("json_2.1.1/train/%s-Sliced-%d/trial_T9/%s", kind, i, stateFile)] = p.pddl()
		files[fmt.Sprintf("json_2.1.1/train/%s-Sliced-%d/trial_T9/%s", kind, i, trajectoryFile)] = "{}"
	}
	files["json_2.1.1/train/pick_and_place_simple-A-None-B-1/trial_T1/"+
		gameFile] = `{"pddl_domain": "\"solvable\": true", "solvable": false, "walkthrough": null}`
	return files
}

func TestSplits(t *testing.T) {
	root := write(t, downloaded(t))
	want := map[string]int{"train": 18, "valid_seen": 6, "valid_unseen": 12, "l0": 6, "l1": 12, "l2": 4, "train4": 12}
	for _, data := range []string{root, filepath.Join(root, "json_2.1.1")} {
		s := open(t, data)
		info := s.Info()
		if !maps.Equal(info.Splits, want) || info.Fork != sparkd.ForkNative ||
			info.Name != "alf" || info.MaxSteps != 50 {
			t.Errorf("%s: %+v, want the splits %v", data, info, want)
		}
		for split, games := range s.splits {
			if !slices.IsSortedFunc(games, func(a, b game) int { return strings.Compare(a.name, b.name) }) {
				t.Errorf("%s is not sorted", split)
			}
			for _, g := range games {
				held := g.kind() == PickCool || g.kind() == PickTwo
				if split == "l2" && !held || split == "train4" && held {
					t.Errorf("%s holds %s", split, g.name)
				}
			}
		}
	}
	link := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	if s := open(t, link); !maps.Equal(s.Info().Splits, want) {
		t.Errorf("behind a link: %v", s.Info().Splits)
	}
}

func TestFlatFolders(t *testing.T) {
	p := kitchenette(PickHeat)
	game := string(gameBytes(t, p))
	traj := `{"task_type": "pick_heat_then_place_in_recep", "pddl_params": {"object_target": "Apple", ` +
		`"parent_target": "GarbageCan"}}`
	for _, c := range []struct {
		files map[string]string
		names []string
	}{
		{map[string]string{"games/b/game.tw-pddl": game, "games/a/x/game.tw-pddl": game, "games/note.txt": ""},
			[]string{"a/x", "b"}},
		{map[string]string{"games/one.tw-pddl": game, "games/two.tw-pddl": game}, []string{"one", "two"}},
		{map[string]string{"games/game.tw-pddl": game}, []string{"games"}},
		{map[string]string{"games/a/initial_state.pddl": p.pddl(), "games/a/traj_data.json": traj,
			"games/b/initial_state.pddl": p.pddl()}, []string{"a"}},
	} {
		s := open(t, filepath.Join(write(t, c.files), "games"))
		if len(s.splits) != 1 {
			t.Fatalf("%q: splits %v", c.names, s.Info().Splits)
		}
		for i, name := range c.names {
			if index, near, ok := s.Lookup("games", name); !ok || index != i {
				t.Errorf("%q: %q is %d, %v, near %q", c.names, name, index, ok, near)
			}
			e, err := s.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			o, err := e.Reset(t.Context(), sparkd.Task{Env: "alf", Split: "games", Index: i})
			if err != nil || o.Goal != p.Goal.Sentence && o.Goal != "put a hot apple in garbagecan" ||
				len(o.Admissible) < 8 {
				t.Errorf("%q: %q: %+v, %v", c.names, name, o, err)
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := s.Info().Splits["games"]; n != len(c.names) {
			t.Errorf("%q: %d games", c.names, n)
		}
	}
}

// What is no file is no game, and a file that cannot be read fails its own task alone.
func TestOddFiles(t *testing.T) {
	root := write(t, map[string]string{"games/a/game.tw-pddl": string(gameBytes(t, kitchenette(PickHeat))),
		"games/c.tw-pddl/note": ""})
	if err := errors.Join(os.Mkdir(filepath.Join(root, "games/b"), 0o755),
		os.Symlink("moved", filepath.Join(root, "games/b/game.tw-pddl")),
		os.Symlink("/dev/null", filepath.Join(root, "games/d.tw-pddl"))); err != nil {
		t.Fatal(err)
	}
	s := open(t, filepath.Join(root, "games"))
	if got := s.Info().Splits; !maps.Equal(got, map[string]int{"games": 2}) {
		t.Fatalf("%v", got)
	}
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Reset(t.Context(), sparkd.Task{Env: "alf", Split: "games"}); err != nil {
		t.Error(err)
	}
	_, err = e.Reset(t.Context(), sparkd.Task{Env: "alf", Split: "games", Index: 1})
	if e := sparkd.AsError(err); err == nil || e.Field != gameFile || e.Remedy == "" {
		t.Errorf("a link to nowhere: %v", err)
	}
}

// The games of a folder keep the contract of every environment.
func TestContract(t *testing.T) {
	root := write(t, downloaded(t))
	envtest.Run(t, envtest.Options{
		Source: func(t *testing.T) envtest.Source { return open(t, root) },
		Tasks:  []sparkd.Task{{Env: "alf", Split: "l2", Index: 3}, {Env: "alf", Split: "train", Index: 0}},
		Steps:  40,
		Finish: func(t *testing.T, task sparkd.Task) []string {
			e, err := open(t, root).Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Reset(t.Context(), task); err != nil {
				t.Fatal(err)
			}
			plan, err := Expert(e.(*Env))
			if err != nil {
				t.Fatal(err)
			}
			return plan
		},
	})
}

func TestLookup(t *testing.T) {
	s := open(t, write(t, downloaded(t)))
	const name = "pick_heat_then_place_in_recep-X-None-Y-303/trial_T1"
	want, _, ok := s.Lookup("train", name)
	if !ok || s.splits["train"][want].name != name {
		t.Fatalf("%s is %d, %v", name, want, ok)
	}
	for _, other := range []string{name + "/game.tw-pddl", "train/" + name, name + "/"} {
		if i, _, ok := s.Lookup("train", other); !ok || i != want {
			t.Errorf("%s is %d, %v", other, i, ok)
		}
	}
	_, near, ok := s.Lookup("train", "pick_heat_then_place_in_recep-X-None-Y-303/trial_T7")
	if ok || len(near) != maxNear || !strings.HasPrefix(near[0], "pick_heat_then_place_in_recep-X-None-Y-303/") {
		t.Errorf("near it: %q, %v", near, ok)
	}
	if _, near, _ := s.Lookup("train", name[1:]+"1"); near[0] != name {
		t.Errorf("two slips away: %q", near)
	}
	if _, near, ok := s.Lookup("train", "trial_T1"); ok || !strings.HasSuffix(near[0], "trial_T1") {
		t.Errorf("six games end in trial_T1: %v, near %q", ok, near)
	}
	if _, near, ok := s.Lookup("dev", name); ok || near != nil {
		t.Errorf("a split that is not there: %v, %q", ok, near)
	}
}

func TestBadFolders(t *testing.T) {
	raw := write(t, map[string]string{"train/a/traj_data.json": "{}", "train/b/traj_data.json": "{}"})
	unsolvable := write(t, map[string]string{"train/a/game.tw-pddl": `{"solvable": false}`})
	file := filepath.Join(write(t, map[string]string{"x": ""}), "x")
	for data, message := range map[string]string{
		"": "no folder", filepath.Join(t.TempDir(), "gone"): "cannot read", t.TempDir(): "no game that can be played",
		unsolvable: "(1 are known", file: "no game that can be played", raw: "2 traj_data.json, but no game.tw-pddl",
	} {
		_, err := Open(t.Context(), "alf", Options{Data: data})
		var e *sparkd.Error
		if !errors.As(err, &e) || e.Code != sparkd.CodeInvalid || e.Field != "env.alf.data" || e.Remedy == "" ||
			!strings.Contains(e.Message, message) {
			t.Errorf("%q: %v, want %q", data, err, message)
		}
	}
	if _, err := Open(t.Context(), "alf", Options{Data: raw}); !strings.Contains(sparkd.AsError(err).Remedy,
		"alfworld-generate") {
		t.Errorf("trajectories without games: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, "alf", Options{Data: write(t, downloaded(t))}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled scan: %v", err)
	}
}

func TestBadTasksOfAFolder(t *testing.T) {
	p := kitchenette(PickAndPlace)
	s := open(t, filepath.Join(write(t, map[string]string{
		"games/bad/game.tw-pddl": "{", "games/good/game.tw-pddl": string(gameBytes(t, p))}), "games"))
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		task           sparkd.Task
		field, message string
	}{
		{sparkd.Task{Env: "alf", Split: "train"}, "tasks.split", `no split "train"`},
		{sparkd.Task{Env: "alf", Split: "games", Index: 2}, "tasks.indices", "no task 2"},
		{sparkd.Task{Env: "alf", Split: "games", Index: -1}, "tasks.indices", "no task -1"},
		{sparkd.Task{Env: "alf", Split: "games", Index: 0}, gameFile, "the game bad: it is not JSON"},
	} {
		_, err := e.Reset(t.Context(), c.task)
		if x := sparkd.AsError(err); x.Code != sparkd.CodeInvalid || x.Field != c.field || x.Remedy == "" ||
			!strings.Contains(x.Message, c.message) {
			t.Errorf("%v: %v, want %s: %s", c.task, err, c.field, c.message)
		}
	}
	if o, err := e.Reset(t.Context(), sparkd.Task{Env: "alf", Split: "games", Index: 1}); err != nil ||
		o.Goal != p.Goal.Sentence {
		t.Errorf("the good game after the bad one: %+v, %v", o, err)
	}
}

// Copies of a source play at once, and no more than maxLoaded games are kept.
func TestCopiesAtOnce(t *testing.T) {
	files := map[string]string{}
	game := string(gameBytes(t, kitchenette(PickAndPlace)))
	for i := range maxLoaded + 20 {
		files[fmt.Sprintf("games/%04d.tw-pddl", i)] = game
	}
	s := open(t, filepath.Join(write(t, files), "games"))
	var wg sync.WaitGroup
	for c := range 3 {
		wg.Go(func() {
			e, err := s.Open(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			for i := range len(files) {
				if i > 20 && i%3 != c {
					continue // beyond the first games, which all of them play, each has its own
				}
				if _, err := e.Reset(t.Context(), sparkd.Task{Split: "games", Index: i}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(s.ready) != maxLoaded {
		t.Errorf("%d games are kept, want %d", len(s.ready), maxLoaded)
	}
}
