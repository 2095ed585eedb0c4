package alfworld

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sparkd"
)

// texts is the first line of a record of testdata/real/record.py.
type texts struct {
	Texts map[string][2]string `json:"texts"` // domain and grammar by the name of the phrasing
}

// recorded is a game that the real package played.
type recorded struct {
	Name     string          `json:"name"`
	Phrasing string          `json:"wording"`
	Sentence string          `json:"sentence"`
	Problem  string          `json:"problem"`
	Traj     json.RawMessage `json:"trajectory"`
	Relaxed  bool            `json:"relaxed"` // false: the real package cannot play it, its goal is out of reach
	Walks    []recordedWalk  `json:"walks"`
}

type recordedWalk struct {
	Kind  string     `json:"kind"`
	Steps []answered `json:"steps"`
}

// answered is an action and what the real package answered: text, score, done, and the
// admissible actions unless they are those of the step before.
type answered struct {
	action     string
	text       string
	score      float64
	done       bool
	admissible []string
}

func (a *answered) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&a.action, &a.text, &a.score, &a.done, &a.admissible})
}

// counts is what a comparison covered.
type counts struct{ Games, Refused, Walks, Steps, Inadmissible int }

// The engine answers as alfworld 0.4.2 did, to the letter: the part of the differential
// test that is kept in testdata.
func TestGolden(t *testing.T) {
	f, err := os.Open("testdata/golden.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	n := replay(t, z)
	t.Logf("%+v", n)
	if n.Games < 30 || n.Walks < 60 {
		t.Errorf("the record holds %+v", n)
	}
}

// TestDifferential compares a whole record with sparkd and ends with a line of JSON. It is
// run by make test-alfworld.
func TestDifferential(t *testing.T) {
	path := os.Getenv("ALFWORLD_RECORD")
	if path == "" {
		t.Skip("ALFWORLD_RECORD names no record of the real package: run make test-alfworld")
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := replay(t, f)
	if t.Failed() {
		return
	}
	fmt.Printf(`{"figure":"alfworld_differences","value":0,"detail":{"games":%d,"walks":%d,"steps":%d,`+
		`"inadmissible":%d,"refused_by_both":%d}}`+"\n",
		n.Games, n.Walks, n.Steps, n.Inadmissible, n.Refused)
}

// replay plays every game of a record, read from a folder of game files as users have it.
func replay(t *testing.T, r io.Reader) (n counts) {
	t.Helper()
	lines := bufio.NewReaderSize(r, 1<<20)
	var head texts
	read := func(v any) bool {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, v); err != nil {
			t.Fatal(err)
		}
		return true
	}
	if !read(&head) || len(head.Texts) == 0 {
		t.Fatal("the record has no texts")
	}
	for {
		var game recorded
		if !read(&game) {
			return n
		}
		replayGame(t, head, &game, &n)
	}
}

func replayGame(t *testing.T, head texts, game *recorded, n *counts) {
	t.Helper()
	source := openGame(t, head, game)
	split := source.Info().Name
	opened, err := source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := opened.(*Env)
	index, near, ok := source.Lookup(split, game.Name)
	if !ok {
		t.Fatalf("%s: not found, near it: %q", game.Name, near)
	}
	task := sparkd.Task{Env: split, Split: split, Index: index}
	first, err := e.Reset(t.Context(), task)
	if !game.Relaxed {
		if n.Refused++; sparkd.CodeOf(err) != sparkd.CodeInvalid || sparkd.AsError(err).Field != goalField {
			t.Errorf("%s: the real package cannot play it, sparkd says %v", game.Name, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", game.Name, err)
		return
	}
	n.Games++
	if first.Goal != game.Sentence {
		t.Errorf("%s: goal %q, want %q", game.Name, first.Goal, game.Sentence)
	}
	for k, walk := range game.Walks {
		n.Walks++
		name := fmt.Sprintf("%s, %s walk %d", game.Name, walk.Kind, k)
		e.start(e.world)
		compareWalk(t, name, e, walk.Steps, n)
		if id, ok := strings.CutPrefix(game.Name, "household-"); ok && !t.Failed() {
			compareWalk(t, name+", generated", generatedGame(t, id), walk.Steps, &counts{})
		}
	}
}

// generatedGame starts the task of a household's game, which is written with "-" for "/".
func generatedGame(t *testing.T, id string) *Env {
	task, err := sparkd.ParseTask("household/" + strings.ReplaceAll(id, "-", "/"))
	if err != nil {
		t.Fatal(err)
	}
	return start(t, task)
}

// openGame writes the files of a game and opens their folder.
func openGame(t *testing.T, head texts, game *recorded) *Source {
	t.Helper()
	words, ok := head.Texts[game.Phrasing]
	if !ok {
		t.Fatalf("%s: no texts of %q", game.Name, game.Phrasing)
	}
	root := filepath.Join(t.TempDir(), "games")
	folder := filepath.Join(root, filepath.FromSlash(game.Name))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{
		"pddl_domain": words[0], "grammar": strings.ReplaceAll(words[1], "UNKNOWN GOAL", game.Sentence),
		"pddl_problem": game.Problem, "solvable": nil, "walkthrough": nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{gameFile: b, trajectoryFile: game.Traj} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(t.Context(), "games", Options{Data: root})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// compareWalk plays a walk on e, which has just started. It goes on after a win, as the
// real package does.
func compareWalk(t *testing.T, name string, e *Env, steps []answered, n *counts) {
	t.Helper()
	var admissible []string
	for i, want := range steps {
		got := e.observe(e.world.intro)
		if i > 0 {
			got = e.step(want.action)
		}
		n.Steps++
		if want.text == nothingHappens {
			n.Inadmissible++
		}
		if want.admissible != nil {
			admissible = want.admissible
		}
		switch {
		case got.Text != want.text:
			t.Errorf("%s, step %d, %q:\n got %q\nwant %q", name, i, want.action, got.Text, want.text)
		case got.Done != want.done || got.Success != want.done || got.Reward != want.score:
			t.Errorf("%s, step %d, %q: done %v, reward %v, want %v, %v", name, i, want.action, got.Done,
				got.Reward, want.done, want.score)
		case !slices.Equal(got.Admissible, admissible):
			t.Errorf("%s, step %d, %q: admissible actions\n got %q\nwant %q", name, i, want.action,
				got.Admissible, admissible)
		default:
			continue
		}
		return
	}
}
